"""Id maps: integer arrays (H, W) that hold the segment of every pixel; 0 is void."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# COCO panoptic PNGs hold an id in 24 bits; a result that cannot be saved is refused at once.
MAX_SEGMENT_ID = 2**24 - 1
_COUNTED = 1 << 22  # pixels at a time

Box = tuple[int, int, int, int]


def measure(ids: np.ndarray) -> dict[int, tuple[int, Box]]:
    """Area in pixels and box (xyxy, exclusive) of every id above 0 in an id map (H, W)."""
    # By runs of equal pixels, which are few, and some rows at a time, where they are many.
    measured: dict[int, tuple[int, Box]] = {}
    rows = max(1, _COUNTED // ids.shape[1])
    for top in range(0, len(ids), rows):
        for id, (area, (left, upper, right, lower)) in _measure_part(ids[top : top + rows]):
            upper, lower = upper + top, lower + top
            if id in measured:
                more, (x0, y0, x1, _) = measured[id]
                area, left, upper, right = area + more, min(left, x0), y0, max(right, x1)
            measured[id] = area, (left, upper, right, lower)
    return dict(sorted(measured.items()))


def _measure_part(ids: np.ndarray) -> Iterator[tuple[int, tuple[int, Box]]]:
    flat = ids.ravel()
    begins = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[:: ids.shape[1]] = True
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=flat.size)
    values = flat[starts]
    if values.max(initial=0) <= 65_535:
        values = values.astype(np.uint16)  # sorted by counting
    order = np.argsort(values, kind="stable")
    values, starts, lengths = values[order], starts[order], lengths[order]
    row, left = np.divmod(starts, ids.shape[1])
    firsts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    table = zip(
        values[firsts].tolist(),
        np.add.reduceat(lengths, firsts).tolist(),
        np.minimum.reduceat(left, firsts).tolist(),
        row[firsts].tolist(),  # of one id they stay in the order of pixels
        np.maximum.reduceat(left + lengths, firsts).tolist(),
        np.append(row[firsts[1:] - 1], row[-1]).tolist(),
        strict=True,
    )
    for id, area, x0, y0, x1, y1 in table:
        if id > 0:
            yield id, (area, (x0, y0, x1, y1 + 1))


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
