"""How well two masks agree: in their region (J) and along their contour (F).

Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation
(CVPR 2016, section 5), in the details of DAVIS 2017's evaluation
(https://github.com/davisvideochallenge/davis2017-evaluation): a contour is one pixel wide and lies
on pixels that differ from their right, lower or lower right neighbour; the border of the picture
is no contour; contours match within 0.008 of the picture's diagonal, rounded up to whole pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

TOLERANCE = 0.008  # of the diagonal


def region_j(found: np.ndarray, truth: np.ndarray) -> float:
    """IoU of two bool masks (H, W), in [0, 1]; 1 where both are empty."""
    union = np.count_nonzero(found | truth)
    return np.count_nonzero(found & truth) / union if union else 1.0


def boundary_f(found: np.ndarray, truth: np.ndarray) -> float:
    """F-measure of the contours of two bool masks (H, W), in [0, 1]; 1 where both are empty.

    Where just one mask is empty it is 0, even if the other fills the picture and so has no contour
    either (which DAVIS's code counts as 1).
    """
    if not found.any() or not truth.any():
        return float(found.any() == truth.any())
    return Contour.of(found).f_measure(Contour.of(truth), tolerance_in_pixels(truth.shape))


def tolerance_in_pixels(shape: tuple[int, ...]) -> int:
    """How far two contours may lie apart and still match, in a picture (height, width)."""
    height, width = shape
    return math.ceil(TOLERANCE * math.hypot(height, width))


@dataclass(frozen=True, eq=False)
class Contour:
    """The contour of one mask: its pixels (N, 2) as y, x; none for a mask that fills all."""

    points: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Contour:
        """The contour of a bool mask (H, W)."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return cls(np.zeros((0, 2), np.int64))
        # One pixel more on every side, where there is one: the contour lies up and left of it.
        top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
        part = mask[top : rows[-1] + 2, left : columns[-1] + 2]
        padded = np.pad(part, ((0, 1), (0, 1)), mode="edge")
        edge = (part != padded[:-1, 1:]) | (part != padded[1:, :-1]) | (part != padded[1:, 1:])
        return cls(np.argwhere(edge) + np.array([top, left]))

    @cached_property
    def _tree(self):
        from scipy.spatial import cKDTree

        return cKDTree(self.points)

    @cached_property
    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        return self.points.min(0), self.points.max(0)

    def f_measure(self, other: Contour, radius: int) -> float:
        """Harmonic mean of the shares of either contour within ``radius`` pixels of the other."""
        if not len(self.points) or not len(other.points):
            return float(len(self.points) == len(other.points))
        (low, high), (other_low, other_high) = self._box, other._box
        if (low > other_high + radius).any() or (other_low > high + radius).any():
            return 0.0
        a, b = self._near(other, radius), other._near(self, radius)
        return 2 * a * b / (a + b) if a + b else 0.0

    def _near(self, other: Contour, radius: int) -> float:
        distances, _ = other._tree.query(self.points, distance_upper_bound=radius + 0.5)
        return float(np.count_nonzero(distances <= radius)) / len(self.points)
