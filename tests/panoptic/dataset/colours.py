"""A labeller that is quick and exact: things and stuff told apart by colour alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.io.images import load_image
from panoptic.results.frame import PanopticFrame
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from sam2core.frames import open_frames

WORDS = Vocabulary(things=["ball", "box"], stuff=["sand", "sea"])
COLOURS = np.array([(200, 30, 30), (230, 200, 20), (200, 180, 140), (30, 60, 180)], np.uint8)


@dataclass(frozen=True)
class ColourLabeller:
    """Every pixel gets the word whose colour is nearest; each word is one segment."""

    largest_distance: int = 90

    def fingerprint(self) -> dict[str, int]:
        return {"largest_distance": self.largest_distance}

    def segment_batch(self, images, vocabulary) -> list[PanopticSegmentation]:
        return [self.segment(load_image(image), vocabulary) for image in images]

    def segment(self, image: np.ndarray, vocabulary: Vocabulary) -> PanopticSegmentation:
        distances = np.abs(image[..., None, :].astype(int) - COLOURS).max(-1)
        nearest = distances.argmin(-1)
        found = np.where(distances.min(-1) <= self.largest_distance, nearest + 1, 0)
        return PanopticSegmentation.from_ids(
            found.astype(np.int32),
            [Segment(c.id, c.id, c.name, c.is_thing, 0.5, quality=c.id / 10) for c in vocabulary],
        )

    def track(self, video, vocabulary: Vocabulary) -> Iterator[PanopticFrame]:
        for index, image in open_frames(video).frames():
            yield PanopticFrame(index, image, self.segment(image, vocabulary))


def picture(seed: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Sea above sand, with a ball or a box or both."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2], image[height // 2 :] = COLOURS[3], COLOURS[2]
    for colour in COLOURS[: 1 + seed % 2]:
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
        image[y : y + 8, x : x + 8] = colour
    return image


def fill(folder: Path, count: int, start: int = 0) -> list[Path]:
    """So many pictures of three sizes, in two folders."""
    paths = []
    for i in range(start, start + count):
        path = folder / ("a" if i % 3 else "b") / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i, ((24, 32), (32, 24), (40, 40))[i % 3])).save(path)
        paths.append(path)
    return paths


def contents(out: Path) -> dict[str, bytes]:
    """All label files by name."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for name in ("labels", "videos")
        for path in sorted((out / name).rglob("*"))
        if path.is_file()
    }
