"""Small repairs of an owner map: crumbs of segments, and thin seams between them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

_EIGHT = np.ones((3, 3), bool)
FREE = -1


def drop_fragments(owner: np.ndarray, groups: Iterable[int], min_pixels: float) -> None:
    """Frees (sets to -1, in place) the crumbs of groups in an owner map (H, W).

    A crumb is a connected piece (diagonals connect) with fewer than ``min_pixels`` pixels; a
    group's largest piece always stays.
    """
    windows = ndimage.find_objects(owner + 1)
    for group in groups:
        if group >= len(windows) or windows[group] is None:
            continue
        part = owner[windows[group]]
        pieces, count = ndimage.label(part == group, _EIGHT)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        crumbs = sizes < min_pixels
        crumbs[[0, int(sizes.argmax())]] = False
        part[crumbs[pieces]] = FREE


def fill_gaps(owner: np.ndarray, seam: float) -> None:
    """Gives free pixels (-1) in thin seams and small holes to the nearest group, in place: what of
    the free is at most about twice ``seam`` pixels wide."""
    free = owner == FREE
    if free.all() or not free.any():
        return
    gaps = free & ~_wide(free, round(seam))
    pieces, _ = ndimage.label(gaps, _EIGHT)
    for number, (rows, columns) in enumerate(ndimage.find_objects(pieces), start=1):
        around = (
            slice(max(rows.start - 1, 0), rows.stop + 1),
            slice(max(columns.start - 1, 0), columns.stop + 1),
        )
        mine = pieces[around] == number
        near = owner[around]
        if (near == FREE).all():
            continue
        nearest = ndimage.distance_transform_edt(
            near == FREE, return_distances=False, return_indices=True
        )
        near[mine] = near[tuple(nearest)][mine]


def _wide(mask: np.ndarray, radius: int) -> np.ndarray:
    """The parts of a mask that a square of ``2 radius + 1`` pixels fits into (an opening).

    The mask is taken to go on beyond the edges of the picture.
    """
    if radius < 1:
        return mask
    core = ndimage.minimum_filter(mask, 2 * radius + 1, mode="nearest")
    return ndimage.maximum_filter(core, 2 * radius + 1, mode="nearest") & mask
