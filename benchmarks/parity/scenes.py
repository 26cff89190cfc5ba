"""Deterministic synthetic clips: textured blobs that move over a textured background."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Scene:
    """`blobs` ellipses in a square of `size` pixels. The picture depends on seed and frame only;
    another size shows the same scene at another resolution (but for the finest texture)."""

    size: int
    blobs: int = 5
    seed: int = 0

    def centre(self, blob: int, frame: int) -> tuple[float, float]:
        """Where a blob is at a frame, as (x, y) in units of the side."""
        x, y, dx, dy = self._motion()[blob]
        return _bounce(x + dx * frame), _bounce(y + dy * frame)

    def mask(self, blob: int, frame: int) -> NDArray[np.bool_]:
        """(size, size) of the blob without regard to what covers it."""
        grid = (np.arange(self.size) + 0.5) / self.size
        x, y = self.centre(blob, frame)
        radius_x, radius_y = 0.10 + 0.02 * (blob % 3), 0.09 + 0.03 * (blob % 2)
        inside = ((grid[None] - x) / radius_x) ** 2 + ((grid[:, None] - y) / radius_y) ** 2
        return np.asarray(inside < 1.0)

    def box(self, blob: int, frame: int) -> tuple[float, float, float, float]:
        """Bounds of the blob as x0, y0, x1, y1 in units of the side, cut at the border."""
        ys, xs = np.nonzero(self.mask(blob, frame))
        bounds = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / self.size
        return (float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3]))

    def frame(self, index: int) -> NDArray[np.uint8]:
        """(size, size, 3) RGB. Don't write into it: it is kept for the next one who asks."""
        return _frame(self, index)

    def _paint(self, index: int) -> NDArray[np.uint8]:
        image = self._texture(1000, 24) * 0.5 + 0.2 + 0.02 * (index % 7)
        for blob in range(self.blobs):
            inside = self.mask(blob, index)
            colour = np.random.default_rng([self.seed, blob, 7]).uniform(0.1, 0.9, 3)
            shift = (index * (blob + 1) * 3) % self.size
            texture = np.roll(self._texture(blob, 48), shift, axis=1)
            image = np.where(inside[..., None], 0.6 * colour + 0.4 * texture, image)
        noise = np.random.default_rng([self.seed, index, 9]).normal(0, 0.03, image.shape)
        return np.asarray(np.clip((image + noise) * 255, 0, 255).round(), np.uint8)

    def pixels(self, index: int) -> NDArray[np.float32]:
        """(3, size, size), normalised as the models expect it."""
        scaled = self.frame(index).astype(np.float32) / 255
        return np.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))

    def _motion(self) -> NDArray[np.float64]:
        random = np.random.default_rng([self.seed, 11])
        start = random.uniform(0.2, 0.8, (self.blobs, 2))
        speed = random.choice([-1, 1], (self.blobs, 2)) * random.uniform(
            0.02, 0.06, (self.blobs, 2)
        )
        return np.concatenate([start, speed], axis=1)

    def _texture(self, stream: int, cells: int) -> NDArray[np.float64]:
        """(size, size, 3) of random cells in [0, 1]."""
        coarse = np.random.default_rng([self.seed, stream, 5]).uniform(0, 1, (cells, cells, 3))
        index = np.arange(self.size) * cells // self.size
        return np.asarray(coarse[index][:, index])


@functools.lru_cache(maxsize=64)
def _frame(scene: Scene, index: int) -> NDArray[np.uint8]:
    picture = scene._paint(index)
    picture.setflags(write=False)
    return picture


def _bounce(position: float) -> float:
    """Reflects at 0.1 and 0.9, so that no blob leaves the picture."""
    span = 0.8
    folded = (position - 0.1) % (2 * span)
    return 0.1 + (folded if folded <= span else 2 * span - folded)
