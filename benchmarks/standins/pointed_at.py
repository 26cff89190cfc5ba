"""What a prompt points at in the truth: a part, a piece, a whole segment, or it and a neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from benchmarks.standins.shapes import GRID, Box, Shapes, around
from sam2core import Prompt
from sam2core.layers import resize

_STUFF_BOX, _PIECE_BOX, _PAIR_BOX, _VOID_BOX = 0.85, 0.98, 0.9, 0.5
"""What boxes count for that fit equally well: those of things most, as SAM 2 outlines objects."""
_FITS = 0.3
"""IoU with any of these from which on a box means it; another means what fills its middle."""
_FEW = 0.1
"""Share of the positive points from which on a piece that they are on is meant for sure."""


@dataclass(frozen=True, eq=False)
class Pointed:
    """One prompt in cells of the grid: points (K, 2) inside and outside as (x, y), a box xyxy, and
    an earlier mask, bool (GRID, GRID)."""

    inside: np.ndarray
    outside: np.ndarray
    box: Box | None = None
    before: np.ndarray | None = None

    @classmethod
    def of(cls, prompt: Prompt, row: int) -> Pointed:
        points, labels = prompt.points[row].numpy(), prompt.labels[row].numpy()
        corners = points[(labels == 2) | (labels == 3)].ravel().tolist()
        before = None
        if prompt.mask_logits is not None:
            before = (resize(prompt.mask_logits[row][None], (GRID, GRID))[0, 0] > 0).numpy()
        box = None if not corners else (corners[0], corners[1], corners[2], corners[3])
        return cls(points[labels == 1], points[labels == 0], box, before)


class Answer:
    """Three masks, bool (GRID, GRID): a part, the whole, and more than it. ``id`` is the segment
    that is most of the whole; 0 for what has no label."""

    def __init__(
        self,
        shapes: Shapes,
        pointed: Pointed,
        whole: np.ndarray,
        more: np.ndarray | None,
        rng: np.random.Generator,
    ) -> None:
        self.whole = whole
        self.id = _most(shapes.ids[whole])
        self._shapes, self._pointed, self._more, self._rng = shapes, pointed, more, rng

    @cached_property
    def part(self) -> np.ndarray:
        """Of several pieces the one with most points, of one a part."""
        points = self._pointed.inside
        at = points if len(points) else _middle(self.whole)
        numbers = np.unique(self._shapes.pieces[self.whole])
        on = self._shapes.pieces[_rows(at), _columns(at)]
        on = on[np.isin(on, numbers)]
        if len(numbers) > 1 and len(on):
            return self.whole & (self._shapes.pieces == _most(on))
        return self._shapes.part(self.whole, at, self._rng) if len(at) else self.whole

    @cached_property
    def more(self) -> np.ndarray:
        """What may be meant, too; if there is nothing, the neighbour with no point against it."""
        if self._more is not None and (self._more & ~self.whole).any():
            return self._more
        outside = self._pointed.outside
        off = set(self._shapes.ids[_rows(outside), _columns(outside)].tolist())
        beside = self._shapes.neighbour(self.id, off)
        return self.whole if beside is None else self.whole | (self._shapes.ids == beside)


def answer(shapes: Shapes, pointed: Pointed, rng: np.random.Generator) -> Answer:
    """What SAM 2 would give if it made no mistake.

    Points mean the pieces with more points inside than outside; of a few among many it isn't sure,
    and takes such pieces into the largest mask alone. A box means the segment, piece, or pair of
    touching things of one kind whose box fits best; one that fits none, what fills its middle.
    Points add to an earlier mask, and take away from it.
    """
    more = None
    if pointed.before is not None:
        whole = _refined(shapes, pointed, rng)
    elif len(pointed.inside):
        whole, more = _by_points(shapes, pointed)
    elif pointed.box is not None:
        whole = _taken_out(shapes, _by_box(shapes, pointed.box), pointed.outside)
    else:  # nothing but points outside: all but what they are on
        whole = _taken_out(shapes, np.ones((GRID, GRID), bool), pointed.outside)
    if pointed.box is not None and len(pointed.inside) and more is not None:
        window = _window(pointed.box, 0.1)
        whole, more = whole & window, more & window
    return Answer(shapes, pointed, whole, more, rng)


def _by_points(shapes: Shapes, pointed: Pointed) -> tuple[np.ndarray, np.ndarray]:
    """The pieces that are meant for sure, and all that may be meant."""
    count = len(shapes.piece_list)
    on = shapes.pieces[_rows(pointed.inside), _columns(pointed.inside)]
    off = shapes.pieces[_rows(pointed.outside), _columns(pointed.outside)]
    inside, outside = np.bincount(on, minlength=count), np.bincount(off, minlength=count)
    gain = inside - outside
    main = int(gain.argmax()) if gain.max() > 0 else int(inside.argmax())
    sure = (gain > 0) & (inside >= _FEW * len(on))
    sure[main] = True
    ids = {shapes.piece_list[n].id for n in np.flatnonzero(sure)} - {0}
    whole_segments = np.array([p.id in ids for p in shapes.piece_list])
    may = (gain > 0) | sure | (whole_segments & (outside == 0))
    return sure[shapes.pieces], may[shapes.pieces]


def _refined(shapes: Shapes, pointed: Pointed, rng: np.random.Generator) -> np.ndarray:
    mask = pointed.before
    assert mask is not None
    on = shapes.pieces[_rows(pointed.inside), _columns(pointed.inside)]
    mask = mask | np.isin(shapes.pieces, on)
    return _taken_out(shapes, mask, pointed.outside, pointed.inside, rng)


def _taken_out(
    shapes: Shapes,
    mask: np.ndarray,
    outside: np.ndarray,
    inside: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Without the pieces that points are on; of pieces with points of both kinds, a part of it."""
    kept = set() if inside is None else set(shapes.pieces[_rows(inside), _columns(inside)].tolist())
    for point in outside:
        row, column = _rows(point[None])[0], _columns(point[None])[0]
        piece = shapes.pieces == shapes.pieces[row, column]
        if shapes.pieces[row, column] in kept and rng is not None:
            piece = shapes.part(piece, point[None], rng)
        mask = mask & ~piece
    return mask


def _by_box(shapes: Shapes, box: Box) -> np.ndarray:
    candidates: list[tuple[float, tuple[int, ...]]] = []
    of_id: dict[int, list[int]] = {}
    for piece in shapes.piece_list:
        of_id.setdefault(piece.id, []).append(piece.number)
    boxes: dict[int, Box] = {}
    for id, numbers in of_id.items():
        pieces = [shapes.piece_list[n] for n in numbers]
        kind = _VOID_BOX if not id else 1.0 if shapes.is_thing(id) else _STUFF_BOX
        area = sum(p.area for p in pieces)
        if id:
            boxes[id] = around([p.box for p in pieces])
            candidates.append((kind * _agreement(boxes[id], box), tuple(numbers)))
        if len(pieces) > 1 or not id:
            candidates += [
                (kind * _PIECE_BOX * _agreement(p.box, box), (p.number,))
                for p in pieces
                if p.area >= 0.05 * area
            ]
    for one, other in combinations([i for i in boxes if shapes.is_thing(i)], 2):
        if other in shapes.borders.get(one, {}) and shapes.category(one) == shapes.category(other):
            both = around([boxes[one], boxes[other]])
            numbers = tuple(of_id[one] + of_id[other])
            candidates.append((_PAIR_BOX * _agreement(both, box), numbers))
    worth, best = max(candidates, key=lambda c: c[0])
    if worth < _FITS:
        middle = _window(box, -0.25)
        best = (_most(shapes.pieces[middle]),)
        return np.isin(shapes.pieces, best) & _window(box, 0.1)
    return np.isin(shapes.pieces, best)


def _agreement(one: Box, other: Box) -> float:
    """IoU of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return width * height / (sum(areas) - width * height)


def _window(box: Box, wider: float) -> np.ndarray:
    """A box as a mask, each side moved out by this share of the box's width or height."""
    dx, dy = wider * (box[2] - box[0]), wider * (box[3] - box[1])
    window = np.zeros((GRID, GRID), bool)
    left, top = max(0, int(np.floor(box[0] - dx))), max(0, int(np.floor(box[1] - dy)))
    right, bottom = int(np.ceil(box[2] + dx)), int(np.ceil(box[3] + dy))
    window[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    return window


def _middle(mask: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(mask)
    return np.array([[xs.mean(), ys.mean()]]) if len(ys) else np.zeros((0, 2))


def _most(numbers: np.ndarray) -> int:
    """The number that occurs most, the least of equals; 0 if there is none."""
    found, counts = np.unique(numbers, return_counts=True)
    return int(found[counts.argmax()]) if len(found) else 0


def _rows(points: np.ndarray | Sequence) -> np.ndarray:
    return np.clip(np.asarray(points, float).reshape(-1, 2)[:, 1].astype(int), 0, GRID - 1)


def _columns(points: np.ndarray | Sequence) -> np.ndarray:
    return np.clip(np.asarray(points, float).reshape(-1, 2)[:, 0].astype(int), 0, GRID - 1)
