"""VIPSeg: every clip labelled as ``panoptic video`` does, in ``vipseg/``, and listed with the set's
own categories in ``vipseg/pred.json``, as the set's evaluation takes it (beside ``pan_pred``)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from panoptic.benchmark.clip_records import ClipRecords
from panoptic.benchmark.layouts import Clips
from panoptic.benchmark.measured import Measured, percent
from panoptic.benchmark.words import SetWords
from panoptic.dataset.fingerprint import describe
from panoptic.errors import DatasetError
from panoptic.formats.vipseg import VipsegVideos, write_listing
from panoptic.image_pipeline import ImagePipeline
from panoptic.io.clips import VideoInput
from panoptic.io.files import read_json, write_json
from panoptic.io.output_folder import OutputFolder
from panoptic.io.progress import Progress
from panoptic.measure.evaluate_folders import evaluate_folders
from panoptic.results.segment import NamedCategory
from panoptic.video.clip_record import ClipPlace
from panoptic.video.passes import ForwardPass
from panoptic.video.resumable_tracking import RecordSettings, record

_SETTINGS = RecordSettings(formats=("vipseg",))


def run_panoptic_clips(
    found: Clips,
    words: SetWords,
    pipeline: ImagePipeline,
    out: OutputFolder,
    limit: int | None,
    progress: Progress,
) -> Measured:
    """Labels what isn't labelled yet, also within a clip, and evaluates the first ``limit`` clips.

    ``progress`` is told the clips. Raises ``DatasetError`` where the truth isn't the set's or a
    clip can't be labelled to its end.
    """
    truth = VipsegVideos.open(found.root, found.subset)
    theirs = [
        {"id": c.id, "name": c.name, "isthing": c.is_thing} for c in truth.categories.values()
    ]
    ids = words.ids_in(theirs, repr(str(truth.json_path)))
    videos = list(truth.annotations)[:limit]
    lacking = [video for video in videos if not (found.frames / video).is_dir()]
    if lacking:
        raise DatasetError(
            f"{len(lacking)} of {len(videos)} videos of {str(truth.json_path)!r} aren't in "
            f"{str(found.frames)!r}, the first is {lacking[0]!r}"
        )
    request = {"models": describe(pipeline), "words": words.vocabulary.to_coco()}
    records = ClipRecords(out)
    progress(0, len(videos))
    for done, video in enumerate(videos, start=1):
        _label(found, video, words, pipeline, out, request, records)
        progress(done, len(videos))
    write_listing(out.root / "vipseg")
    _translate(out, ids, truth.categories)
    report = evaluate_folders(
        *(out.root, found.root, "vipseg"), subset=found.subset, only=videos, progress=progress
    )
    if report.vpq is None or report.stq is None:
        raise DatasetError(f"{str(truth.json_path)!r} has nothing to evaluate")
    scores = {
        "VPQ": percent(report.vpq.vpq()),
        "VPQ things": percent(report.vpq.vpq(True)),
        "VPQ stuff": percent(report.vpq.vpq(False)),
        "STQ": percent(report.stq.stq),
    }
    total = records.total(videos)
    return Measured(
        *(scores, "clips", len(videos), len(truth.annotations), report.to_dict()),
        counted=f"{report.frames} frames",
        timed=total.frames,
        seconds=total.seconds,
        timed_unit="frame",
    )


def _label(
    found: Clips,
    video: str,
    words: SetWords,
    pipeline: ImagePipeline,
    out: OutputFolder,
    request: Mapping[str, Any],
    records: ClipRecords,
) -> None:
    folder = found.frames / video
    clip = VideoInput.of(folder, video, pictures=pipeline.settings.pictures)
    started = time.perf_counter()
    recorded = record(
        *(clip, ForwardPass(pipeline, words.vocabulary), words.vocabulary, out.root, _SETTINGS),
        request=request,
        place=ClipPlace(os.path.abspath(folder), video),
        resume=True,
        progress=False,
        claim=out.files,
    )
    if recorded.labelled:
        records.add(video, recorded.labelled, time.perf_counter() - started)
    if recorded.problems:
        raise DatasetError("; ".join(recorded.problems))


def _translate(
    out: OutputFolder, ids: Mapping[int, int], categories: Mapping[int, NamedCategory]
) -> None:
    """The listing with the set's categories in the place of our words."""
    path = out.file("vipseg/pred.json")
    content = read_json(path)
    for video in content["annotations"]:
        for frame in video["annotations"]:
            for segment in frame["segments_info"]:
                segment["category_id"] = ids[segment["category_id"]]
    content["categories"] = [
        {"id": c.id, "name": c.name, "isthing": int(c.is_thing)} for c in categories.values()
    ]
    write_json(path, content)
