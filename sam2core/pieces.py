"""Connected pieces of label maps, by runs.

A row of a map is a few runs of equal pixels. Looking for pieces among runs instead of pixels takes
a pass of comparisons over the map, and all else is done on some thousand runs, for all labels and a
whole stack of maps at once. (Run-based labelling: L. He, Y. Chao and K. Suzuki, "A Run-Based
Two-Scan Labeling Algorithm", IEEE Transactions on Image Processing 17(5), 2008; the equivalences
are left to SciPy's graphs.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a map (H, W) or a stack of maps (N, H, W); diagonals connect.

    Of each of R runs, in the order of pixels: ``starts`` (R,) is the place of its first pixel in
    the flat map, ``lengths`` (R,) its pixels, ``labels`` (R,) their label, and ``piece`` (R,) the
    number of its piece. Pieces are numbered from 0 by their first pixels; ``areas`` (P,) are their
    pixels.
    """

    starts: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    piece: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, background: int | None = None) -> Pieces:
        """The pieces of all labels but ``background``."""
        starts, lengths, values = _runs(labels, background)
        rows = _Rows.of(starts, lengths, labels.shape[-2], labels.shape[-1])
        upper, lower = rows.touching(np.arange(len(starts)), 1)
        same = values[upper] == values[lower]
        piece = _connected(upper[same], lower[same], len(starts))
        areas = np.bincount(piece, weights=lengths).astype(np.int64)
        return cls(starts, lengths, values, piece, areas)

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def label_of(self) -> np.ndarray:
        """The label of each piece (P,)."""
        label_of = np.empty(len(self), self.labels.dtype)
        label_of[self.piece[::-1]] = self.labels[::-1]
        return label_of

    def places(self) -> np.ndarray:
        """The places in the flat map of the pixels of all pieces, in order."""
        return spread(self.starts, self.lengths)

    def pixels(self, pieces: np.ndarray) -> np.ndarray:
        """The places in the flat map of all pixels of some pieces, bool (P,), in order."""
        chosen = pieces[self.piece]
        return spread(self.starts[chosen], self.lengths[chosen])


def spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Counts on from each start: 5, 6, 7, 20, 21 of starts 5 and 20 and lengths 3 and 2."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def small_pieces(masks: np.ndarray, max_area: int) -> np.ndarray:
    """The flat places, in no order, of all pixels in pieces of at most ``max_area`` pixels of masks
    (N, h, w), bool, but for pieces that are all of a mask; diagonals connect.

    No run of theirs is longer than that, and none touches a longer one, so few are looked at.
    """
    starts, lengths, _ = _runs(masks, 0)
    rows = _Rows.of(starts, lengths, masks.shape[-2], masks.shape[-1])
    short = np.flatnonzero(lengths <= max_area)
    number = np.full(len(starts), -1)
    number[short] = np.arange(len(short))
    upper, below = rows.touching(short, 1)
    lower, above = rows.touching(short, -1)
    beside = np.append(upper[number[below] < 0], lower[number[above] < 0])
    both = number[below] >= 0
    piece = _connected(number[upper[both]], number[below[both]], len(short))
    areas = np.bincount(piece, weights=lengths[short])
    small = (areas <= max_area) & (areas < masks[0].size)
    small[piece[number[beside]]] = False
    chosen = short[small[piece]]
    return spread(starts[chosen], lengths[chosen])


def _runs(labels: np.ndarray, background: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First places, lengths and labels of all runs but those of the ``background``."""
    flat, width = labels.reshape(-1), labels.shape[-1]
    begins = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    starts = np.flatnonzero(begins)
    values = flat[starts]
    lengths = np.diff(starts, append=flat.size)
    if background is None:
        return starts, lengths, values
    kept = values != background
    return starts[kept], lengths[kept], values[kept]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Where runs begin and end, as if rows were two pixels wider and maps a row higher, so that an
    end never meets a beginning."""

    first: np.ndarray
    last: np.ndarray
    width: int

    @classmethod
    def of(cls, starts: np.ndarray, lengths: np.ndarray, height: int, width: int) -> _Rows:
        row = starts // width
        first = starts + 2 * row + row // height * (width + 2)
        return cls(first, first + lengths, width + 2)

    def touching(self, runs: np.ndarray, down: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (P,) of some runs and all that touch them in the row below, or above (-1)."""
        by = down * self.width
        low = np.searchsorted(self.last, self.first[runs] + by)
        counts = np.searchsorted(self.first, self.last[runs] + by, "right") - low
        return np.repeat(runs, counts), spread(low, counts)


def _connected(upper: np.ndarray, lower: np.ndarray, count: int) -> np.ndarray:
    """The number of the piece of each of ``count`` runs, of which these touch; ``upper`` rises."""
    ends = np.searchsorted(upper, np.arange(count + 1))
    graph = csr_array((np.ones(len(lower)), lower, ends), (count, count))
    return connected_components(graph, directed=False)[1]
