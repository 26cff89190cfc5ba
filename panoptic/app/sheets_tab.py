"""Sheets: what a labelled data set comes to, drawn."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panoptic.app.given import Given
from panoptic.dataset.sheet_numbers import SheetNumbers, sheet_numbers
from panoptic.dataset.store import MANIFEST, DatasetStore
from panoptic.explore.drawn import color_of
from panoptic.measure.confusion import NOTHING
from panoptic.show import charts

_CLASSES = 40
_WORDS = 14
"""Words of the confusion: more can't be read."""


class SheetsTab:
    """What the tab *Sheets* asks for. Numbers are gathered beside the page, which asks again."""

    def __init__(self, given: Given, truth: Path | None) -> None:
        self._given = given
        self._truth = truth
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._progress: tuple[int, int | None] = (0, None)
        self._drawn: dict[str, Any] | None = None

    def draw(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The sheets as they are now, or how far they are; with ``anew`` they are made anew."""
        if not (self._given.out / MANIFEST).is_file():
            return {"there": False}
        with self._lock:
            if asked.get("anew") and self._worker is None:
                self._drawn = None
            if self._drawn is None and self._worker is None:
                self._worker = threading.Thread(target=self._gather, daemon=True)
                self._worker.start()
            if self._drawn is None:
                done, total = self._progress
                return {"there": True, "ready": False, "done": done, "total": total}
            return {"there": True, "ready": True, **self._drawn}

    def _gather(self) -> None:
        sheets: list[dict[str, str]] = []
        try:
            # Its own connection, so that reviewing goes on meanwhile.
            with DatasetStore.open(self._given.out) as store:
                numbers = sheet_numbers(store, self._truth, self._tell)
                sheets, told = sheets_of(numbers, store), _told(numbers)
        except (ValueError, OSError) as error:
            told = str(error)
        with self._lock:
            self._drawn, self._worker = {"sheets": sheets, "told": told}, None

    def _tell(self, done: int, total: int | None) -> None:
        self._progress = done, total


def sheets_of(numbers: SheetNumbers, store: DatasetStore) -> list[dict[str, str]]:
    """The drawings, each with its title and what there is to say of it."""
    found = [_counts(numbers, store), _qualities(numbers)]
    if numbers.report is not None:
        found.append(_pq(numbers, store))
    if len(numbers.reliability):
        error = f"expected calibration error {numbers.reliability.error:.3f}"
        found.append(
            _sheet(
                "Is the quality right?",
                f"{error}, {len(numbers.reliability)} segments; on the dashed line a quality is "
                "the share that is right",
                charts.reliability(
                    [
                        charts.Point(each.quality, each.right, each.count)
                        for each in numbers.reliability.bins
                        if each is not None
                    ]
                ),
            )
        )
    if words := numbers.confusion.words(_WORDS):
        shares = numbers.confusion.shares(words)
        found.append(
            _sheet(
                "Which word stands where which is right",
                "percent of the pixels of each true word (rows), by the word of the label",
                charts.matrix(words, [*words, "another", "nothing"], shares),
            )
        )
    return found


def _counts(numbers: SheetNumbers, store: DatasetStore) -> dict[str, str]:
    found = [
        (store.vocabulary.by_id(id).name, c)
        for id, c in numbers.statistics.categories.items()
        if id in store.vocabulary
    ]
    found.sort(key=lambda each: -each[1].segments)
    most = max((c.segments for _, c in found), default=1)
    rows = [
        charts.Bar(name, c.segments / most, f"{c.segments} in {c.items}", _hex(store, name))
        for name, c in found[:_CLASSES]
    ]
    more = f", the first {_CLASSES} of {len(found)} words" if len(found) > _CLASSES else ""
    return _sheet(
        "How many of each word", f"segments, and labels they are in{more}", charts.bars(rows)
    )


def _qualities(numbers: SheetNumbers) -> dict[str, str]:
    histogram = numbers.statistics.item_qualities
    mean = f"mean {histogram.mean:.2f}" if len(histogram) else "nobody judged"
    return _sheet("Quality of the labels", mean, charts.columns(histogram.counts))


def _pq(numbers: SheetNumbers, store: DatasetStore) -> dict[str, str]:
    report = numbers.report
    assert report is not None
    rows = [
        charts.Bar(name, quality.pq, f"{quality.pq * 100:.1f}", _hex(store, name))
        for name, quality, _ in report.rows()
    ]
    head, rest = rows[:3], sorted(rows[3:], key=lambda row: -row.share)
    return _sheet(
        "PQ against the truth",
        f"{report.images} pictures; SQ {report.all.sq * 100:.1f}, RQ {report.all.rq * 100:.1f}",
        charts.bars([*head, *rest[:_CLASSES]]),
    )


def _sheet(title: str, told: str, svg: str) -> dict[str, str]:
    return {"title": title, "told": told, "svg": svg}


def _told(numbers: SheetNumbers) -> str:
    by = "the ground truth" if numbers.report is not None else "what was accepted and corrected"
    judged = f"{numbers.judged} pictures or frames are compared with {by}. "
    if not numbers.judged and numbers.report is None:
        judged = (
            "Nothing is accepted or corrected yet. What is stands for the truth here: by it the "
            "quality and the words are compared (or by --truth FILE). "
        )
    return judged + " ".join(f"{note}." for note in numbers.notes)


def _hex(store: DatasetStore, name: str) -> str:
    if name not in store.vocabulary or name == NOTHING:
        return "#7b8794"
    return "#{:02x}{:02x}{:02x}".format(*color_of(store.vocabulary, name))
