"""The true shapes of a frame on one grid, and how stand-ins make masks of them with errors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from benchmarks.standins.truth import TrueFrame

GRID = 512
"""Truth is looked at on a square of so many cells, stretched over the picture as SAM 2's input is.
Two of them are one of its logits, so that outlines are known by half of such a cell."""
SIDE = GRID // 2
"""Logits are so wide and high: a quarter of the 1024 pixels that public models look at."""
_FAR = 1e-6  # probabilities are kept this far from 0 and 1 before their log-odds are taken

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected part of a segment, or of what has no label (``id`` 0): ``number`` is its value in
    ``Shapes.pieces``, ``box`` is xyxy in cells, right and bottom exclusive."""

    number: int
    id: int
    area: int
    box: Box


class Shapes:
    """Segments of a frame, their pieces and their neighbours, on the grid."""

    def __init__(self, frame: TrueFrame) -> None:
        self.frame = frame
        self.ids = to_grid(frame.truth.ids)
        """The truth's id map (GRID, GRID)."""
        self._categories = {s.id: (s.category_id, s.is_thing) for s in frame.truth}

    def of(self, ids: Collection[int]) -> np.ndarray:
        """The cells of these segments, bool (GRID, GRID)."""
        if len(ids) == 1:
            return self.ids == next(iter(ids))
        return np.isin(self.ids, list(ids))

    @cached_property
    def areas(self) -> dict[int, int]:
        """Cells of every segment that has any."""
        listed, places = self._places
        counts = np.bincount(places.ravel(), minlength=len(listed))
        return {int(listed[n]): int(counts[n]) for n in np.flatnonzero(counts) if listed[n]}

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """0 and the ids that the picture has, rising, and the place of each cell's among them."""
        listed = np.array(sorted({0, *self._categories}))
        return listed, np.searchsorted(listed, self.ids)

    @cached_property
    def pieces(self) -> np.ndarray:
        """The number of the piece of every cell (GRID, GRID), from 0."""
        self._find_pieces()
        return self._piece_map

    @cached_property
    def piece_list(self) -> list[Piece]:
        self._find_pieces()
        return self._pieces

    def _find_pieces(self) -> None:
        if hasattr(self, "_pieces"):
            return
        listed, places = self._places
        self._piece_map = np.zeros(self.ids.shape, np.int64)
        self._pieces: list[Piece] = []
        for number, window in enumerate(ndimage.find_objects(places + 1)):
            if window is None:
                continue
            inside = places[window] == number
            labels, _ = ndimage.label(inside)
            first = len(self._pieces)
            self._piece_map[window][inside] = labels[inside] + first - 1
            areas = np.bincount(labels.ravel())[1:]
            top, left = window[0].start, window[1].start
            for n, part in enumerate(ndimage.find_objects(labels)):
                box = (
                    *(left + part[1].start, top + part[0].start),
                    *(left + part[1].stop, top + part[0].stop),
                )
                self._pieces.append(Piece(first + n, int(listed[number]), int(areas[n]), box))

    @cached_property
    def borders(self) -> dict[int, dict[int, int]]:
        """Of every segment those that touch it, with the cells along which they do."""
        found: dict[int, dict[int, int]] = {}
        listed, places = self._places
        many = len(listed)
        for one, other in (
            (places[:, :-1], places[:, 1:]),
            (places[:-1], places[1:]),
        ):
            meet = (one != other) & (one > 0) & (other > 0)
            pairs, counts = np.unique(one[meet] * many + other[meet], return_counts=True)
            for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
                a, b = (int(listed[n]) for n in divmod(pair, many))
                for here, there in ((a, b), (b, a)):
                    touching = found.setdefault(here, {})
                    touching[there] = touching.get(there, 0) + count
        return found

    def is_thing(self, id: int) -> bool:
        return id in self._categories and self._categories[id][1]

    def category(self, id: int) -> int | None:
        return self._categories[id][0] if id in self._categories else None

    def neighbour(self, id: int, without: Collection[int] = ()) -> int | None:
        """The segment that touches this one along most cells, look-alikes (of its category) before
        others, none of ``without`` (ids)."""
        touching = self.borders.get(id, {})
        free = [i for i in touching if i not in without]
        return max(
            free,
            key=lambda i: (self.category(i) == self.category(id), touching[i], -i),
            default=None,
        )

    def box(self, id: int) -> Box | None:
        """xyxy in cells, right and bottom exclusive; None for what has no cell."""
        boxes = [p.box for p in self.piece_list if p.id == id]
        return around(boxes) if boxes else None

    def part(self, inside: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """About a third of a mask (GRID, GRID), the one at ``points`` (K, 2), as (x, y) in cells:
        what a click on a wheel may get of a car."""
        ys, xs = np.nonzero(inside)
        if len(ys) < 3:
            return inside
        chosen = rng.choice(len(ys), 3, replace=False)
        anchors = np.stack([xs[chosen], ys[chosen]], axis=1)
        cells = np.stack([xs, ys], axis=1)
        nearest = ((cells[:, None] - anchors) ** 2).sum(-1).argmin(1)
        at = ((points[:, None] - anchors) ** 2).sum(-1).argmin(1)
        kept = nearest == np.bincount(at, minlength=3).argmax()
        part = np.zeros_like(inside)
        part[ys[kept], xs[kept]] = True
        return part


def around(boxes: Sequence[Box]) -> Box:
    """The box around boxes."""
    corners = np.array(boxes)
    low, high = corners[:, :2].min(0), corners[:, 2:].max(0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def to_logits(mask: np.ndarray, edge: float = 0.0, height: float = 10.0) -> np.ndarray:
    """A mask (GRID, GRID) as logits float32 (SIDE, SIDE): ``height`` far inside, as much below zero
    far outside, rising over about ``edge`` cells (the deviation of a Gauss) at the outline."""
    cells = mask.view(np.uint8)
    sums = cells[::2, ::2] + cells[1::2, ::2] + cells[::2, 1::2] + cells[1::2, 1::2]
    if edge <= 0:  # few values, so their logits are looked up
        return _log_odds(np.arange(5, dtype=np.float32) / 4, height)[sums]
    return _log_odds(ndimage.gaussian_filter(sums.astype(np.float32) / 4, edge), height)


def _log_odds(cover: np.ndarray, height: float) -> np.ndarray:
    kept = np.clip(cover, _FAR, 1 - _FAR)
    return np.clip(np.log(kept / (1 - kept)), -height, height).astype(np.float32)


def to_grid(mask: np.ndarray) -> np.ndarray:
    """A mask bool (H, W) of any size on the grid: the nearest pixel of each cell's centre."""
    rows = ((np.arange(GRID) + 0.5) * mask.shape[0] / GRID).astype(int)
    columns = ((np.arange(GRID) + 0.5) * mask.shape[1] / GRID).astype(int)
    return mask[rows[:, None], columns]


def displaced(mask: np.ndarray, amplitude: float, rng: np.random.Generator) -> np.ndarray:
    """A mask (GRID, GRID) with its outline moved, smoothly and by about ``amplitude`` cells."""
    if amplitude <= 0 or not mask.any():
        return mask
    ys, xs = np.nonzero(mask)
    far = int(np.ceil(3 * amplitude)) + 1
    top, bottom = max(0, ys.min() - far), min(mask.shape[0], ys.max() + 1 + far)
    left, right = max(0, xs.min() - far), min(mask.shape[1], xs.max() + 1 + far)
    shape = (int(bottom - top), int(right - left))
    rough = rng.standard_normal((2, 5, 5)).clip(-2, 2)
    fields = _between(shape[0], 5) @ rough @ _between(shape[1], 5).T
    rows, columns = np.indices(shape)
    rows = np.clip(np.rint(rows + top + amplitude * fields[0]).astype(int), 0, GRID - 1)
    columns = np.clip(np.rint(columns + left + amplitude * fields[1]).astype(int), 0, GRID - 1)
    moved = np.zeros_like(mask)
    moved[top:bottom, left:right] = mask[rows, columns]
    return moved


def _between(count: int, knots: int) -> np.ndarray:
    """Weights (count, knots) that go evenly from knot to knot over so many cells."""
    at = np.clip((np.arange(count) + 0.5) * knots / count - 0.5, 0, knots - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(knots)))


def disc(centre: np.ndarray, radius: float) -> np.ndarray:
    """A disc, bool (GRID, GRID), about (x, y) in cells."""
    ys, xs = np.ogrid[:GRID, :GRID]
    return (xs - centre[0]) ** 2 + (ys - centre[1]) ** 2 <= radius**2


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Of two masks of one shape; 1 for two empty ones."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0
