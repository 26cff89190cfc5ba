"""DAVIS and SA-V, semi-supervised: the masks of each object's first frame are given, and followed.

Predictions are written as each set lays out its own labels, in ``predictions/``, so that its own
evaluation reads them as well: ``VIDEO/00000.png`` of all objects (DAVIS), or
``VIDEO/OBJECT/00000.png`` of each, for the frames that are annotated (SA-V). A clip is done when
its record in ``clips/`` is there, which is written last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from panoptic.benchmark.clip_records import ClipRecords
from panoptic.benchmark.follow import Given, as_one, follow, frame_paths, write_indices
from panoptic.benchmark.layouts import Clips
from panoptic.benchmark.measured import Measured, percent
from panoptic.errors import DatasetError
from panoptic.formats.davis import VOID_INDEX, Davis, read_indices
from panoptic.formats.sa_v import SavFolder, read_mask
from panoptic.io.output_folder import OutputFolder
from panoptic.io.progress import Progress
from panoptic.measure.evaluate_folders import evaluate_folders
from sam2core import Sam2, TrackedFrame

PREDICTIONS = "predictions"


class MaskletSet(Protocol):
    """How a set lays out what is given and what is predicted."""

    layout: str

    @property
    def videos(self) -> Sequence[str]: ...
    def frames(self, video: str) -> dict[str, Path]: ...
    def given(self, video: str, names: Sequence[str]) -> Given: ...
    def places(self, video: str) -> list[str]:
        """The folders below ``predictions/`` that get the PNGs of a video."""

    def files(self, video: str, names: Sequence[str]) -> int:
        """How many PNGs a video has when it is done."""

    def write(self, folder: Path, video: str, name: str, frame: TrackedFrame | None) -> None:
        """The PNGs of one frame; None before any object is given."""


class DavisMasks:
    """All objects are there in the first frame, in one PNG a frame."""

    layout = "davis"

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        self._davis = Davis.open(clips.root, clips.subset)

    @property
    def videos(self) -> Sequence[str]:
        return self._davis.sequences

    def frames(self, video: str) -> dict[str, Path]:
        return frame_paths(self._clips.frames / video)

    def given(self, video: str, names: Sequence[str]) -> Given:
        first = read_indices(self._davis.annotations / video / f"{names[0]}.png")
        ids = [int(i) for i in np.unique(first) if i not in (0, VOID_INDEX)]
        if not ids:
            raise DatasetError(f"{video}: there is no object in the first frame's annotation")
        return {0: {id: first == id for id in ids}}

    def places(self, video: str) -> list[str]:
        return [video]

    def files(self, video: str, names: Sequence[str]) -> int:
        return len(names)

    def write(self, folder: Path, video: str, name: str, frame: TrackedFrame | None) -> None:
        assert frame is not None  # all objects are given in the first
        write_indices(folder / video / f"{name}.png", as_one(frame))


class SavMasks:
    """A PNG an object and annotated frame; masks may overlap. An object is given in the first
    annotated frame that shows it."""

    layout = "sa-v"

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        self._truth = SavFolder.open(clips.root)
        self._annotated: tuple[str, dict[str, set[str]]] = ("", {})

    @property
    def videos(self) -> Sequence[str]:
        return self._truth.videos

    def frames(self, video: str) -> dict[str, Path]:
        return frame_paths(self._clips.frames / video)

    def given(self, video: str, names: Sequence[str]) -> Given:
        numbers = {name: number for number, name in enumerate(names)}
        found: dict[int, dict[int, np.ndarray]] = {}
        for name in self._truth.objects(video):
            for path in self._truth.frames(video, name):
                if path.stem not in numbers:
                    raise DatasetError(f"{str(path)!r} is annotated, but {video} has no such frame")
                mask = read_mask(path)
                if mask.any():
                    found.setdefault(numbers[path.stem], {})[_number(name)] = mask
                    break
        return found

    def places(self, video: str) -> list[str]:
        return [f"{video}/{name}" for name in self._truth.objects(video)]

    def files(self, video: str, names: Sequence[str]) -> int:
        return sum(len(frames) for frames in self._frames_of(video).values())

    def write(self, folder: Path, video: str, name: str, frame: TrackedFrame | None) -> None:
        for object, frames in self._frames_of(video).items():
            if name not in frames:
                continue
            path = folder / video / object / f"{name}.png"
            if frame is not None and (id := _number(object)) in frame.object_ids:
                mask = frame.mask(id)
            else:  # not given yet, or never seen
                mask = np.zeros_like(
                    read_mask(self._truth.annotations / video / object / path.name)
                )
            write_indices(path, mask.astype(np.uint8))

    def _frames_of(self, video: str) -> dict[str, set[str]]:
        """The annotated frames of each object."""
        if self._annotated[0] != video:
            objects = self._truth.objects(video)
            frames = {o: {path.stem for path in self._truth.frames(video, o)} for o in objects}
            self._annotated = video, frames
        return self._annotated[1]


def run_masklets(
    masks: MaskletSet,
    root: Path,
    model: Sam2,
    out: OutputFolder,
    limit: int | None,
    progress: Progress,
) -> Measured:
    """Follows what isn't done yet, clip by clip, and evaluates the first ``limit`` clips."""
    videos = list(masks.videos)[:limit]
    records = ClipRecords(out)
    progress(0, len(videos))
    for done, video in enumerate(videos, start=1):
        frames = masks.frames(video)
        places = [f"{PREDICTIONS}/{place}" for place in masks.places(video)]
        if not _is_whole(records.get(video), out.root, places, masks.files(video, list(frames))):
            started = time.perf_counter()
            _write_clip(masks, video, frames, model, out, places)
            records.put(video, len(frames), time.perf_counter() - started)
        progress(done, len(videos))
    report = evaluate_folders(
        out.root / PREDICTIONS, root, masks.layout, only=videos, progress=progress
    )
    scores = {
        "J&F": percent(report.jf.jf),
        "J": percent(report.jf.j.mean),
        "F": percent(report.jf.f.mean),
    }
    total = records.total(videos)
    return Measured(
        *(scores, "clips", len(videos), len(masks.videos), report.to_dict()),
        counted=f"{len(report.jf.objects)} objects",
        timed=total.frames,
        seconds=total.seconds,
        timed_unit="frame",
    )


def _write_clip(
    masks: MaskletSet,
    video: str,
    frames: dict[str, Path],
    model: Sam2,
    out: OutputFolder,
    places: Sequence[str],
) -> None:
    for place in places:
        folder = out.files(place, "*.png")
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.png"):  # what a killed run left
            path.unlink()
    names = list(frames)
    given = masks.given(video, names)
    folder = out.root / PREDICTIONS
    for name in names[: min(given, default=len(names))]:
        masks.write(folder, video, name, None)
    for frame in follow(model, list(frames.values()), given):
        masks.write(folder, video, names[frame.frame_index], frame)


def _is_whole(record: Any, root: Path, places: Sequence[str], files: int) -> bool:
    found = sum(1 for place in places for _ in (root / place).glob("*.png"))
    return record is not None and found == files


def _number(name: str) -> int:
    try:
        return int(name)
    except ValueError as error:
        raise DatasetError(
            f"objects of SA-V are called by numbers, such as 000, got {name!r}"
        ) from error
