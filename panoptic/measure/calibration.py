"""Is a quality the probability that a segment is right? Reliability by bins, and its error.

The expected calibration error is that of Naeini et al. (AAAI 2015): the mean distance of a bin's
mean quality from the share that was right in it, weighted by how many are in the bin.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Segments of similar quality: how many, their mean quality, and the share that was right."""

    count: int
    quality: float
    right: float


@dataclass
class Reliability:
    """Qualities of segments with whether each was right, by equal bins of [0, 1]."""

    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    totals: list[float] = field(default_factory=lambda: [0.0] * BINS)
    rights: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, quality: float, is_right: bool) -> None:
        place = min(int(quality * BINS), BINS - 1)
        self.counts[place] += 1
        self.totals[place] += quality
        self.rights[place] += is_right

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def bins(self) -> list[ReliabilityBin | None]:
        """From the least quality on; None where there is nothing."""
        return [
            ReliabilityBin(n, total / n, right / n) if n else None
            for n, total, right in zip(self.counts, self.totals, self.rights, strict=True)
        ]

    @property
    def error(self) -> float:
        """The expected calibration error; nan where there is nothing."""
        if not len(self):
            return float("nan")
        off = sum(each.count * abs(each.quality - each.right) for each in self.bins if each)
        return off / len(self)
