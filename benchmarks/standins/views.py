"""What a camera sees of a photograph with its truth: a window of it, at some size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.standins.real_scenes import RealScene
from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True)
class Window:
    """A part of a picture with the picture's own proportions: where its middle is, in shares of
    width and height, and how large it is, as share of either; ``mirrored`` left to right.

    What would lie outside the picture is moved inside.
    """

    x: float = 0.5
    y: float = 0.5
    share: float = 1.0
    mirrored: bool = False

    def box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels of a picture of this height and width."""
        height, width = size
        half = self.share / 2
        x, y = (min(max(at, half), 1 - half) for at in (self.x, self.y))
        left, right, top, bottom = x - half, x + half, y - half, y + half
        return left * width, top * height, right * width, bottom * height


def seen(scene: RealScene, window: Window, longer: int) -> tuple[np.ndarray, PanopticSegmentation]:
    """The picture, uint8 (h, w, 3), and the truth of a window, its longer side so many pixels.

    Colours are means over the area of a pixel (between pixels where it is enlarged), ids those at
    a pixel's middle. Ids are the scene's.
    """
    box = window.box(scene.size)
    scale = longer / max(scene.size)
    height, width = (max(1, round(side * scale)) for side in scene.size)
    picture = np.asarray(
        Image.fromarray(scene.image).resize((width, height), Image.Resampling.BILINEAR, box=box)
    )
    rows = _middles(box[1], box[3], height, scene.size[0])
    columns = _middles(box[0], box[2], width, scene.size[1])
    ids = scene.truth.ids[rows[:, None], columns[None]]
    if window.mirrored:
        picture, ids = picture[:, ::-1], ids[:, ::-1]
    truth = PanopticSegmentation.from_ids(np.ascontiguousarray(ids), scene.truth.segments)
    return np.ascontiguousarray(picture), truth


def with_noise(picture: np.ndarray, rng: np.random.Generator, deviation: float = 1.5) -> np.ndarray:
    """As a sensor has it: no two frames are the same to the bit."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * deviation
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def _middles(start: float, stop: float, count: int, limit: int) -> np.ndarray:
    at = start + (np.arange(count) + 0.5) * (stop - start) / count
    return np.clip(at.astype(np.int64), 0, limit - 1)
