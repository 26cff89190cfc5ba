"""J&F of objects in SA-V's layouts: folders of PNGs and masklet files, each against each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from panoptic.formats.sa_v_objects import Name, ObjectMasks, SavVideos, VideoObjects
from panoptic.measure.jf import FoundIdsMeter, GivenIdsMeter
from panoptic.measure.video_report import VideoReport

LEAST_FRAMES = 3  # the first and the last annotated frame don't count


def evaluate_sav(
    prediction: Path,
    truth: Path,
    *,
    unsupervised: bool = False,
    skip_missing: bool = False,
    only: Collection[str] | None = None,
    notes: list[str],
) -> Iterator[tuple[int, VideoReport | None]]:
    """The number of videos, with the report of each, None where nothing of it could be compared;
    what was left out is added to ``notes``.

    Masks are compared on the frames that the truth has; ``only`` names the videos that are asked
    for, None for all. Raises ``ValueError`` and ``FileNotFoundError``.
    """
    true, found = SavVideos.open(truth), SavVideos.open(prediction)
    videos = [video for video in true.videos if only is None or video in only]
    total = len(videos)
    for video in videos:
        if video not in found.videos:
            if not skip_missing:
                raise FileNotFoundError(
                    f"{str(found.root)!r} has no masklets of the video {video!r} "
                    "(--skip-missing, skip_missing=True, leaves such videos out)"
                )
            notes.append(f"left out, having no prediction: video {video!r}")
            yield total, None
            continue
        ours, theirs = found.load(video), true.load(video)
        if not (ours.is_numbered and theirs.is_numbered):
            _check_same_count(video, ours, theirs)
            ours, theirs = ours.by_place(), theirs.by_place()
        if unsupervised:
            yield total, _found_ids(video, ours, theirs, notes)
        else:
            told = "the ids in the prediction are its own, not the truth's: see sa-v-unsupervised"
            if ours.has_own_ids and told not in notes:
                notes.append(told)
            yield total, _given_ids(video, found.root, ours, theirs, notes)


def _given_ids(
    video: str,
    root: Path,
    ours: VideoObjects,
    theirs: VideoObjects,
    notes: list[str],
) -> VideoReport | None:
    """As SA-V's evaluation: each object without its first and last annotated frame."""
    meter = GivenIdsMeter(video, from_first_seen=True)
    annotated: set[Name] = set()
    for place, (name, true) in enumerate(theirs.by_id.items()):
        if len(true.frames) < LEAST_FRAMES:
            notes.append(
                f"left out: object {name} of video {video!r} has {len(true.frames)} annotated "
                "frames, of which the first and the last don't count"
            )
            continue
        number = name if isinstance(name, int) else place
        masks = _partner(name, ours.by_id, root / video)
        for frame in true.frames[1:-1]:
            expected = true.read(frame)
            meter.add({} if masks is None else {number: masks.read(frame)}, {number: expected})
            annotated.add(frame)
    return VideoReport(1, len(annotated), meter.result()) if annotated else None


def _partner(name: Name, objects: Mapping[Name, ObjectMasks], place: Path) -> ObjectMasks | None:
    """What was found under an id. A masklet file may lack an object that was never found."""
    if name in objects or not place.is_dir():
        return objects.get(name)
    folder = f"{name:03d}" if isinstance(name, int) else name
    raise FileNotFoundError(f"there is no {str(place / folder)!r}: every object needs a folder")


def _found_ids(
    video: str,
    ours: VideoObjects,
    theirs: VideoObjects,
    notes: list[str],
) -> VideoReport | None:
    """As DAVIS's unsupervised task: all annotated frames, objects paired so that J&F is highest."""
    frames = [f for t in theirs.by_id.values() for f in t.frames]
    shared = [f for f in dict.fromkeys(frames) if all(f in t.frames for t in theirs.by_id.values())]
    if not shared:
        notes.append(f"left out: video {video!r} has no frame in which all objects are annotated")
        return None
    meter = FoundIdsMeter(video)
    for frame in shared:
        meter.add_masks(
            {i: masks.read(frame) for i, masks in enumerate(ours.by_id.values())},
            {i: masks.read(frame) for i, masks in enumerate(theirs.by_id.values())},
        )
    return VideoReport(1, len(shared), meter.result())


def _check_same_count(video: str, ours: VideoObjects, theirs: VideoObjects) -> None:
    """Frames without numbers can only be compared if both sides have as many."""
    counts = [
        max((len(o.frames) for o in side.by_id.values()), default=0) for side in (theirs, ours)
    ]
    if counts[0] != counts[1]:
        raise ValueError(
            f"video {video!r} has {counts[0]} annotated frames, its prediction {counts[1]}, and "
            "not both say which: annotate the same frames (SA-V: every fourth)"
        )
