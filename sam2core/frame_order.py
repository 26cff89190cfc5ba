"""In which order frames are numbered and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from sam2core.errors import FramesError

CHUNK_BYTES = 256 * 2**20
"""Decoded frames held when going backwards: 43 of 1920 x 1080, 10 of 3840 x 2160."""


def natural_order(name: str) -> tuple:
    """Sort key in which numbers count by value: frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    numbers_by_value = tuple(int(p) if i % 2 else p for i, p in enumerate(parts))
    return numbers_by_value, name  # the name itself decides between frame_1 and frame_01


def frame_range(length: int, start: int, stop: int | None, reverse: bool) -> range:
    """The indices from ``start`` to before ``stop`` (None: all the way), cut at the ends.

    In ``reverse`` they fall: ``range(start, stop, -1)``, by default down to frame 0.
    """
    at_the_end = start == length and not reverse
    if not 0 <= start < length and not at_the_end:
        raise FramesError(f"start must be a frame of the {length} that there are, got {start}")
    if reverse:
        return range(start, -1 if stop is None else max(stop, -1), -1)
    return range(start, length if stop is None else max(start, min(stop, length)))


def backwards(
    read: Callable[[int, int], Iterator[np.ndarray]],
    indices: range,
    size: tuple[int, int],
    first_of_chunk: Callable[[int, int], int] = lambda low, high: low,
) -> Iterator[tuple[int, np.ndarray]]:
    """(index, frame) in falling order from what can only be ``read(start, stop)`` forward.

    Chunks of at most ``CHUNK_BYTES`` are read forward and given backwards.
    ``first_of_chunk(low, high)`` may begin a chunk that ends with ``high`` later than at
    ``low``, where that saves reading.
    """
    per_chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    high, last = indices.start, indices.stop + 1
    while high >= last:
        low = first_of_chunk(max(last, high - per_chunk + 1), high)
        chunk = list(read(low, high + 1))
        for index in range(high, low - 1, -1):
            yield index, chunk.pop()
        high = low - 1
