"""Where shots change: a distance of frames that motion and light alone don't make large.

Two measures that fail in different ways are multiplied. Colour histograms don't mind motion, and
the difference of thumbnails, taken at the best of some shifts, doesn't mind light: both are taken
with the overall brightness (for the thumbnail also the contrast) divided out. A cut changes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

SIDE = 32
"""Of the thumbnails: small enough that details and noise don't count."""
SHIFT = 4
"""Cells that a camera may move between two frames: an eighth of the picture."""
_BINS = 4  # of the histogram, along each of red, green and blue
_GREY = 110.0
_NOISE = 4.0  # grey levels; an even picture has no contrast to divide by
_RECENT = 8


@dataclass(frozen=True, eq=False)
class FrameSignature:
    """What is kept of a frame: a thumbnail (SIDE, SIDE) of mean 0 and contrast 1, a histogram."""

    thumbnail: np.ndarray
    histogram: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> FrameSignature:
        """Of an RGB uint8 picture (H, W, 3) of any size."""
        small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)
        rgb = np.asarray(small, np.float32)
        grey = rgb.mean(axis=2)
        thumbnail = (grey - grey.mean()) / (grey.std() + _NOISE)
        balanced = rgb * (_GREY / max(float(rgb.mean()), 1.0))
        cells = np.clip((balanced * (_BINS / 256)).astype(int), 0, _BINS - 1)
        flat = cells @ np.array([_BINS * _BINS, _BINS, 1])
        histogram = np.bincount(flat.ravel(), minlength=_BINS**3) / flat.size
        return cls(thumbnail.astype(np.float32), histogram)

    def state(self) -> list[list]:
        """Lists of numbers, for :meth:`from_state`."""
        return [self.thumbnail.tolist(), self.histogram.tolist()]

    @classmethod
    def from_state(cls, thumbnail: list, histogram: list) -> FrameSignature:
        return cls(np.asarray(thumbnail, np.float32), np.asarray(histogram, np.float64))


def distance(one: FrameSignature, other: FrameSignature) -> float:
    """In [0, 1]: the geometric mean of the two measures."""
    colours = 1.0 - float(np.minimum(one.histogram, other.histogram).sum())
    return float(np.sqrt(max(colours, 0.0) * min(_shape_distance(one, other), 1.0)))


class CutDetector:
    """Says of every frame of a stream whether another shot begins with it.

    ``last`` is the signature of the latest frame, None before the first.
    """

    def __init__(self, threshold: float, ratio: float) -> None:
        self.threshold = threshold
        self.ratio = ratio
        self.last: FrameSignature | None = None
        self._recent: list[float] = []

    def step(self, image: np.ndarray) -> bool:
        """Take the next frame, RGB uint8 (H, W, 3). The first one is no cut."""
        signature, last = FrameSignature.of(image), self.last
        self.last = signature
        if last is None:
            return False
        far = distance(last, signature)
        # The median of some, so that one cut doesn't hide the next.
        usual = float(np.median(self._recent)) if len(self._recent) >= _RECENT // 2 else 0.0
        self._recent = [*self._recent, far][-_RECENT:]
        return far >= self.threshold and far >= self.ratio * usual

    def state(self) -> dict[str, Any]:
        """Numbers and lists, for :meth:`load_state`."""
        last = None if self.last is None else self.last.state()
        return {"last": last, "recent": list(self._recent)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._recent = list(state["recent"])
        self.last = None if state["last"] is None else FrameSignature.from_state(*state["last"])


def _shape_distance(one: FrameSignature, other: FrameSignature) -> float:
    """Mean difference of the thumbnails where they overlap, at the shift where it is least."""
    a, b = one.thumbnail, other.thumbnail
    least = np.inf
    for dy in range(-SHIFT, SHIFT + 1):
        rows_a, rows_b = _overlap(dy)
        for dx in range(-SHIFT, SHIFT + 1):
            columns_a, columns_b = _overlap(dx)
            gap = np.abs(a[rows_a, columns_a] - b[rows_b, columns_b]).mean()
            least = min(least, float(gap))
    return least


def _overlap(shift: int) -> tuple[slice, slice]:
    return (
        slice(max(shift, 0), SIDE + min(shift, 0)),
        slice(max(-shift, 0), SIDE + min(-shift, 0)),
    )
