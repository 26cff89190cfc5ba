"""The contest of ``contest`` for many masks of one resolution that all claim with the same weight.

Between four samples a mask is neither above the highest of them nor below the lowest. So in most
cells one mask beats all others whatever the pixel, and only the rest, those that an outline goes
through, are looked at pixel by pixel. The map is the same to the pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from panoptic.compose.cells import Grid
from panoptic.compose.cleanup import FREE

_NEAR, _SURE = 0.01, 9.0
"""Logits that differ may have one probability in float32, if they are as near as this, or both as
high as this."""
_BATCH = 2048  # cells at a time, so that what is computed of them stays in the cache


def settle_cells(
    masks: Sequence[np.ndarray],
    per_logit: float,
    rounds: Sequence[tuple[Sequence[int], float]],
    size: tuple[int, int],
    least_pixels: float,
) -> np.ndarray:
    """``contest.settle`` for N >= 1 masks (h, w) int8 of one resolution."""
    samples = np.stack(masks)
    grid = Grid.of((samples.shape[1], samples.shape[2]), size)
    flat = np.full(size[0] * size[1] + 1, FREE, np.int16)  # the last is no pixel
    owner = flat[:-1].reshape(size)
    whole = np.full(grid.samples, FREE, np.int16)
    torn = np.zeros(grid.samples, bool)
    for members, least in rounds:
        level, free = least * per_logit, whole == FREE
        contest = _Contest(samples, list(members), level, per_logit, grid, free, torn)
        stay = contest.enough(least_pixels, flat)
        if len(stay) < len(members):
            contest = _Contest(samples, stay, level, per_logit, grid, free, torn)
        whole = np.maximum(whole, contest.whole)
        flat[contest.places] = contest.after(flat)
        torn.reshape(-1)[contest.cells] = True
    return np.maximum(owner, grid.stretch(whole), out=owner)


class _Contest:
    """One round, among the ``members`` of masks ``samples`` (N, h, w), in the cells that are
    ``free`` (h, w). In those of them that are ``torn`` (h, w), pixels are already given away.

    ``whole`` (h, w) is who has all of a cell; ``cells`` (C,) are the flat places of the others that
    somebody claims, and ``owner`` (A, B, C) who has their pixels, which lie at ``places``.
    """

    def __init__(
        self,
        samples: np.ndarray,
        members: list[int],
        level: float,
        per_logit: float,
        grid: Grid,
        free: np.ndarray,
        torn: np.ndarray,
    ) -> None:
        self.samples, self.grid = samples, grid
        self.members, self.level, self.per_logit = members, level, per_logit
        self.whole = np.full(grid.samples, FREE, np.int16)
        level = int(np.floor(level))  # a sample is above the one where it is above the other
        taking_part = samples[members]
        highest, lowest = (_corners(taking_part, of) for of in (np.maximum, np.minimum))
        (best, second), surest = _two_highest(highest), lowest.max(0, initial=-128)
        claimed = free & (best > level) & bool(members)
        sure = second <= _SURE * per_logit
        beaten = claimed & sure & (surest > level) & (surest > second)
        number = np.array(members, np.int16)
        # One has all of a cell, be it whole or what others have left of it.
        rank, cell = _reached(lowest, surest, beaten)
        rest = torn.reshape(-1)[cell]
        self.whole.reshape(-1)[cell[~rest]] = number[rank[~rest]]
        pixels = grid.pixels.reshape(-1)[cell[~rest]]
        self.all_over = np.bincount(rank[~rest], pixels, len(members))  # of whole cells
        # Of the others, who is below another one all over a cell needn't be asked.
        open = claimed & ~beaten
        least = np.maximum(np.where(sure, surest, -128), min(max(level + 1, -128), 127))
        asked, where = _reached(highest, least.astype(np.int8), open)
        times = np.bincount(where, minlength=free.size)
        cells = np.flatnonzero(open)
        cells = cells[np.argsort(-times[cells], kind="stable")]
        position = np.empty(free.size, np.intp)
        position[cells] = np.arange(len(cells))
        turns = _turns(number[asked], position[where], len(cells))
        self.cells = np.append(cells, cell[rest])
        self.places = grid.places(self.cells)
        self.is_torn = bool(torn.any())
        self.owner = np.empty((*grid.slots, len(self.cells)), np.int16)
        self.owner[..., len(cells) :] = number[rank[rest]]
        self._fight(cells, turns, sure.reshape(-1)[cells])

    def enough(self, least_pixels: float, before: np.ndarray) -> list[int]:
        """The members that have so many pixels, without those of the flat map ``before``."""
        visible = self.all_over
        if (visible < least_pixels).any():
            own = self.after(before)[self.places < before.size - 1]
            counts = np.bincount(own + 1, minlength=len(self.samples) + 1)
            visible = visible + counts[1:][self.members]
        return [
            m for m, pixels in zip(self.members, visible, strict=True) if pixels >= least_pixels
        ]

    def after(self, before: np.ndarray) -> np.ndarray:
        """Who has the pixels of ``cells`` (A, B, C), where what somebody has in the flat map
        ``before`` stays so."""
        if not self.is_torn:
            return self.owner
        had = before[self.places]
        return np.where(had == FREE, self.owner, had)

    def _fight(self, cells: np.ndarray, turns: np.ndarray, sure: np.ndarray) -> None:
        """Settles the first of ``cells``, given who is asked (T, C), see ``_turns``, and in which
        (C,) no two masks are so high that their probabilities are equal."""
        samples, flat = self.whole.size, self.samples.reshape(-1)
        for start in range(0, len(cells), _BATCH):
            part = np.s_[start : min(start + _BATCH, len(cells))]
            has, best = self.owner[..., part], np.empty(0)
            counts = np.count_nonzero(turns[:, part] != FREE, 1)  # the first of the cells each time
            for now, count in enumerate(counts[counts > 0].tolist()):
                asked, who = cells[start : start + count], turns[now, start : start + count]
                values = self.grid.between(flat, who.astype(np.intp) * samples + asked, asked)
                if now == 0:
                    has[:] = np.where(values > self.level, who, FREE)
                    best = np.maximum(values, np.float32(self.level))
                    continue
                highest, owns = best[..., :count], has[..., :count]
                wins = self._wins(values, highest, owns, bool(sure[part].all()))
                np.copyto(owns, who, where=wins)
                np.maximum(highest, values, out=highest)

    def _wins(
        self, values: np.ndarray, best: np.ndarray, has: np.ndarray, sure: bool
    ) -> np.ndarray:
        """Where values beat the best so far. A higher logit doesn't where the probability is the
        same, in float32."""
        ahead = values - best
        wins = ahead > 0
        near = ahead < _NEAR * self.per_logit
        if not sure:
            near |= best > _SURE * self.per_logit
        near &= wins
        places = np.unravel_index(np.flatnonzero(near), near.shape)  # quicker than nonzero
        theirs, mine = best[places], values[places]
        logit = np.float32(self.per_logit)
        wins[places] = (has[places] == FREE) | (expit(mine / logit) > expit(theirs / logit))
        return wins


def _corners(samples: np.ndarray, of: np.ufunc) -> np.ndarray:
    """The highest or lowest of the four corners of each cell, (N, h, w)."""
    sides, corners = np.empty_like(samples), np.empty_like(samples)
    of(samples[:, :-1], samples[:, 1:], out=sides[:, :-1])
    sides[:, -1] = samples[:, -1]
    flat = sides.reshape(-1)  # in one go, and what is taken of the next row is put right
    of(flat[:-1], flat[1:], out=corners.reshape(-1)[:-1])
    corners[:, :, -1] = sides[:, :, -1]
    return corners


def _two_highest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest and the second (h, w) of values (N, h, w), int8."""
    best = np.full(values.shape[1:], -128, np.int8)
    second = best.copy()
    for each in values:
        np.maximum(second, np.minimum(best, each), out=second)
        np.maximum(best, each, out=best)
    return best, second


def _reached(
    values: np.ndarray, least: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of values (N, h, w) are ``least`` (h, w) or more in ``cells`` (h, w), all but the last
    int8: their numbers and flat cells (P,), by numbers."""
    # Hardly a value elsewhere comes to 127, so that comparing once leaves few to be looked at.
    flags = values >= np.where(cells, least, np.int8(127))
    places = np.flatnonzero(flags)
    ends = np.searchsorted(places, np.arange(len(values) + 1) * cells.size)
    number = np.repeat(np.arange(len(values)), np.diff(ends))
    cell = places - number * cells.size
    kept = cells.reshape(-1)[cell]
    return number[kept], cell[kept]


def _turns(who: np.ndarray, cell: np.ndarray, count: int) -> np.ndarray:
    """Who is asked first, second, ... (T, C) in each of ``count`` cells, -1 where nobody is: of
    pairs in the order of who."""
    small = np.uint16 if count <= 65536 else np.intp  # these are sorted by counting
    order = np.argsort(cell.astype(small), kind="stable")
    who, cell = who[order], cell[order]
    asked = np.bincount(cell, minlength=count)
    turn = np.arange(len(cell)) - (np.cumsum(asked) - asked)[cell]
    turns = np.full((int(asked.max(initial=0)), count), FREE, np.int16)
    turns[turn, cell] = who
    return turns
