"""Evaluation against ground truth: results in memory, or COCO panoptic files of any origin.

The measure itself is in ``panoptic.measure.pq``. A prediction's segments without a word
("unknown") count as void: they were not asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.progress import Progress, shown
from panoptic.measure.pq import VOID, Label, Overlaps, Quality, Tally, best_ious, tally
from panoptic.results.segment import UNKNOWN_ID, CategoryLike, NamedCategory, Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.tables import Table


@dataclass(frozen=True)
class PanopticReport:
    """The outcome of an evaluation: counts per category, in the order of the categories."""

    per_class: Mapping[NamedCategory, Tally]
    images: int

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

    Without ``categories`` those that occur are evaluated. ``progress`` shows a bar on a terminal; a
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
            _add(counted, tally(overlaps, _labels(truth), _labels(prediction)))
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


def segment_ious(prediction: PanopticSegmentation, truth: PanopticSegmentation) -> dict[int, float]:
    """How right every segment is: its IoU with the best true segment of its category, else 0.

    By segment id, for calibrating quality scores. Unknown segments and those on void or crowd of
    the ground truth are left out.
    """
    overlaps = Overlaps(truth.ids, prediction.ids)
    return best_ious(overlaps, _labels(truth), _labels(prediction))


def evaluate_coco(
    prediction: str | Path,
    truth: str | Path,
    *,
    prediction_folder: str | Path | None = None,
    truth_folder: str | Path | None = None,
    by_name: bool = False,
    workers: int | None = None,
    progress: bool | Progress = True,
) -> PanopticReport:
    """Compares two COCO panoptic JSON files and their PNGs; PNGs are read as they are needed.

    Every image of the ground truth must have a prediction. Categories are the ground truth's and
    go by id; with ``by_name`` the prediction's ids are translated by category name. ``workers``
    is the number of threads. ``progress`` shows a bar on a terminal; a callback in its place is
    called with images done and images in all.

    Raises ``ValueError`` where panopticapi does: missing images, unknown categories, ids that are
    in PNG or JSON alone; and where names of one category id differ between the two files.
    """
    true = CocoPanoptic.open(truth, truth_folder)
    predicted = CocoPanoptic.open(prediction, prediction_folder)
    if not true.categories:
        raise ValueError(f"the ground truth {str(truth)!r} lists no categories")
    missing = [image_id for image_id in true.annotations if image_id not in predicted.annotations]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(true)} images have no prediction, the first is {missing[0]!r}"
        )
    translate = _translation(true, predicted, by_name)

    def one(image_id: int | str) -> dict[int, Tally]:
        try:
            overlaps = Overlaps(true.read_ids(image_id), predicted.read_ids(image_id))
            infos = predicted.annotations[image_id]["segments_info"]
            _check_ids(set(overlaps.prediction_area) - {VOID}, {info["id"] for info in infos})
            labels = {}
            for info in infos:
                category = translate.get(info["category_id"], info["category_id"])
                if category in true.categories:
                    labels[info["id"]] = Label(category)
                elif category != UNKNOWN_ID:
                    raise ValueError(
                        f"segment {info['id']} has category {category}, "
                        "which the ground truth does not know"
                    )
        except ValueError as error:
            raise ValueError(f"image {image_id!r}: {error}") from error
        true_labels = {
            info["id"]: Label(info["category_id"], bool(info.get("iscrowd", 0)))
            for info in true.annotations[image_id]["segments_info"]
        }
        return tally(overlaps, true_labels, labels)

    counted: dict[int, Tally] = {}
    with (
        ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool,
        shown(progress, "images", len(true)) as tell,
    ):
        # map keeps the order, so sums come out the same for any number of threads
        for done, counts in enumerate(pool.map(one, true.annotations), start=1):
            _add(counted, counts)
            tell(done, len(true))
    per_class = {
        NamedCategory(i, str(c["name"]), bool(c.get("isthing", 1))): counted.get(i, Tally())
        for i, c in true.categories.items()
    }
    return PanopticReport(per_class, len(true))


def _labels(result: PanopticSegmentation) -> dict[int, Label]:
    return {s.id: Label(s.category_id, s.is_crowd) for s in result if not s.is_unknown}


def _add(counted: dict[int, Tally], counts: Mapping[int, Tally]) -> None:
    for category_id, one in counts.items():
        counted[category_id] = counted.get(category_id, Tally()) + one


def _check_ids(seen: set[int], listed: set[int]) -> None:
    if seen != listed:
        raise ValueError(
            "PNG and JSON of the prediction hold different ids; only in the "
            f"PNG: {sorted(seen - listed)}, only in the JSON: {sorted(listed - seen)}"
        )


def _translation(true: CocoPanoptic, predicted: CocoPanoptic, by_name: bool) -> dict[int, int]:
    """Category ids of the prediction as ids of the ground truth."""
    if by_name:
        if not predicted.categories:
            raise ValueError(f"{str(predicted.json_path)!r} names no categories: evaluate by id")
        ids = {c["name"]: i for i, c in true.categories.items()}
        unheard = [
            c["name"]
            for i, c in predicted.categories.items()
            if c["name"] not in ids and i != UNKNOWN_ID
        ]
        if unheard:
            raise ValueError(f"the ground truth has no categories called {unheard}")
        return {i: ids.get(c["name"], UNKNOWN_ID) for i, c in predicted.categories.items()}
    for i, c in predicted.categories.items():
        if i in true.categories and true.categories[i]["name"] != c["name"]:
            raise ValueError(
                f"category {i} is {c['name']!r} in the prediction and "
                f"{true.categories[i]['name']!r} in the ground truth: "
                "evaluate by name (by_name=True), or give both the same ids"
            )
    return {}
