"""Which word stands where which is right, in pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from panoptic.measure.pq import VOID, Overlaps

NOTHING = ""
"""The name of what has no label."""


@dataclass
class WordConfusion:
    """Pixels by (true word, word of the label); ``NOTHING`` for what has none. Where the truth says
    nothing, nothing is counted."""

    pixels: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, overlaps: Overlaps, true: Mapping[int, str], found: Mapping[int, str]) -> None:
        """One picture: names by segment id, of the truth and of the label."""
        for (t, p), count in overlaps.pixels.items():
            if t != VOID and t in true:
                self.pixels[true[t], found.get(p, NOTHING)] += count

    def words(self, most: int) -> list[str]:
        """The words of which there is most, in the truth or wrongly in labels."""
        weights: Counter[str] = Counter()
        for (true, found), count in self.pixels.items():
            weights[true] += count
            if found not in (true, NOTHING):
                weights[found] += count
        return [word for word, _ in weights.most_common(most)]

    def shares(self, words: Sequence[str]) -> list[list[float]]:
        """For each true word the shares of its pixels by these words, all others, and nothing."""
        rows = []
        for true in words:
            row = {found: n for (t, found), n in self.pixels.items() if t == true}
            total = sum(row.values())
            named = [row.get(word, 0) for word in words]
            nothing = row.get(NOTHING, 0)
            counts = [*named, total - sum(named) - nothing, nothing]
            rows.append([n / total if total else 0.0 for n in counts])
        return rows
