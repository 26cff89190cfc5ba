"""Evaluation of results on disk against video data sets in their own layouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from panoptic.formats.davis import VOID_INDEX, Davis, read_indices
from panoptic.formats.sa_v import Masklets, SavFolder, find_masklets, read_mask
from panoptic.formats.vipseg import VipsegVideos
from panoptic.io.progress import Progress, shown
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.measure.jf import FoundIdsMeter, GivenIdsMeter
from panoptic.measure.video_report import VideoReport
from panoptic.measure.vpq import WINDOWS
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, NamedCategory

# What ``panoptic.measure.evaluate_folders.evaluate_folders`` can compare.
LAYOUTS = ("vipseg", "davis", "davis-unsupervised", "sa-v")


MAX_PROPOSALS = 20  # of DAVIS's unsupervised task


def evaluate_folders(
    prediction: str | Path,
    truth: str | Path,
    layout: str,
    *,
    subset: str = "val",
    windows: Sequence[int] = WINDOWS,
    by_name: bool = False,
    progress: bool | Progress = True,
) -> VideoReport:
    """Compares results on disk with a data set in its own layout; frames are read one by one.

    ``layout`` is one of ``panoptic.measure.evaluate_folders.LAYOUTS``:

    - ``vipseg``: the truth is a folder with ``panomasksRGB`` and ``panoptic_gt_VIPSeg_val.json``,
      or such a JSON, the prediction one with ``pan_pred`` and ``pred.json``. All measures.
      Categories go by id, with ``by_name`` by name.
    - ``davis``: the truth is DAVIS 2017's folder (``Annotations/480p``, ``ImageSets/2017``), the
      prediction has ``SEQUENCE/00000.png``. J&F of objects whose ids were given in the first
      frame, without the first and the last frame.
    - ``davis-unsupervised``: likewise with ``Annotations_unsupervised/480p``; J&F of objects that
      were found, over all frames.
    - ``sa-v``: the truth is SA-V's ``sav_val`` or ``sav_test`` (``Annotations_6fps``), the
      prediction has ``VIDEO/OBJECT/00000.png``; or both are masklet files ``VIDEO_*.json``, or
      folders of them. J&F of objects whose ids were given, without the first and the last
      annotated frame.

    ``subset`` is DAVIS's, ``windows`` are VPQ's lengths of tubes. ``progress`` shows a bar on a
    terminal; a callback in its place is called with the videos done and all videos.

    Raises ``ValueError`` where a file isn't what the layout says, and
    ``FileNotFoundError`` where one is missing.
    """
    prediction, truth = Path(prediction), Path(truth)
    if layout == "vipseg":
        videos = _vipseg(prediction, truth, windows, by_name)
    elif layout == "davis":
        videos = _davis(prediction, Davis.open(truth, subset))
    elif layout == "davis-unsupervised":
        videos = _davis_unsupervised(prediction, Davis.open(truth, subset, unsupervised=True))
    elif layout == "sa-v" and _has_masklets(truth):
        videos = _masklets(prediction, truth)
    elif layout == "sa-v":
        videos = _sav_folders(prediction, SavFolder.open(truth))
    else:
        raise ValueError(f"there is no layout {layout!r}; there are {', '.join(LAYOUTS)}")
    reports = []
    with shown(progress, "videos") as tell:
        for total, report in videos:
            reports.append(report)
            tell(len(reports), total)
    return VideoReport.total(reports)


Reports = Iterator[tuple[int, VideoReport]]  # the number of videos, with the report of each


def _vipseg(prediction: Path, truth: Path, windows: Sequence[int], by_name: bool) -> Reports:
    true, predicted = VipsegVideos.open(truth), VipsegVideos.open(prediction)
    categories = _translated(true, predicted, by_name)
    for video in true.annotations:
        if video not in predicted.annotations:
            raise FileNotFoundError(f"{str(predicted.json_path)!r} lacks the video {video!r}")
        names, found = true.file_names(video), predicted.file_names(video)
        if found != names:
            missing = [name for name in names if name not in found]
            raise ValueError(
                f"video {video!r} has {len(names)} frames, its prediction {len(found)}"
                + (f"; {missing[0]!r} is missing" if missing else ", in another order")
            )
        report = evaluate_video(
            predicted.frames(video, categories),
            true.frames(video),
            name=video,
            windows=windows,
            progress=False,
        )
        yield len(true.annotations), report


def _translated(
    true: VipsegVideos, predicted: VipsegVideos, by_name: bool
) -> dict[int, NamedCategory | None]:
    """What the prediction's category ids mean, in the categories of the truth; None is void."""
    if not true.categories:
        raise ValueError(f"{str(true.json_path)!r} lists no categories")
    if by_name and not predicted.categories:
        raise ValueError(f"{str(predicted.json_path)!r} names no categories: evaluate by id")
    named = {c.name: c for c in true.categories.values()}
    translated: dict[int, NamedCategory | None] = {}
    if not by_name:
        translated.update(true.categories)
    for c in predicted.categories.values():
        if c.id == UNKNOWN_ID and c.name == UNKNOWN:
            translated[c.id] = None
        elif by_name:
            if c.name not in named:
                raise ValueError(f"the ground truth has no category called {c.name!r}")
            translated[c.id] = named[c.name]
        elif c.id in true.categories and true.categories[c.id].name != c.name:
            raise ValueError(
                f"category {c.id} is {c.name!r} in the prediction and "
                f"{true.categories[c.id].name!r} in the ground truth: evaluate by name, or give "
                "both the same ids"
            )
    return translated


def _davis(prediction: Path, truth: Davis) -> Reports:
    for sequence in truth.sequences:
        frames = truth.frames(sequence)
        _check_length(sequence, len(frames))
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


def _davis_unsupervised(prediction: Path, truth: Davis) -> Reports:
    for sequence in truth.sequences:
        frames = truth.frames(sequence)
        _check_length(sequence, len(frames), least=1)
        objects = range(1, _highest(read_indices(frames[0])) + 1)
        meter = FoundIdsMeter(sequence)
        for frame in frames:
            true, found = read_indices(frame), read_indices(prediction / sequence / frame.name)
            if int(found.max()) > MAX_PROPOSALS:
                raise ValueError(
                    f"{str(prediction / sequence / frame.name)!r} has object {int(found.max())}: "
                    f"DAVIS allows {MAX_PROPOSALS} in this task"
                )
            if found.shape != true.shape:
                raise _other_size(prediction / sequence / frame.name, found, true)
            meter.add(found, true, range(1, MAX_PROPOSALS + 1), objects, true == VOID_INDEX)
        yield len(truth.sequences), VideoReport(1, len(frames), meter.result())


def _sav_folders(prediction: Path, truth: SavFolder) -> Reports:
    found = SavFolder.open(prediction)
    for video in truth.videos:
        meter = GivenIdsMeter(video, from_first_seen=True)
        annotated: set[str] = set()
        for number, name in enumerate(truth.objects(video)):
            frames = truth.frames(video, name)
            _check_length(f"{video}/{name}", len(frames))
            for frame in frames[1:-1]:
                mask = read_mask(found.annotations / video / name / frame.name)
                meter.add({number: mask}, {number: read_mask(frame)})
                annotated.add(frame.name)
        yield len(truth.videos), VideoReport(1, len(annotated), meter.result())


def _masklets(prediction: Path, truth: Path) -> Reports:
    true, found = find_masklets(truth), find_masklets(prediction)
    for video, path in true.items():
        if video not in found:
            raise FileNotFoundError(f"{str(prediction)!r} has no masklets of the video {video!r}")
        ours, theirs = Masklets.open(found[video]), Masklets.open(path)
        if len(ours) != len(theirs):
            raise ValueError(
                f"video {video!r} has {len(theirs)} annotated frames, its prediction {len(ours)}: "
                "annotate the same frames (SA-V: every fourth)"
            )
        _check_length(video, len(theirs))
        meter = GivenIdsMeter(video, from_first_seen=True)
        for number in range(1, len(theirs) - 1):
            meter.add(ours.masks(number), theirs.masks(number))
        yield len(true), VideoReport(1, len(theirs) - 2, meter.result())


def _has_masklets(path: Path) -> bool:
    return path.is_file() or any(path.glob("*_*.json"))


def _check_length(name: str, frames: int, least: int = 3) -> None:
    if frames < least:
        raise ValueError(f"{name!r} has {frames} annotated frames, at least {least} are needed")


def _highest(indices: np.ndarray) -> int:
    return int(np.where(indices == VOID_INDEX, 0, indices).max())


def _other_size(path: Path, found: np.ndarray, true: np.ndarray) -> ValueError:
    return ValueError(
        f"{str(path)!r} is {found.shape}, the ground truth {true.shape} (height, width): "
        "evaluate at the size of the truth"
    )
