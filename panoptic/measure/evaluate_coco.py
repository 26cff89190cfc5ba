"""Evaluation of pictures on disk: COCO panoptic files of any origin against their ground truth."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from panoptic.formats.coco_checks import flag
from panoptic.formats.coco_files import open_coco
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.progress import Progress, shown
from panoptic.measure.evaluate_pictures import PanopticReport, add_counts
from panoptic.measure.pair_categories import pair_categories
from panoptic.measure.pair_images import (
    CocoImage,
    ImagePairs,
    PairBy,
    coco_images,
    pair_images,
)
from panoptic.measure.pq import VOID, Label, Overlaps, Tally, tally
from panoptic.results.segment import NamedCategory


def evaluate_coco(
    prediction: str | Path,
    truth: str | Path,
    *,
    prediction_folder: str | Path | None = None,
    truth_folder: str | Path | None = None,
    by_name: bool = False,
    images: PairBy = "auto",
    ignore_other_words: bool = False,
    only_asked: bool = False,
    skip_missing: bool = False,
    workers: int | None = None,
    progress: bool | Progress = True,
) -> PanopticReport:
    """Compares COCO panoptic files and their PNGs; PNGs are read as they are needed.

    Either side is a JSON, a folder that ``panoptic image`` wrote, or an export, whose splits count
    as one (``panoptic.formats.coco_files``). Images go by id where ids and file names agree, else
    by file name; ``images`` ("id", "name") says which holds. Every image of the ground truth must
    have a prediction, unless ``skip_missing``.

    Categories are the ground truth's and go by id; with ``by_name`` the prediction's ids are
    translated by category name (``panoptic.measure.pair_categories`` has the rule). A word that
    the truth lacks is an error, with ``ignore_other_words`` its segments are void. With
    ``only_asked`` those categories of the truth count alone that the prediction has a word for.
    What was done is in the report's ``paired_by`` and ``notes``.

    ``workers`` is the number of threads. ``progress`` shows a bar on a terminal; a callback in its
    place is called with images done and images in all.

    Raises ``ValueError`` where panopticapi does: missing images, unknown categories, ids that are
    in PNG or JSON alone; and where names of one category id differ between the two sides, or
    neither ids nor names tell which image is which.
    """
    true, predicted = open_coco(truth, truth_folder), open_coco(prediction, prediction_folder)
    known = _categories(true)
    if not known:
        raise ValueError(f"the ground truth {str(truth)!r} lists no categories")
    words = _categories(predicted)
    categories = pair_categories(
        words.values(), known.values(), by_name=by_name, ignore_other_words=ignore_other_words
    )
    paired = pair_images(
        coco_images(predicted), coco_images(true), images, skip_missing=skip_missing
    )
    counting = _Counting(
        categories.meaning,
        categories.asked if only_asked else frozenset(known),
        ignore_other_words,
    )
    counted: dict[int, Tally] = {}
    total = len(paired.pairs)
    with (
        ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool,
        shown(progress, "images", total) as tell,
    ):
        # map keeps the order, so sums come out the same for any number of threads
        for done, counts in enumerate(pool.map(counting.count, paired.pairs), start=1):
            add_counts(counted, counts)
            tell(done, total)
    per_class = {c: counted.get(i, Tally()) for i, c in known.items() if i in counting.counted}
    notes = (*_of_images(paired), *categories.notes, *_of_kinds(true))
    return PanopticReport(per_class, total, paired.how, notes)


@dataclass(frozen=True)
class _Counting:
    """``meaning`` of predicted category ids, and the truth's categories that are ``counted``."""

    meaning: Mapping[int, NamedCategory | None]
    counted: frozenset[int]
    ignore_others: bool

    def count(self, pair: tuple[CocoImage, CocoImage]) -> dict[int, Tally]:
        """The counts of one image. Raises ``ValueError``, which names it."""
        prediction, truth = pair
        true_ids = truth.file.read_ids(truth.id)
        found_ids = prediction.file.read_ids(prediction.id)
        try:
            if true_ids.shape != found_ids.shape:
                raise ValueError(
                    f"{_png(prediction)} is {_size(found_ids.shape)}, the ground truth "
                    f"{_png(truth)} {_size(true_ids.shape)} pixels: evaluate at the size of the "
                    "truth"
                )
            overlaps = Overlaps(true_ids, found_ids)
            infos = prediction.file.annotations[prediction.id]["segments_info"]
            _check_ids(set(overlaps.prediction_area) - {VOID}, {info["id"] for info in infos})
            labels = {
                info["id"]: Label(category.id)
                for info in infos
                if (category := self._category(info)) is not None
            }
        except ValueError as error:
            raise ValueError(f"{truth.label}: {error}") from error
        # What isn't counted stays a segment of nothing: neither missed, nor void to be free on.
        true_labels = {
            info["id"]: Label(info["category_id"], flag(info, "iscrowd", False))
            for info in truth.file.annotations[truth.id]["segments_info"]
            if info["category_id"] in self.counted
        }
        return tally(overlaps, true_labels, labels)

    def _category(self, info: Mapping[str, int]) -> NamedCategory | None:
        if info["category_id"] in self.meaning:
            return self.meaning[info["category_id"]]
        if self.ignore_others:
            return None
        raise ValueError(
            f"segment {info['id']} has category {info['category_id']}, which the ground truth "
            "does not know (--ignore-other-words, ignore_other_words=True, leaves such out)"
        )


def _categories(files: Iterable[CocoPanoptic]) -> dict[int, NamedCategory]:
    return {
        i: NamedCategory(i, str(c["name"]), flag(c, "isthing", True))
        for file in files
        for i, c in file.categories.items()
    }


def _of_images(paired: ImagePairs) -> list[str]:
    notes = []
    if paired.missing:
        notes.append(
            f"left out, having no prediction: {len(paired.missing)} images of the truth, the "
            f"first is {paired.missing[0].label}"
        )
    if paired.unused:
        notes.append(f"left out, not being in the truth: {paired.unused} predicted images")
    return notes


def _of_kinds(true: Iterable[CocoPanoptic]) -> list[str]:
    listed = [c for file in true for c in file.categories.values()]
    unsaid = [c["name"] for c in listed if "isthing" not in c]
    if not unsaid:
        return []
    return [f"{len(unsaid)} categories of the truth count as things, having no isthing"]


def _check_ids(seen: set[int], listed: set[int]) -> None:
    if seen != listed:
        raise ValueError(
            "PNG and JSON of the prediction hold different ids; only in the "
            f"PNG: {sorted(seen - listed)}, only in the JSON: {sorted(listed - seen)}"
        )


def _png(image: CocoImage) -> str:
    return repr(str(image.file.png_path(image.id)))


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]}"
