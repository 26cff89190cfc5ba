"""Numbers of a labelled data set, gathered in one pass over the manifest."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from panoptic.dataset.store import DatasetStore
from panoptic.dataset.tasks import SegmentRecord
from panoptic.io.progress import Progress, shown
from panoptic.results.labelled import LabelledItem

BINS = 20


@dataclass
class Histogram:
    """Counts of values in [0, 1], in ``BINS`` equal bins; 1 belongs to the last."""

    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[min(int(value * BINS), BINS - 1)] += 1
        self.total += value

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """nan where there is nothing."""
        return self.total / len(self) if len(self) else float("nan")


@dataclass
class CategoryStatistics:
    """One category: how many segments in how many items, and their scores and qualities.

    ``share`` is the sum, over items, of the share of the picture that it covers.
    """

    segments: int = 0
    items: int = 0
    share: float = 0.0
    scores: Histogram = field(default_factory=Histogram)
    qualities: Histogram = field(default_factory=Histogram)


@dataclass
class Statistics:
    """Of a whole data set, as the models labelled it (before corrections)."""

    categories: dict[int, CategoryStatistics] = field(default_factory=dict)
    item_qualities: Histogram = field(default_factory=Histogram)
    kinds: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    items: int = 0
    empty: int = 0
    """Items without any segment."""
    unlabelled: float = 0.0
    """The mean share of a picture that has no label."""
    worst: list[LabelledItem] = field(default_factory=list)
    """Those of the least quality that nobody judged, the worst first."""

    @classmethod
    def of(
        cls, store: DatasetStore, worst: int = 24, *, progress: bool | Progress = True
    ) -> Statistics:
        """Reads the manifest once; memory does not grow with the number of items.

        ``progress`` shows a bar on a terminal; a callback in its place is called with the items
        read and their number.
        """
        statistics = cls()
        void, total = 0.0, len(store)

        def judged() -> Iterable[tuple[float, int, LabelledItem]]:
            nonlocal void
            for number, item in enumerate(store.items()):
                segments = store.segments(item.key)
                statistics._add(item, segments)
                void += 1 - sum(s.area for s in segments) / float(np.prod(item.size))
                if item.quality is not None and item.verdict is None:
                    yield item.quality, number, item
                tell(number + 1, total)

        with shown(progress, "items", total) as tell:
            found = judged()
            statistics.worst = [item for _, _, item in heapq.nsmallest(worst, found)]
            for _ in found:  # of none, none is asked for
                pass
        statistics.unlabelled = void / statistics.items if statistics.items else 0.0
        return statistics

    def _add(self, item: LabelledItem, segments: list[SegmentRecord]) -> None:
        self.items += 1
        self.kinds[item.kind] += 1
        self.splits[item.split] += 1
        if item.verdict is not None:
            self.verdicts[item.verdict] += 1
        if item.quality is not None:
            self.item_qualities.add(item.quality)
        self.empty += not segments
        pixels = float(np.prod(item.size))
        for s in segments:
            category = self.categories.setdefault(s.category_id, CategoryStatistics())
            category.segments += 1
            category.share += s.area / pixels
            category.scores.add(s.score)
            if s.quality is not None:
                category.qualities.add(s.quality)
        for id in {s.category_id for s in segments}:
            self.categories[id].items += 1
