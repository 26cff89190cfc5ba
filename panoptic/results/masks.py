"""Masks as plain arrays: windows of them resized, and how well they agree with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Window = tuple[slice, slice]


def resize_window(image: np.ndarray, size: tuple[int, int], window: Window) -> np.ndarray:
    """A window of ``image`` (h, w) resized to ``size``, float32: bilinear, pixel centres kept.

    The same values as resizing all of it (torch's ``interpolate`` with ``align_corners=False``)
    and cutting the window out.
    """
    if image.shape == size:
        return image[window].astype(np.float32)
    resized = image.astype(np.float32, copy=False)
    for axis in (0, 1):
        length = image.shape[axis]
        steps = np.arange(window[axis].start, window[axis].stop)
        places = np.clip((steps + 0.5) * (length / size[axis]) - 0.5, 0, length - 1)
        low = np.floor(places).astype(np.intp)
        high = np.minimum(low + 1, length - 1)
        part = (places - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        below, above = resized.take(low, axis), resized.take(high, axis)
        resized = below + (above - below) * part
    return resized


def mask_stability(mask_logits: np.ndarray, threshold: float = 0.0, offset: float = 1.0) -> float:
    """IoU of a mask cut ``offset`` above and below its threshold; 0 for an empty one.

    ``mask_logits`` has shape (H, W). Idea: the stability score of Segment Anything's automatic
    masks (arXiv 2304.02643, section 5 and appendix B).
    """
    wide = int((mask_logits > threshold - offset).sum())
    narrow = int((mask_logits > threshold + offset).sum())
    return narrow / wide if wide else 0.0


def mask_agreement(mask: np.ndarray, region: np.ndarray) -> float:
    """IoU of two bool masks (H, W); 0 where both are empty."""
    union = int((mask | region).sum())
    return int((mask & region).sum()) / union if union else 0.0


def box_agreement(mask: np.ndarray, box: Sequence[float]) -> float:
    """IoU of the box around a bool mask (H, W) with another box, xyxy in pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return 0.0
    own = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    width = min(own[2], box[2]) - max(own[0], box[0])
    height = min(own[3], box[3]) - max(own[1], box[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (own, box)]
    return float(shared / (sum(areas) - shared))
