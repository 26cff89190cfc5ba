"""Cells: what lies between four samples of a mask, and the pixels of a picture in each of them.

Masks come at a quarter of SAM 2's resolution and are stretched over the picture, linearly between
samples. So a mask is known for a whole cell of pixels where its four corners agree: what lies
between is above a level if all of them are, and not if none is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Axis:
    """Cells along one axis of a picture.

    ``cell_of`` (L,) is the cell of each pixel; ``first`` (l,) and ``count`` (l,) are the pixels of
    each cell; ``step`` (l,) is 1, or 0 where a cell has no sample after it; ``parts`` (P, l),
    float32, is how far between its samples each of a cell's at most P pixels lies.
    """

    cell_of: np.ndarray
    first: np.ndarray
    count: np.ndarray
    step: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(cls, samples: int, pixels: int) -> Axis:
        """Of a picture of so many pixels; the same numbers as ``resize_window``."""
        places = np.clip((np.arange(pixels) + 0.5) * (samples / pixels) - 0.5, 0, samples - 1)
        cell_of = np.floor(places).astype(np.intp)
        first = np.searchsorted(cell_of, np.arange(samples))
        count = np.bincount(cell_of, minlength=samples)
        step = (np.arange(samples) < samples - 1).astype(np.intp)
        parts = np.zeros((int(count.max()), samples), np.float32)
        parts[np.arange(pixels) - first[cell_of], cell_of] = places - cell_of
        return cls(cell_of, first, count, step, parts)


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells of masks (h, w) in a picture (H, W)."""

    rows: Axis
    columns: Axis

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, samples: tuple[int, int], size: tuple[int, int]) -> Grid:
        return cls(Axis.of(samples[0], size[0]), Axis.of(samples[1], size[1]))

    @property
    def samples(self) -> tuple[int, int]:
        return len(self.rows.first), len(self.columns.first)

    @property
    def size(self) -> tuple[int, int]:
        return len(self.rows.cell_of), len(self.columns.cell_of)

    @property
    def slots(self) -> tuple[int, int]:
        """How many rows and columns of pixels the largest cells have."""
        return len(self.rows.parts), len(self.columns.parts)

    @cached_property
    def pixels(self) -> np.ndarray:
        """How many pixels each cell has (h, w)."""
        return self.rows.count[:, None] * self.columns.count

    def stretch(self, cells: np.ndarray) -> np.ndarray:
        """What each pixel's cell has, (H, W) of (h, w)."""
        return cells.take(self.columns.cell_of, 1).take(self.rows.cell_of, 0)

    def places(self, cells: np.ndarray) -> np.ndarray:
        """The flat places (A, B, C) of the pixels of C cells, by their flat places. Where a cell
        has fewer than A x B pixels, the place is one beyond the picture."""
        row, column = np.divmod(cells, self.samples[1])
        a, b = (np.arange(len(axis.parts))[:, None] for axis in (self.rows, self.columns))
        height, width = self.size
        y = self.rows.first[row] + a
        x = self.columns.first[column] + b
        y[a >= self.rows.count[row]] = height
        places = y[:, None] * width + x
        missing = (y == height)[:, None] | (b >= self.columns.count[column])
        places[missing] = height * width
        return places

    def between(self, masks: np.ndarray, corners: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """The values (A, B, C), float32, of masks at the pixels of C cells, in the same order.

        ``masks`` are the samples of a stack (N, h, w), flat, and ``corners`` (C,) say where in it
        the upper left sample of each cell is.
        """
        row, column = np.divmod(cells, self.samples[1])
        right = self.columns.step[column]
        below = self.rows.step[row] * self.samples[1]
        one, two, three, four = (
            masks[corners + further].astype(np.float32)
            for further in (0, right, below, below + right)
        )
        part = self.rows.parts[:, row]
        left = one + (three - one) * part
        along = two + (four - two) * part
        along -= left
        values = along[:, None] * self.columns.parts[:, column]
        values += left[:, None]
        return values
