"""Train, val and test: which split an item is in, from its content alone, and none left empty."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise

from panoptic.results.labelled import SPLITS, Split

_NEAREST = 3
"""So many contents are kept of each split for each other: more are never lent."""


@dataclass(frozen=True)
class SplitShares:
    """How much of a data set each split gets, about; 0: that split isn't asked for."""

    train: float = 0.8
    val: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        shares = [getattr(self, f.name) for f in fields(self)]
        if min(shares) < 0 or not 0.999 < sum(shares) < 1.001:
            raise ValueError(f"shares of train, val and test must add up to 1, got {self}")

    @classmethod
    def parse(cls, text: str) -> SplitShares:
        """From "train=0.8,val=0.2" or, in percent, "train=80,val=20"; what isn't named gets none.

        Raises ``ValueError``.
        """
        shares = dict.fromkeys(SPLITS, 0.0)
        named = set()
        for part in text.split(","):
            found = re.fullmatch(r"\s*(\w+)\s*=\s*(\d+\.?\d*|\.\d+)\s*%?\s*", part)
            if found is None or found[1] not in SPLITS or found[1] in named:
                raise ValueError(
                    f"shares are written like train=0.8,val=0.1,test=0.1, got {part.strip()!r} "
                    f"in {text!r}"
                )
            named.add(found[1])
            shares[found[1]] = float(found[2])  # type: ignore[index]
        total = sum(shares.values())
        if 99.9 < total < 100.1:
            shares = {name: share / 100 for name, share in shares.items()}
        elif not 0.999 < total < 1.001:
            raise ValueError(f"shares must add up to 1 (or to 100), those of {text!r} to {total:g}")
        return cls(**shares)

    @property
    def asked(self) -> tuple[Split, ...]:
        """The splits that get something."""
        return tuple(split for split in SPLITS if getattr(self, split) > 0)

    def of(self, content: str) -> Split:
        """The split of a content, by where its hash lies between 0 and 1."""
        place = place_of(content)
        for split, (start, end) in self.ranges().items():
            if start <= place < end:
                return split
        return self.asked[-1]  # shares of a little less than 1 in all

    def ranges(self) -> dict[Split, tuple[float, float]]:
        """Where each split that is asked for lies between 0 and 1."""
        ends = [0.0]
        for split in SPLITS:
            ends.append(ends[-1] + getattr(self, split))
        pairs = zip(SPLITS, pairwise(ends), strict=True)
        return {split: (start, end) for split, (start, end) in pairs if end > start}


@dataclass(frozen=True)
class Splits:
    """The split of every content: by its hash, but for those that are lent to an empty split.

    Copies of one picture are always in the same split. Nobody changes theirs when items are added,
    renamed or taken away, but for what is lent: a split that would have nothing gets the content
    whose hash lies nearest to its range, of another split that has two or more (or of a later one:
    train comes first). As others come, lent ones may go back; none that was in train leaves it for
    that, as long as train has its own.
    """

    shares: SplitShares = field(default_factory=SplitShares)
    lent: Mapping[str, Split] = field(default_factory=dict)

    @classmethod
    def of(cls, contents: Iterable[str], shares: SplitShares | None = None) -> Splits:
        """The splits of these contents (hashes, in any order); they are not kept in memory."""
        shares = shares or SplitShares()
        ranges = shares.ranges()
        nearest: dict[tuple[Split, Split], _Nearest] = {
            (own, other): _Nearest() for own in ranges for other in ranges if own != other
        }
        alone: dict[Split, set[str]] = {split: set() for split in ranges}
        for content in contents:
            own = shares.of(content)
            if len(alone[own]) < len(ranges):
                alone[own].add(content)
            for other in ranges:
                if other != own:
                    nearest[own, other].add(_distance(content, ranges[other]), content)
        # How many different contents each has, up to what matters.
        left = {split: len(found) for split, found in alone.items()}
        lent: dict[str, Split] = {}
        for rank, split in enumerate(ranges):
            if left[split]:
                continue
            # The last of a later split is taken as well: train comes before val, val before test.
            offers = [
                (left[own] == 1, distance, content, own)
                for place, own in enumerate(ranges)
                if own != split and (left[own] > 1 or (left[own] and place > rank))
                for distance, content in nearest[own, split].found()
                if content not in lent
            ]
            if offers:
                *_, content, own = min(offers)
                lent[content] = split
                left[own] -= 1
                left[split] += 1
        return cls(shares, lent)

    def split(self, content: str) -> Split:
        return self.lent.get(content) or self.shares.of(content)


class _Nearest:
    """The few contents of the least distance, each once."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def add(self, distance: float, content: str) -> None:
        entry = (-distance, content)
        if entry in self._heap:
            return
        heapq.heappush(self._heap, entry)
        if len(self._heap) > _NEAREST:
            heapq.heappop(self._heap)

    def found(self) -> list[tuple[float, str]]:
        return [(-distance, content) for distance, content in self._heap]


def place_of(content: str) -> float:
    """A hash of hexadecimal digits as a number from 0 to 1."""
    return int(content[:12], 16) / 16**12


def _distance(content: str, within: tuple[float, float]) -> float:
    place = place_of(content)
    return max(within[0] - place, place - within[1], 0.0)
