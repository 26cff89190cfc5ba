"""How a picture moves from frame to frame as a whole, for what is as if painted on it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.standins.shapes import GRID

_THUMB = 64


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """A picture RGB uint8 (H, W, 3) in grey and small, uint8."""
    small = Image.fromarray(rgb).convert("L").resize((_THUMB, _THUMB), Image.Resampling.BOX)
    return np.asarray(small).astype(np.uint8)


def shift_between(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """By how much the picture has moved, (rows, columns) in cells, by phase correlation."""
    f, g = (np.fft.rfft2(x.astype(float) - x.mean()) for x in (before, now))
    cross = np.conj(f) * g
    surface = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=before.shape)
    peak = np.array(np.unravel_index(surface.argmax(), surface.shape))
    by = np.where(peak > _THUMB // 2, peak - _THUMB, peak) * (GRID / _THUMB)
    return float(by[0]), float(by[1])


def moved(shape: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """A mask (GRID, GRID) moved by so much; what leaves the picture is lost."""
    ys, xs = np.nonzero(shape)
    ys, xs = ys + round(shift[0]), xs + round(shift[1])
    inside = (ys >= 0) & (ys < GRID) & (xs >= 0) & (xs < GRID)
    there = np.zeros_like(shape)
    there[ys[inside], xs[inside]] = True
    return there
