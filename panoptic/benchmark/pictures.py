"""COCO and ADE20K: every picture labelled as ``panoptic dataset`` does, in ``labelled/``, and the
labels listed with the set's own categories in ``predictions.json``.

That file and the PNGs in ``labelled/labels`` are what COCO's panopticapi takes as a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from panoptic.benchmark.layouts import Pictures
from panoptic.benchmark.measured import Measured, percent
from panoptic.benchmark.words import SetWords
from panoptic.dataset.resumable_labelling import DatasetRun, label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.worker import Labeller
from panoptic.dataset.worker_recipe import Recipe
from panoptic.errors import DatasetError
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.io.files import read_json, write_json
from panoptic.io.output_folder import OutputFolder
from panoptic.io.progress import Progress
from panoptic.io.sources.base import Unit
from panoptic.io.sources.coco_images import CocoImagesSource
from panoptic.measure.evaluate_coco import evaluate_coco
from panoptic.measure.pq import Quality
from panoptic.settings.dataset import DatasetSettings

LABELLED, PREDICTIONS = "labelled", "predictions.json"


@dataclass(frozen=True)
class FirstPictures:
    """The first pictures that a truth lists (all, without a limit), with their ids."""

    label: str
    json: Path
    images: Path
    limit: int | None = None

    def __iter__(self) -> Iterator[Unit]:
        return islice(iter(CocoImagesSource(self.json, self.images)), self.limit)


class Unfinished(DatasetError):
    """The labelling was stopped, or some pictures couldn't be labelled: there is nothing to
    evaluate yet."""

    def __init__(self, run: DatasetRun) -> None:
        self.interrupted = run.interrupted
        super().__init__(
            "stopped; the same command with --resume goes on from here"
            if run.interrupted
            else f"{run.counts.failed} pictures couldn't be labelled, see above, and without them "
            "there is no figure. The same command with --resume tries them again"
        )


def run_pictures(
    found: Pictures,
    words: SetWords,
    labeller: Labeller | Recipe,
    out: OutputFolder,
    settings: DatasetSettings,
    limit: int | None,
    progress: Progress,
) -> Measured:
    """Labels what isn't labelled yet, and evaluates the first ``limit`` pictures.

    Raises ``Unfinished`` where not all of them have a label, ``DatasetError`` where the truth isn't
    the set's, and what ``panoptic.dataset.resumable_labelling.label_dataset`` raises.
    """
    truth = CocoPanoptic.open(found.json, found.pngs)
    ids = words.ids_in(list(truth.categories.values()), repr(str(found.json)))
    source = FirstPictures(f"{words.set}: {found.json.name}", found.json, found.images, limit)
    _check_there(source)
    root = out.root / LABELLED
    run = label_dataset(
        labeller, source, words.vocabulary, root, settings=settings, progress=progress
    )
    if run.interrupted:
        raise Unfinished(run)
    wanted = {unit.image_id for unit in source if unit.image_id in truth.annotations}
    with run.open() as store:
        predicted = _predictions(store, wanted, ids)
        seconds = [store.manifest.row(key)["seconds"] for key in predicted]
    if len(predicted) < len(wanted):
        raise Unfinished(run)
    content = {
        "images": [truth.images[p["image_id"]] for p in predicted.values()],
        "annotations": list(predicted.values()),
        "categories": list(truth.categories.values()),
    }
    write_json(out.file(PREDICTIONS), content)
    report = evaluate_coco(
        *(out.root / PREDICTIONS, found.json),
        prediction_folder=root / "labels",
        truth_folder=found.pngs,
        images="id",
        skip_missing=limit is not None,
        progress=progress,
    )
    scores = {
        "PQ": _percent(report.all.pq, report.all),
        "PQ things": _percent(report.things.pq, report.things),
        "PQ stuff": _percent(report.stuff.pq, report.stuff),
        "SQ": _percent(report.all.sq, report.all),
        "RQ": _percent(report.all.rq, report.all),
    }
    return Measured(
        *(scores, "pictures", len(wanted), found.total or len(truth.annotations), report.to_dict()),
        counted=f"{report.all.classes} of {len(words.names)} categories occur",
        timed=len(seconds),
        seconds=sum(seconds),
    )


def _check_there(source: FirstPictures) -> None:
    units = list(source)
    lacking = [unit for unit in units if not Path(unit.source).is_file()]
    if lacking:
        raise DatasetError(
            f"{len(lacking)} of {len(units)} pictures that {str(source.json)!r} lists aren't in "
            f"{str(source.images)!r}, the first is {lacking[0].name!r}"
        )


def _predictions(
    store: DatasetStore, wanted: set[int | str | None], ids: Mapping[int, int]
) -> dict[str, dict[str, Any]]:
    """The annotations of the pictures that are wanted, with the set's categories, by key."""
    found = {}
    for item in store.items():
        if item.image_id not in wanted:
            continue
        path = store.files.path(item.key, "image")
        try:
            [label] = read_json(path.with_suffix(".json"))["annotations"]
            segments = [{**s, "category_id": ids[s["category_id"]]} for s in label["segments_info"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"the label {str(path)!r} is gone or damaged ({error})") from error
        name = path.relative_to(store.root / "labels").as_posix()
        found[item.key] = {
            **{"image_id": item.image_id, "file_name": name},
            "segments_info": segments,
        }
    return found


def _percent(value: float, quality: Quality) -> float | None:
    return percent(value) if quality.classes else None
