"""Evaluation of results on disk against video data sets in their own layouts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from panoptic.errors import CocoFormatError
from panoptic.formats.davis import VOID_INDEX, Davis, read_indices
from panoptic.formats.vipseg import VipsegVideos
from panoptic.io.progress import Progress, shown
from panoptic.measure.evaluate_sav import LEAST_FRAMES, evaluate_sav
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.measure.jf import FoundIdsMeter, GivenIdsMeter
from panoptic.measure.pair_categories import CategoryPairs, pair_categories
from panoptic.measure.video_report import VideoReport
from panoptic.measure.vpq import WINDOWS
from panoptic.results.segment import NamedCategory

# What ``panoptic.measure.evaluate_folders.evaluate_folders`` can compare.
LAYOUTS = ("vipseg", "davis", "davis-unsupervised", "sa-v", "sa-v-unsupervised")


MAX_PROPOSALS = 20  # of DAVIS's unsupervised task

# The number of videos, with the report of each; None where nothing of it could be compared.
Reports = Iterator[tuple[int, VideoReport | None]]


def evaluate_folders(
    prediction: str | Path,
    truth: str | Path,
    layout: str,
    *,
    subset: str = "val",
    windows: Sequence[int] = WINDOWS,
    by_name: bool = False,
    ignore_other_words: bool = False,
    only_asked: bool = False,
    skip_missing: bool = False,
    only: Collection[str] | None = None,
    progress: bool | Progress = True,
) -> VideoReport:
    """Compares results on disk with a data set in its own layout; frames are read one by one.

    ``layout`` is one of ``panoptic.measure.evaluate_folders.LAYOUTS``:

    - ``vipseg``: the truth is a folder with ``panomasksRGB`` and ``panoptic_gt_VIPSeg_val.json``,
      or such a JSON, the prediction one with ``pan_pred`` and ``pred.json``. All measures.
      Categories go by id, with ``by_name`` by name; ``ignore_other_words`` and ``only_asked`` are
      those of ``panoptic.measure.evaluate_coco``.
    - ``davis``: the truth is DAVIS 2017's folder (``Annotations/480p``, ``ImageSets/2017``), the
      prediction has ``SEQUENCE/00000.png``. J&F of objects whose ids were given in the first
      frame, without the first and the last frame.
    - ``davis-unsupervised``: likewise with ``Annotations_unsupervised/480p``; J&F of objects that
      were found, over all frames.
    - ``sa-v``: the truth is SA-V's ``sav_val`` or ``sav_test`` (``Annotations_6fps``) or masklet
      files ``VIDEO_*.json``, the prediction has ``VIDEO/OBJECT/00000.png`` or masklet files. J&F
      of objects whose ids were given, without the first and the last annotated frame.
    - ``sa-v-unsupervised``: likewise; J&F of objects that were found, over all annotated frames.

    The output folder of ``panoptic video`` is taken as well. Frames go by name, and those count
    that the truth has. ``subset`` is DAVIS's or VIPSeg's, ``windows`` are VPQ's lengths of tubes;
    a video too short for a measure is left out of it, and one without a prediction is an error
    unless ``skip_missing``. ``only`` names those of the truth's videos that are asked for; others
    aren't looked at. What was left out is in the report's ``notes``. ``progress`` shows a bar on a
    terminal; a callback in its place is called with the videos done and all videos.

    Raises ``ValueError`` where a file isn't what the layout says or nothing can be compared, and
    ``FileNotFoundError`` where one is missing.
    """
    prediction, truth = Path(prediction), Path(truth)
    notes: list[str] = []
    if layout == "vipseg":
        true, found = VipsegVideos.open(truth, subset), VipsegVideos.open(prediction, subset)
        asked_for = _asked(true.annotations, only)
        true = replace(true, annotations={video: true.annotations[video] for video in asked_for})
        meaning, asked = _meaning(true, found, by_name, ignore_other_words, notes)
        counted = asked if only_asked else None
        videos = _vipseg(found, true, windows, meaning, counted, skip_missing, notes)
    elif layout in ("davis", "davis-unsupervised"):
        unsupervised = layout != "davis"
        data = Davis.open(truth, subset, unsupervised=unsupervised)
        data = replace(data, sequences=_asked(data.sequences, only))
        results = prediction / "davis" if (prediction / "davis").is_dir() else prediction
        compare = _davis_unsupervised if unsupervised else _davis
        videos = compare(results, data, skip_missing, notes)
    elif layout in ("sa-v", "sa-v-unsupervised"):
        videos = evaluate_sav(
            *(prediction, truth),
            unsupervised=layout != "sa-v",
            skip_missing=skip_missing,
            only=only,
            notes=notes,
        )
    else:
        raise ValueError(f"there is no layout {layout!r}; there are {', '.join(LAYOUTS)}")
    reports = []
    with shown(progress, "videos") as tell:
        for done, (total, report) in enumerate(videos, start=1):
            if report is not None:
                reports.append(report)
            tell(done, total)
    if not reports:
        raise ValueError("there is no video to evaluate" + "".join(f"; {n}" for n in notes[:3]))
    return replace(VideoReport.total(reports), notes=tuple(notes))


def _asked(videos: Iterable[str], only: Collection[str] | None) -> tuple[str, ...]:
    return tuple(video for video in videos if only is None or video in only)


def _vipseg(
    predicted: VipsegVideos,
    true: VipsegVideos,
    windows: Sequence[int],
    meaning: Mapping[int, NamedCategory | None],
    counted: frozenset[int] | None,
    skip_missing: bool,
    notes: list[str],
) -> Reports:
    short = more = 0
    for video in true.annotations:
        if video not in predicted.annotations:
            _missing(f"video {video!r}", f"{str(predicted.json_path)!r} lacks the", skip_missing)
            notes.append(f"left out, having no prediction: video {video!r}")
            yield len(true.annotations), None
            continue
        names, found = true.file_names(video), predicted.file_names(video)
        if not names:
            notes.append(f"left out: video {video!r} has no annotated frames")
            yield len(true.annotations), None
            continue
        _check_frames(video, names, found)
        short += len(names) < max(windows)
        more += len(found) - len(names)
        try:
            report = evaluate_video(
                predicted.frames(video, meaning, names),
                true.frames(video),
                name=video,
                windows=windows,
                frame_names=names,
                counted=counted,
                progress=False,
            )
        except CocoFormatError:  # says which file
            raise
        except ValueError as error:
            raise ValueError(f"video {video!r}: {error}") from error
        yield len(true.annotations), report
    if short:
        notes.append(
            f"{short} of {len(true.annotations)} videos are shorter than {max(windows)} frames: "
            "they have no tubes of the windows that are longer than they are, as in VPQ's own code"
        )
    if more:
        notes.append(f"left out, having no truth: {more} predicted frames")


def _check_frames(video: str, names: Sequence[str], found: Sequence[str]) -> None:
    missing = [name for name in names if name not in set(found)]
    if not missing:
        return
    text = (
        f"video {video!r} has {len(names)} frames, its prediction {len(found)}; {missing[0]!r} is "
        "missing"
    )
    if len(missing) == len(names) and found:
        text += (
            f", the prediction's are called {found[0]!r} and so on: label the data set's own "
            "folder of frames, whose names are kept"
        )
    raise ValueError(text)


def _meaning(
    true: VipsegVideos,
    predicted: VipsegVideos,
    by_name: bool,
    ignore_other_words: bool,
    notes: list[str],
) -> tuple[Mapping[int, NamedCategory | None], frozenset[int]]:
    """What the category ids of the prediction mean, in categories of the truth, and which of these
    it has a word for."""
    if not true.categories:
        raise ValueError(f"{str(true.json_path)!r} lists no categories")
    pairs: CategoryPairs = pair_categories(
        predicted.categories.values(),
        true.categories.values(),
        by_name=by_name,
        ignore_other_words=ignore_other_words,
    )
    notes.extend(pairs.notes)
    found = dict(pairs.meaning)
    if ignore_other_words:
        frames = (a for annotations in predicted.annotations.values() for a in annotations)
        used = {info["category_id"] for a in frames for info in a["segments_info"]}
        found = {**dict.fromkeys(used), **found}
    return found, pairs.asked


def _davis(prediction: Path, truth: Davis, skip_missing: bool, notes: list[str]) -> Reports:
    for sequence in truth.sequences:
        frames = truth.frames(sequence)
        if not _can_compare(prediction, sequence, len(frames), LEAST_FRAMES, skip_missing, notes):
            yield len(truth.sequences), None
            continue
        told = "the ids in the prediction are its own, not the truth's: see davis-unsupervised"
        if (prediction / f"{sequence}.json").is_file() and told not in notes:
            notes.append(told)
        # As in DAVIS, objects that come later than the first frame aren't asked for.
        objects = range(1, _highest(read_indices(frames[0])) + 1)
        meter = GivenIdsMeter(sequence)
        for frame in frames[1:-1]:
            true, found = read_indices(frame), read_indices(prediction / sequence / frame.name)
            if int(found.max()) > len(objects):
                raise ValueError(
                    f"{str(prediction / sequence / frame.name)!r} has object {int(found.max())}, "
                    f"the first frame of the ground truth has {len(objects)} objects"
                )
            meter.add({i: found == i for i in objects}, {i: true == i for i in objects})
        yield len(truth.sequences), VideoReport(1, len(frames) - 2, meter.result())


def _davis_unsupervised(
    prediction: Path, truth: Davis, skip_missing: bool, notes: list[str]
) -> Reports:
    for sequence in truth.sequences:
        frames = truth.frames(sequence)
        if not _can_compare(prediction, sequence, len(frames), 1, skip_missing, notes):
            yield len(truth.sequences), None
            continue
        objects = range(1, _highest(read_indices(frames[0])) + 1)
        meter = FoundIdsMeter(sequence)
        for frame in frames:
            true, found = read_indices(frame), read_indices(prediction / sequence / frame.name)
            if int(found.max()) > MAX_PROPOSALS:
                raise ValueError(
                    f"{str(prediction / sequence / frame.name)!r} has object {int(found.max())}: "
                    f"DAVIS allows {MAX_PROPOSALS} in this task. Ask for fewer words, or follow "
                    "fewer segments (--max-objects)"
                )
            if found.shape != true.shape:
                raise _other_size(prediction / sequence / frame.name, found, true)
            meter.add(found, true, range(1, MAX_PROPOSALS + 1), objects, true == VOID_INDEX)
        yield len(truth.sequences), VideoReport(1, len(frames), meter.result())


def _can_compare(
    prediction: Path,
    sequence: str,
    frames: int,
    least: int,
    skip_missing: bool,
    notes: list[str],
) -> bool:
    """Whether there is something to compare; if not, the reason is added to the notes."""
    if frames < least:
        why = ", of which the first and the last don't count" if frames else ""
        notes.append(f"left out: sequence {sequence!r} has {frames} annotated frames{why}")
        return False
    if not (prediction / sequence).is_dir():
        _missing(f"sequence {sequence!r}", f"{str(prediction)!r} lacks the", skip_missing)
        notes.append(f"left out, having no prediction: sequence {sequence!r}")
        return False
    return True


def _missing(what: str, lacks: str, skip_missing: bool) -> None:
    if not skip_missing:
        raise FileNotFoundError(
            f"{lacks} {what} (--skip-missing, skip_missing=True, leaves such out)"
        )


def _highest(indices: np.ndarray) -> int:
    return int(np.where(indices == VOID_INDEX, 0, indices).max())


def _other_size(path: Path, found: np.ndarray, true: np.ndarray) -> ValueError:
    return ValueError(
        f"{str(path)!r} is {found.shape}, the ground truth {true.shape} (height, width): "
        "evaluate at the size of the truth"
    )
