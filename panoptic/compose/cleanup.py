"""Small repairs of an owner map: crumbs of segments, and thin seams between them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from sam2core.pieces import Pieces

FREE = -1
_NEARBY = 5
"""Pixels up to which looking around each pixel of a gap is quicker than a map of distances."""


def drop_fragments(owner: np.ndarray, groups: Iterable[int], min_pixels: float) -> None:
    """Frees (sets to -1, in place) the crumbs of groups in an owner map (H, W).

    A crumb is a connected piece (diagonals connect) with fewer than ``min_pixels`` pixels; a
    group's largest piece always stays.
    """
    pieces = Pieces.of(owner, background=FREE)
    group_of = pieces.label_of
    crumbs = (pieces.areas < min_pixels) & np.isin(group_of, list(groups))
    if not crumbs.any():
        return
    # Of equal ones the first stays.
    order = np.lexsort((-pieces.areas, group_of))
    crumbs[order[np.unique(group_of[order], return_index=True)[1]]] = False
    owner.reshape(-1)[pieces.pixels(crumbs)] = FREE


def fill_gaps(owner: np.ndarray, seam: float) -> None:
    """Gives free pixels (-1) in thin seams and small holes to the nearest group, in place: what of
    the free is at most about twice ``seam`` pixels wide.

    Gaps are filled one after the other, each from what lies in the box around it, with a pixel to
    spare. Of two that are equally near, the leftmost pixel decides, then the topmost.
    """
    free = owner == FREE
    radius = round(seam)
    if radius < 1 or free.all() or not free.any():
        return
    gaps = Pieces.of(free & ~_wide(free, radius), background=0)
    if not len(gaps):
        return
    # What is no one's is below FREE in a gap, by the gap's number.
    known = owner.astype(np.int32)
    places = gaps.places()
    gap_of = np.repeat(gaps.piece, gaps.lengths)
    known.reshape(-1)[places] = FREE - 1 - gap_of
    boxes = _boxes(gaps, owner.shape)
    hard = np.ones(len(gaps), bool)
    if radius <= _NEARBY:
        nearest, unsure = _nearest(known, places, gap_of, boxes, radius)
        hard[:] = False
        hard[gap_of[unsure]] = True
        sure = ~hard[gap_of]
        owner.reshape(-1)[places[sure]] = nearest[sure]
    for number in np.flatnonzero(hard):
        top, bottom, left, right = boxes[:, number]
        box = np.s_[top:bottom, left:right]
        later = known[box] <= FREE - 1 - number
        near = np.where(later, FREE, owner[box])
        if (near == FREE).all():
            continue
        found = ndimage.distance_transform_edt(
            near == FREE, return_distances=False, return_indices=True
        )
        mine = known[box] == FREE - 1 - number
        owner[box][mine] = near[tuple(found)][mine]


def _boxes(gaps: Pieces, size: tuple[int, ...]) -> np.ndarray:
    """Top, bottom, left and right (4, P) of each gap with a pixel around it, ends exclusive."""
    rows, columns = np.divmod(gaps.starts, size[1])
    boxes = np.empty((4, len(gaps)), np.intp)
    for side, of, values, start in (
        (0, np.minimum, rows - 1, size[0]),
        (1, np.maximum, rows + 2, 0),
        (2, np.minimum, columns - 1, size[1]),
        (3, np.maximum, columns + gaps.lengths + 1, 0),
    ):
        boxes[side] = start
        of.at(boxes[side], gaps.piece, values)
    return np.clip(boxes, 0, np.array([size[0], size[0], size[1], size[1]])[:, None])


def nearby(radius: int) -> list[tuple[int, int, int]]:
    """Squared distance, columns and rows to go to all that may be the nearest of what lies in a
    square of ``2 radius + 1`` pixels, the first to be asked first."""
    most = 2 * radius**2
    steps = range(-int(most**0.5), int(most**0.5) + 1)
    return sorted((x * x + y * y, x, y) for x in steps for y in steps if 0 < x * x + y * y <= most)


def _nearest(
    known: np.ndarray, places: np.ndarray, gap_of: np.ndarray, boxes: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest group (M,) of each pixel in a gap, by going outwards, and which pixels (K,) can't
    be settled so: an earlier gap, which will be filled before, is as near, or nobody is.

    A square of ``2 radius + 1`` pixels around a pixel in a gap is not all free.
    """
    rows, columns = np.divmod(places, known.shape[1])
    top, bottom, left, right = boxes[:, gap_of]
    flat = known.reshape(-1)
    nearest = np.full(len(places), FREE, np.int32)
    unsure = []
    open = np.arange(len(places))
    for _, x, y in nearby(radius):
        row, column = rows[open] + y, columns[open] + x
        inside = (row >= top[open]) & (row < bottom[open])
        inside &= (column >= left[open]) & (column < right[open])
        there = np.full(len(open), FREE, np.int32)
        there[inside] = flat[row[inside] * known.shape[1] + column[inside]]
        earlier = (there < FREE) & (there > FREE - 1 - gap_of[open])
        unsure.append(open[earlier])
        nearest[open] = there
        open = open[(there <= FREE) & ~earlier]
        if not len(open):
            break
    return nearest, np.concatenate([*unsure, open])


def _wide(mask: np.ndarray, radius: int) -> np.ndarray:
    """The parts of a mask that a square of ``2 radius + 1`` pixels fits into (an opening).

    The mask is taken to go on beyond the edges of the picture.
    """
    core = _squares(mask, radius, np.logical_and)
    return _squares(core, radius, np.logical_or) & mask


def _squares(mask: np.ndarray, radius: int, of: np.ufunc) -> np.ndarray:
    """``of`` all pixels in the square around each. Beyond an edge they are as on it."""
    for axis in (0, 1):
        first, last = (np.take(mask, [edge], axis) for edge in (0, -1))
        mask = np.concatenate([*[first] * radius, mask, *[last] * radius], axis)
        width = 1
        while width < 2 * radius + 1:
            step = min(width, 2 * radius + 1 - width)
            length = mask.shape[axis] - step
            one, other = (
                mask[start : start + length] if axis == 0 else mask[:, start : start + length]
                for start in (0, step)
            )
            mask = of(one, other)
            width += step
    return mask
