"""What things look like, and by how much one stands out: by the tracker's own image features.

How alike two looks at one thing are, and looks at two, differs among models and pictures. So no
likeness is enough by itself. What counts is that a thing is nearer to what is remembered of it than
whatever else is at hand: than others of its category, known ones and those in the frame, and than
pieces of the frame around it, of which there always are some (the ratio test of Lowe, "Distinctive
image features from scale-invariant keypoints", 2004, section 7.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from sam2core import Tracker

GRID = 4
"""Pieces of a frame along each side: fewer are poor rivals for what is alone in its frame."""
_LEFT = 0.3
"""Share of a piece that must be left beside a thing to show something else."""
VIEWS = 4
"""Looks at one thing that are remembered, as different as they come."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Looks at a frame: at ``things`` by their ids, (D,), and at the pieces of it that ``around``
    some of them show something else, (K, D)."""

    things: Mapping[int, np.ndarray] = field(default_factory=dict)
    around: Mapping[int, np.ndarray] = field(default_factory=dict)


def look_at(tracker: Tracker, found: PanopticSegmentation, sought: Collection[int]) -> Looks:
    """Look at the things that were found in the tracker's frame at hand, and around those of the
    categories ``sought``."""
    things = {s.id: tracker.describe(found.mask(s.id)) for s in found.things}
    asked = [s.id for s in found.things if s.category_id in sought]
    whole = list(_pieces(found.height, found.width)) if asked else []
    seen = [tracker.describe(piece) for piece in whole]
    around = {}
    for id in asked:
        others = [np.zeros((0, len(things[id])), np.float32)]
        for number, beside in _beside(found.mask(id), whole):
            untouched = beside is whole[number]
            others.append((seen[number] if untouched else tracker.describe(beside))[None])
        around[id] = np.concatenate(others)
    return Looks(things, around)


def margins(
    known: Sequence[np.ndarray], found: Sequence[np.ndarray], around: Sequence[np.ndarray]
) -> np.ndarray:
    """By how much each found thing is nearer to each known one, of the same category, than the
    nearest else is to either, as a share of the distance to that: (known, found). 1 is the same
    look, 0 and below is no nearer. Without anything else to compare with it is 0: that says
    nothing. ``known`` are views (V, D), of which the nearest counts; ``around`` are the pieces
    around each of ``found``, (K, D).
    """
    margin = np.zeros((len(known), len(found)))
    if not len(known) or not len(found):
        return margin
    seen = np.stack(found)
    apart = np.stack([distances(views, seen).min(axis=0) for views in known])
    for column, pieces in enumerate(around):
        to_found = distances(seen[column][None], pieces)[0]
        to_known = [distances(views, pieces).min(axis=0) for views in known]
        for row in range(len(known)):
            others = np.delete(apart[:, column], row), np.delete(apart[row], column)
            rivals = np.concatenate([*others, to_found, to_known[row]])
            nearest = float(rivals.min()) if len(rivals) else 0.0
            margin[row, column] = 1 - apart[row, column] / nearest if nearest > 0 else 0.0
    return margin


def rival_pieces(mask: np.ndarray) -> list[np.ndarray]:
    """The pieces of a frame that show something else than a mask, bool (H, W), does."""
    return [beside for _, beside in _beside(mask, list(_pieces(*mask.shape)))]


def _beside(mask: np.ndarray, whole: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Of some pieces what is beside a mask, where that is enough; the very ones where it isn't on
    them."""
    for number, piece in enumerate(whole):
        beside = piece & ~mask
        left, area = int(beside.sum()), int(piece.sum())
        if left >= _LEFT * area:
            yield number, piece if left == area else beside


def _pieces(height: int, width: int) -> Iterator[np.ndarray]:
    """A frame in parts, row by row: masks, bool (H, W)."""
    for rows in np.array_split(np.arange(height), GRID):
        for columns in np.array_split(np.arange(width), GRID):
            if len(rows) and len(columns):
                piece = np.zeros((height, width), bool)
                piece[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
                yield piece


def distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Between looks (N, D) and (M, D): (N, M), from 0 for the same on."""
    return np.sqrt(np.maximum(1 - ones.astype(np.float64) @ others.T.astype(np.float64), 0))


def with_view(views: np.ndarray | None, look: np.ndarray) -> np.ndarray:
    """Views (V, D) with another look (D,): once there are ``VIEWS``, in place of the nearest."""
    if views is None:
        return look[None]
    if len(views) < VIEWS:
        return np.concatenate([views, look[None]])
    nearest = int(distances(views, look[None])[:, 0].argmin())
    return np.concatenate([np.delete(views, nearest, axis=0), look[None]])
