"""A video as one unit of work: tracked, written frame by frame, put in its place as a whole."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from panoptic.dataset.label_files import LabelFiles
from panoptic.dataset.label_marks import mark_of
from panoptic.dataset.tasks import LabelMark, Outcome, SegmentRecord, Task
from panoptic.dataset.unfinished_videos import UnfinishedVideo
from panoptic.errors import DatasetError, ImageError, OutputError
from panoptic.formats.coco_panoptic import save_result
from panoptic.image_pipeline import ImagePipeline
from panoptic.io.clips import VideoInput
from panoptic.io.files import file_hash, to_disk
from panoptic.io.picture_settings import MAX_VIDEO_BYTES
from panoptic.io.sources.opening import local_video
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.passes import ForwardPass
from panoptic.video.resume_points import Checkpoint
from prompts import Vocabulary

_WAITING = 8  # frames that may wait to be written


@runtime_checkable
class Tracker(Protocol):
    """Labels the frames of a video in order; ``PanopticPipeline`` does."""

    def track(self, video: Any, vocabulary: Vocabulary) -> Iterable[Any]: ...


@dataclass
class _Masklet:
    category_id: int
    frames: int = 0
    area: int = 0
    score: float = 0.0
    judged: int = 0
    quality: float = 0.0

    def add(self, segment: Segment) -> None:
        self.frames += 1
        self.area += segment.area
        self.score += segment.score
        if segment.quality is not None:
            self.judged += 1
            self.quality += segment.quality

    def record(self, id: int) -> SegmentRecord:
        quality = self.quality / self.judged if self.judged else None
        n = self.frames
        return SegmentRecord(id, self.category_id, round(self.area / n), self.score / n, quality)


class _Progress:
    """How far a video is, and what its frames came to so far."""

    def __init__(self, begun: Checkpoint | None = None) -> None:
        self.count, self.size = 0, (0, 0)
        self.masklets: dict[int, _Masklet] = {}
        if begun is not None:
            self.count, self.size = begun.frame, tuple(begun.summary["size"])
            for id, values in begun.summary["masklets"].items():
                self.masklets[id] = _Masklet(*values)

    def add(self, result: PanopticSegmentation) -> int:
        """Takes in the next frame, and returns its number."""
        self.size = (result.height, result.width)
        for segment in result:
            self.masklets.setdefault(segment.id, _Masklet(segment.category_id)).add(segment)
        self.count += 1
        return self.count - 1

    def summary(self) -> dict[str, Any]:
        masklets = {id: list(astuple(masklet)) for id, masklet in self.masklets.items()}
        return {"size": list(self.size), "masklets": masklets}

    def outcome(self, task: Task, seconds: float, content: str, mark: LabelMark) -> Outcome:
        segments = tuple(self.masklets[id].record(id) for id in sorted(self.masklets))
        quality = _quality(self.masklets)
        counts = (self.size, self.count, quality, segments)
        return Outcome(task.id, seconds, None, content, *counts, mark=mark)


def label_video(
    labeller: Any,
    task: Task,
    vocabulary: Vocabulary,
    files: LabelFiles,
    writers: ThreadPoolExecutor,
    max_bytes: int = MAX_VIDEO_BYTES,
    is_over: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """Labels a video; memory doesn't grow with its length.

    A pipeline's work is gone on with where it was broken off, by a kill or by ``is_over``, which
    is asked after each frame; then the outcome is None. The labels are, to the byte, those of an
    undisturbed run. Another labeller's videos begin anew, and are finished before a run ends.

    Raises ``ImageError`` for what can't be read, ``OutputError`` where labels can't be written, and
    whatever the labeller raises.
    """
    start = time.perf_counter()
    if task.unit.problem is not None:
        raise ImageError(task.unit.problem)
    if not isinstance(labeller, ImagePipeline | Tracker):
        raise DatasetError(f"{type(labeller).__name__} labels pictures only, and this is a video")
    with local_video(task.unit, max_bytes) as path:
        content = file_hash(path)
        if content == task.content:
            return Outcome(task.id, 0.0, content=content, unchanged=True)
        try:
            done = _label(labeller, task, vocabulary, path, content, files, writers, is_over)
        except _BrokenOff:
            return None
    mark = mark_of(files.parts(task.key, "video", done.count))
    return done.outcome(task, time.perf_counter() - start, content, mark)


class _BrokenOff(Exception):
    """What is done of the video is kept for the next run."""


def _label(
    labeller: ImagePipeline | Tracker,
    task: Task,
    vocabulary: Vocabulary,
    path: Path,
    content: str,
    files: LabelFiles,
    writers: ThreadPoolExecutor,
    is_over: Callable[[], bool],
) -> _Progress:
    done, unfinished, begun_in = _Progress(), None, None
    if isinstance(labeller, ImagePipeline):
        unfinished = UnfinishedVideo(files.root, task.key, content)
        begun_in = unfinished.frames
        begun = unfinished.load()
        done = _Progress(begun)
        forward = ForwardPass(labeller, vocabulary)
        state = begun.state if begun is not None else None
        video = VideoInput.of(path, pictures=labeller.settings.pictures)
        frames = forward.label(video, done.count, None, state)
    else:
        frames = iter(labeller.track(path, vocabulary))
    with (
        files.video(task.key, task.previous, begun_in) as folder,
        _Writing(folder, writers) as writing,
    ):
        for frame in frames:
            writing.put(done.add(frame.segmentation), frame.segmentation)
            if unfinished is None:
                continue
            over = is_over()
            if over or unfinished.is_due(done.count):
                writing.wait()
                with _writable(folder):
                    unfinished.save(done.count, forward.state(), done.summary())
            if over:
                raise _BrokenOff
        if not done.count:
            raise ImageError(f"{task.unit.source!r} has no frames")
    if unfinished is not None:
        unfinished.remove()
    return done


class _Writing:
    """Frames on their way to the disk, a few at a time."""

    def __init__(self, folder: Path, writers: ThreadPoolExecutor) -> None:
        self._folder, self._writers = folder, writers
        self._waiting: deque[Future[None]] = deque()

    def put(self, number: int, result: PanopticSegmentation) -> None:
        self._waiting.append(self._writers.submit(_write, result, self._folder, number))
        while len(self._waiting) > _WAITING:
            self._finish_one()

    def wait(self) -> None:
        """When this returns, all are on the disk."""
        while self._waiting:
            self._finish_one()

    def _finish_one(self) -> None:
        with _writable(self._folder):
            self._waiting.popleft().result()

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.wait()


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """A full disk ends the run; it is no fault of the video."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"labels can't be written to {str(folder)!r}: {error.strerror or error}. What is there "
            "is good; the same command goes on from it when this is mended"
        ) from error


def _write(result: PanopticSegmentation, folder: Path, number: int) -> None:
    name = f"{number:06}"  # after a kill, frames that no checkpoint knows of may be there
    path = save_result(result, folder, name, name, overwrite=True)
    to_disk(path)
    to_disk(path.with_suffix(".png"))


def _quality(masklets: dict[int, _Masklet]) -> float | None:
    """The mean over all segments of all frames."""
    if not masklets:
        return 0.0
    judged = sum(m.judged for m in masklets.values())
    return sum(m.quality for m in masklets.values()) / judged if judged else None
