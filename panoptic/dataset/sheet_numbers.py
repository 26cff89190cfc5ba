"""What there is to draw of a labelled data set: counts, quality against a truth, confusion.

Without a ground truth, what a person decided stands for it: of accepted labels all is right, of
corrected ones the correction. Rejected labels say nothing of single segments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from panoptic.compose.quality import GOOD_IOU
from panoptic.dataset.statistics import Statistics
from panoptic.dataset.store import DatasetStore
from panoptic.formats.coco_files import open_coco
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.progress import Progress
from panoptic.measure.calibration import Reliability
from panoptic.measure.confusion import WordConfusion
from panoptic.measure.evaluate_pictures import PanopticReport, add_counts
from panoptic.measure.pair_categories import CategoryPairs, pair_categories
from panoptic.measure.pair_images import CocoImage, coco_images, pair_images
from panoptic.measure.pq import Label, Overlaps, Tally, best_ious, tally
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import CategoryLike, NamedCategory
from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True)
class SheetNumbers:
    """``report`` is None without a ground truth; ``judged`` is how many pictures (and frames) the
    calibration and the confusion are of; ``notes`` are for people."""

    statistics: Statistics
    report: PanopticReport | None
    reliability: Reliability
    confusion: WordConfusion
    judged: int
    notes: tuple[str, ...] = ()


@dataclass
class _Gathered:
    reliability: Reliability = field(default_factory=Reliability)
    confusion: WordConfusion = field(default_factory=WordConfusion)
    counted: dict[int, Tally] = field(default_factory=dict)
    judged: int = 0


def sheet_numbers(
    store: DatasetStore, truth: Path | None = None, progress: bool | Progress = False
) -> SheetNumbers:
    """Reads the data set, and ``truth`` (COCO panoptic) where it is given.

    Raises ``ValueError`` where that isn't of these pictures or knows none of the words.
    """
    statistics = Statistics.of(store, worst=0, progress=progress)
    gathered = _Gathered()
    if truth is None:
        for label, right in _judged_by_people(store):
            _add(gathered, label, label, right, {c.id: _named(c) for c in store.vocabulary})
        return SheetNumbers(
            statistics, None, gathered.reliability, gathered.confusion, gathered.judged
        )
    files = open_coco(truth)
    known = {c.id: c for file in files for c in _categories(file)}
    pairs = pair_categories(
        [_named(c) for c in store.vocabulary], known.values(), by_name=True, ignore_other_words=True
    )
    if not pairs.asked:
        raise ValueError(
            f"the ground truth {str(truth)!r} knows none of the words of this data set"
        )
    meaning = {id: c for id, c in pairs.meaning.items() if c is not None}
    for item, image in _paired(store, files):
        right = image.file.load(image.id)
        if right.ids.shape != item.size:
            raise ValueError(
                f"{image.label} of the ground truth is {right.width} x {right.height}, the picture "
                f"{item.name!r} {item.size[1]} x {item.size[0]}: this truth is of other pictures"
            )
        made = store.named(store.files.load(item.key, item.kind), item.key)
        _add(gathered, made, item.load(), right, meaning)
    counted = {c: gathered.counted.get(id, Tally()) for id, c in known.items() if id in pairs.asked}
    report = PanopticReport(counted, gathered.judged)
    notes = _notes(known.values(), pairs)
    return SheetNumbers(
        statistics, report, gathered.reliability, gathered.confusion, gathered.judged, notes
    )


def _notes(known: Collection[NamedCategory], pairs: CategoryPairs) -> tuple[str, ...]:
    """What was taken for what; categories of the truth that nobody asked for don't count here."""
    unasked = [c.name for c in known if c.id not in pairs.asked]
    if not unasked:
        return pairs.notes
    some = ", ".join(unasked[:8]) + (f" and {len(unasked) - 8} more" if len(unasked) > 8 else "")
    told = f"left out, as nobody asked for them: {some}"
    return (*pairs.notes[:-1], told)  # the last says that they count as missed


def _add(
    gathered: _Gathered,
    made: PanopticSegmentation,
    stands: PanopticSegmentation,
    right: PanopticSegmentation,
    meaning: dict[int, NamedCategory],
) -> None:
    """One picture: the models' label, the one that stands, and what is right. ``meaning`` are the
    categories of labels as the truth has them."""
    asked = {c.id: c.name for c in meaning.values()}
    true = {s.id: Label(s.category_id, s.is_crowd) for s in right if s.category_id in asked}
    found = _labels(made, meaning)
    ious = best_ious(Overlaps(right.ids, made.ids), true, found)
    for s in made:
        if s.id in ious and s.quality is not None:
            gathered.reliability.add(s.quality, ious[s.id] >= GOOD_IOU)
    overlaps, found = Overlaps(right.ids, stands.ids), _labels(stands, meaning)
    add_counts(gathered.counted, tally(overlaps, true, found))
    gathered.confusion.add(
        overlaps,
        {id: asked[label.category_id] for id, label in true.items()},
        {id: asked[label.category_id] for id, label in found.items()},
    )
    gathered.judged += 1


def _labels(label: PanopticSegmentation, meaning: dict[int, NamedCategory]) -> dict[int, Label]:
    return {s.id: Label(meaning[s.category_id].id) for s in label if s.category_id in meaning}


def _judged_by_people(
    store: DatasetStore,
) -> Iterator[tuple[PanopticSegmentation, PanopticSegmentation]]:
    """The models' labels that were accepted or corrected, and what is right there."""
    for item in store.items():
        if item.verdict == "accept":
            for frame in range(item.frames):
                label = item.load(frame)
                yield label, label
        elif item.verdict == "corrected":
            for frame in store.corrections(item.key):
                made = store.named(store.files.load(item.key, item.kind, frame), item.key)
                yield made, item.load(frame)


def _paired(
    store: DatasetStore, files: tuple[CocoPanoptic, ...]
) -> Iterator[tuple[LabelledItem, CocoImage]]:
    """The pictures that the truth knows, by id or name."""
    items = {item.key: item for item in store.items() if item.kind == "image"}
    ids = {key: key if item.image_id is None else item.image_id for key, item in items.items()}
    keys = {id: key for key, id in ids.items()}
    # Pairs are told by ids and names alone; the files of labels aren't looked at.
    ours = [CocoImage(files[0], ids[key], (item.name,)) for key, item in items.items()]
    for one, other in pair_images(ours, coco_images(files), skip_missing=True).pairs:
        yield items[keys[one.id]], other


def _categories(file: CocoPanoptic) -> list[NamedCategory]:
    return [
        NamedCategory(id, str(c["name"]), bool(c.get("isthing", 1)))
        for id, c in file.categories.items()
    ]


def _named(category: CategoryLike) -> NamedCategory:
    return NamedCategory(category.id, category.name, category.is_thing)
