"""Masks cut to their bounding boxes, and the suppression of near copies among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

CORNERS_CONNECT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask cut to its bounding box: ``pixels`` bool (h, w), its corner at (left, top).

    Of most objects this is a small part of the picture, so hundreds can be held.
    """

    left: int
    top: int
    pixels: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, left: int = 0, top: int = 0) -> Patch:
        """Cut out of a mask (H, W) that itself begins at (left, top). 0 x 0 if it is empty."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows) == 0:
            return cls(left, top, np.zeros((0, 0), dtype=bool))
        y, x = int(rows[0]), int(columns[0])
        # A copy: a view would keep the whole mask alive.
        pixels = mask[y : rows[-1] + 1, x : columns[-1] + 1].copy()
        return cls(left + x, top + y, pixels)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1), where x1 and y1 lie just outside."""
        height, width = self.pixels.shape
        return self.left, self.top, self.left + width, self.top + height

    @cached_property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def paste(self, height: int, width: int) -> np.ndarray:
        """The mask at its place in a picture, bool (height, width)."""
        mask = np.zeros((height, width), dtype=bool)
        x0, y0, x1, y1 = self.box
        mask[y0:y1, x0:x1] = self.pixels
        return mask

    def iou(self, other: Patch) -> float:
        """Intersection over union, of pixels; 0 between empty masks."""
        x0, y0 = max(self.left, other.left), max(self.top, other.top)
        x1, y1 = min(self.box[2], other.box[2]), min(self.box[3], other.box[3])
        if x0 >= x1 or y0 >= y1:
            return 0.0
        mine = self.pixels[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
        theirs = other.pixels[y0 - other.top : y1 - other.top, x0 - other.left : x1 - other.left]
        both = int(np.count_nonzero(mine & theirs))
        return both / (self.area + other.area - both)

    def without_specks(self, min_area: int) -> Patch:
        """Islands of fewer pixels than ``min_area`` removed, then such holes filled.

        Islands hang together over corners, and holes do as well, so that neither a thin
        diagonal line nor the gap beside it is taken apart.
        """
        if min_area <= 1:
            return self
        mask = np.pad(self.pixels, 1)  # a border, so that the outside is one region
        mask &= ~_smaller(mask, min_area)
        mask |= _smaller(~mask, min_area, spare_border=True)
        return Patch.of(mask, self.left - 1, self.top - 1)


def suppress(patches: Sequence[Patch], threshold: float) -> list[int]:
    """Greedy non-maximum suppression by the IoU of masks; ``patches`` come best first.

    Gives the indices of those that stay: each one whose IoU with none that stays before it is
    above ``threshold``. Most pairs are settled by their boxes and areas, which bound the IoU.
    """
    boxes = np.array([p.box for p in patches], dtype=np.int64).reshape(-1, 4)
    areas = np.array([p.area for p in patches], dtype=np.int64)
    alive = areas > 0
    kept = []
    for i, patch in enumerate(patches):
        if not alive[i]:
            continue
        kept.append(i)
        corner = np.maximum(boxes[i, :2], boxes[i + 1 :, :2])
        extent = np.minimum(boxes[i, 2:], boxes[i + 1 :, 2:]) - corner
        shared = extent.clip(min=0).prod(axis=1)
        shared = np.minimum(shared, np.minimum(areas[i], areas[i + 1 :]))
        most = shared > threshold * (areas[i] + areas[i + 1 :] - shared)
        for j in (np.flatnonzero(most & alive[i + 1 :]) + i + 1).tolist():
            alive[j] = patch.iou(patches[j]) <= threshold
    return kept


def _smaller(mask: np.ndarray, min_area: int, spare_border: bool = False) -> np.ndarray:
    """Where the connected regions of fewer pixels than ``min_area`` are."""
    regions, _ = ndimage.label(mask, CORNERS_CONNECT)
    small = np.bincount(regions.ravel()) < min_area
    if spare_border:
        small[regions[0, 0]] = False
    return small[regions] & mask
