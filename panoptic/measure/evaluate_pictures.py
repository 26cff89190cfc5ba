"""Evaluation of pictures against ground truth: the report, and results in memory.

The measure itself is in ``panoptic.measure.pq``; files are read by
``panoptic.measure.evaluate_coco``. A prediction's segments without a word ("unknown") count as
void: they were not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from panoptic.io.progress import Progress, shown
from panoptic.measure.pq import Label, Overlaps, Quality, Tally, best_ious, tally
from panoptic.results.segment import CategoryLike, NamedCategory, Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.tables import Table


@dataclass(frozen=True)
class PanopticReport:
    """The outcome of an evaluation: counts per category, in the order of the categories.

    ``paired_by`` says how the images of files were told ("image id", "file name"), ``notes`` are
    sentences on what was taken for what and what was left out. Neither counts in comparisons.
    """

    per_class: Mapping[NamedCategory, Tally]
    images: int
    paired_by: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def all(self) -> Quality:
        return Quality.mean(self.per_class.values())

    @property
    def things(self) -> Quality:
        return Quality.mean(t for c, t in self.per_class.items() if c.is_thing)

    @property
    def stuff(self) -> Quality:
        return Quality.mean(t for c, t in self.per_class.items() if not c.is_thing)

    def rows(self) -> list[tuple[str, Quality, Tally]]:
        """Name, quality and counts of all, things and stuff, then of each class that occurs."""
        counts = self.per_class.items()
        return [
            ("all", self.all, sum((t for _, t in counts), Tally())),
            ("things", self.things, sum((t for c, t in counts if c.is_thing), Tally())),
            ("stuff", self.stuff, sum((t for c, t in counts if not c.is_thing), Tally())),
            *((c.name, t.quality, t) for c, t in counts if t.count),
        ]

    def tables(self, *, per_class: bool = True) -> list[Table]:
        """PQ, SQ and RQ in percent, then the counts; one table."""
        rows = []
        for name, q, t in self.rows() if per_class else self.rows()[:3]:
            values = [f"{100 * v:.1f}" if q.classes else "-" for v in (q.pq, q.sq, q.rq)]
            rows.append([name, *values, str(q.classes), str(t.tp), str(t.fp), str(t.fn)])
        head = ("", "PQ", "SQ", "RQ", "classes", "TP", "FP", "FN")
        return [Table(head, rows, numbers=range(1, len(head)), rules=(3,), ruled=True)]

    def table(self, *, per_class: bool = True) -> str:
        """The report as text."""
        return str(self.tables(per_class=per_class)[0])

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON; PQ, SQ and RQ in [0, 1]."""

        def plain(q: Quality, t: Tally) -> dict[str, Any]:
            return {
                **{"pq": q.pq, "sq": q.sq, "rq": q.rq, "classes": q.classes},
                **{"tp": t.tp, "fp": t.fp, "fn": t.fn},
            }

        return {
            "images": self.images,
            **({"paired_by": self.paired_by, "notes": list(self.notes)} if self.paired_by else {}),
            **{name: plain(quality, counts) for name, quality, counts in self.rows()[:3]},
            "per_class": [
                {"id": c.id, "name": c.name, "is_thing": c.is_thing, **plain(t.quality, t)}
                for c, t in self.per_class.items()
            ],
        }

    def __str__(self) -> str:
        return self.table()


def evaluate(
    predictions: Iterable[PanopticSegmentation],
    truths: Iterable[PanopticSegmentation],
    categories: Iterable[CategoryLike] | None = None,
    *,
    progress: bool | Progress = True,
) -> PanopticReport:
    """Compares results with their ground truth, pair by pair; both may be generators.

    Without ``categories`` those that occur are evaluated, and both sides must mean the same by an
    id: name, and thing or stuff. ``progress`` shows a bar on a terminal; a
    callback in its place is called with the images done and their number, None where ``truths`` has
    no length.

    Raises ``ValueError`` if the two differ in number or an image in size, or if a category id means
    different things.
    """
    names: dict[int, NamedCategory] = {}
    for c in categories or ():
        names[c.id] = NamedCategory(c.id, c.name, c.is_thing)
    closed = bool(names)
    counted: dict[int, Tally] = {}
    images = 0
    total = len(truths) if isinstance(truths, Sized) else None
    with shown(progress, "images", total) as tell:
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                more, fewer = ("predictions", "ground truths")[:: 1 if truth is None else -1]
                raise ValueError(
                    f"there are more {more} than {fewer}: {images} pairs, then one alone"
                )
            _enter_names(names, closed, (*truth, *prediction))
            overlaps = Overlaps(truth.ids, prediction.ids)
            add_counts(counted, tally(overlaps, _labels(truth), _labels(prediction)))
            images += 1
            tell(images, total)
    order = names.values() if closed else sorted(names.values(), key=lambda c: c.id)
    return PanopticReport({c: counted.get(c.id, Tally()) for c in order}, images)


def _enter_names(
    names: dict[int, NamedCategory], closed: bool, segments: Iterable[Segment]
) -> None:
    """Adds what is new to ``names``, unless they are closed."""
    for s in segments:
        if s.is_unknown:
            continue
        if closed and s.category_id not in names:
            raise ValueError(f"category {s.category_id} ({s.category!r}) is not evaluated")
        known = names.setdefault(
            s.category_id, NamedCategory(s.category_id, s.category, s.is_thing)
        )
        if known.name != s.category:
            raise ValueError(
                f"category {s.category_id} is {known.name!r} here and {s.category!r} there"
            )
        if not closed and known.is_thing != s.is_thing:
            raise ValueError(
                f"category {s.category_id} ({s.category!r}) is a thing here and stuff there: give "
                "both sides the same vocabulary, or name the categories that count"
            )


def segment_ious(prediction: PanopticSegmentation, truth: PanopticSegmentation) -> dict[int, float]:
    """How right every segment is: its IoU with the best true segment of its category, else 0.

    By segment id, for calibrating quality scores. Unknown segments and those on void or crowd of
    the ground truth are left out.
    """
    overlaps = Overlaps(truth.ids, prediction.ids)
    return best_ious(overlaps, _labels(truth), _labels(prediction))


def _labels(result: PanopticSegmentation) -> dict[int, Label]:
    return {s.id: Label(s.category_id, s.is_crowd) for s in result if not s.is_unknown}


def add_counts(counted: dict[int, Tally], counts: Mapping[int, Tally]) -> None:
    """Adds the counts of one image to those by category id."""
    for category_id, one in counts.items():
        counted[category_id] = counted.get(category_id, Tally()) + one
