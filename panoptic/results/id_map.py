"""Id maps: integer arrays (H, W) that hold the segment of every pixel; 0 is void."""

from __future__ import annotations

import numpy as np

# COCO panoptic PNGs hold an id in 24 bits; a result that cannot be saved is refused at once.
MAX_SEGMENT_ID = 2**24 - 1
_COUNTED = 1 << 22

Box = tuple[int, int, int, int]


def measure(ids: np.ndarray) -> dict[int, tuple[int, Box]]:
    """Area in pixels and box (xyxy, exclusive) of every id above 0 in an id map (H, W)."""
    from scipy import ndimage

    compact = ids
    if ids.max() <= 65_535:
        areas = _counts(ids)
        present = numbers = np.flatnonzero(areas[1:]) + 1
    else:  # find_objects walks up to the largest id, so ids of 24 bits are numbered anew first
        present = np.unique(ids)
        present = present[present > 0]
        numbers = np.arange(1, present.size + 1)
        compact = np.searchsorted(present, ids).astype(np.int32) + 1
        compact[ids == 0] = 0
        areas = _counts(compact)
    windows = ndimage.find_objects(compact)
    measured = {}
    for id, number in zip(present.tolist(), numbers.tolist(), strict=True):
        rows, columns = windows[number - 1]
        measured[id] = (int(areas[number]), (columns.start, rows.start, columns.stop, rows.stop))
    return measured


def _counts(ids: np.ndarray) -> np.ndarray:
    """How often each id occurs. By rows, as numpy makes 64 bits of every pixel that it counts."""
    counts = np.zeros(int(ids.max()) + 1, np.int64)
    rows = max(1, _COUNTED // ids.shape[1])
    for start in range(0, len(ids), rows):
        part = np.bincount(ids[start : start + rows].ravel())
        counts[: len(part)] += part
    return counts


def checked_ids(ids: np.ndarray) -> np.ndarray:
    """The map as read-only int32, copied if the caller could still write to it.

    Raises ``ValueError`` if it is not an integer array (H, W) of ids that can be saved.
    """
    ids = np.asarray(ids)
    if ids.ndim != 2 or 0 in ids.shape:
        raise ValueError(f"an id map has shape (H, W) with both at least 1, got {ids.shape}")
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"an id map holds integers, got {ids.dtype}")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high > MAX_SEGMENT_ID:
        raise ValueError(f"ids are 0 to {MAX_SEGMENT_ID}, got {low} to {high}")
    if ids.flags.writeable or ids.dtype != np.int32:
        ids = ids.astype(np.int32, order="C")
        ids.flags.writeable = False
    return ids


def ids_to_rgb(ids: np.ndarray) -> np.ndarray:
    """An id map (H, W) as colours, uint8 (H, W, 3): id = R + 256 G + 65536 B."""
    low_bytes_first = np.ascontiguousarray(ids, "<i4").view(np.uint8).reshape(*ids.shape, 4)
    return np.ascontiguousarray(low_bytes_first[..., :3])


def rgb_to_ids(rgb: np.ndarray) -> np.ndarray:
    """The id map (H, W), int32, of colours uint8 (H, W, 3)."""
    ids = rgb[..., 2].astype(np.int32)
    for channel in (1, 0):
        ids <<= 8
        ids |= rgb[..., channel]
    return ids
