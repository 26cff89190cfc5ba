"""A video as one unit of work: tracked, written frame by frame, put in its place as a whole."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from panoptic.dataset.label_files import LabelFiles
from panoptic.dataset.tasks import Outcome, SegmentRecord, Task
from panoptic.errors import DatasetError, ImageError
from panoptic.image_pipeline import ImagePipeline
from panoptic.io.files import file_hash, to_disk
from panoptic.io.picture_settings import MAX_VIDEO_BYTES
from panoptic.io.sources.opening import local_video
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.track import track
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


def label_video(
    labeller: Any,
    task: Task,
    vocabulary: Vocabulary,
    files: LabelFiles,
    writers: ThreadPoolExecutor,
    max_bytes: int = MAX_VIDEO_BYTES,
) -> Outcome:
    """Labels a video; memory doesn't grow with its length. ``OSError`` where it can't be written.

    Raises ``ImageError`` for what can't be read, and whatever the labeller raises.
    """
    start = time.perf_counter()
    if task.unit.problem is not None:
        raise ImageError(task.unit.problem)
    follow = _tracker(labeller)
    if follow is None:
        raise DatasetError(f"{type(labeller).__name__} labels pictures only, and this is a video")
    with local_video(task.unit, max_bytes) as path:
        content = file_hash(path)
        if content == task.content:
            return Outcome(task.id, 0.0, content=content, unchanged=True)
        masklets: dict[int, _Masklet] = {}
        waiting: deque[Future[None]] = deque()
        size, count = (0, 0), 0
        with files.video(task.key, task.previous) as folder:
            for frame in follow(path, vocabulary):
                result: PanopticSegmentation = frame.segmentation
                size = (result.height, result.width)
                for segment in result:
                    masklets.setdefault(segment.id, _Masklet(segment.category_id)).add(segment)
                waiting.append(writers.submit(_write, result, folder, count))
                count += 1
                while len(waiting) > _WAITING:
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
            if not count:
                raise ImageError(f"{task.unit.source!r} has no frames")
    segments = tuple(masklets[id].record(id) for id in sorted(masklets))
    quality = _quality(masklets)
    seconds = time.perf_counter() - start
    return Outcome(task.id, seconds, None, content, size, count, quality, segments)


def _tracker(labeller: Any) -> Callable[[Path, Vocabulary], Iterable[Any]] | None:
    """What labels the frames of a video; None where nothing does."""
    if isinstance(labeller, ImagePipeline):
        return partial(track, labeller, progress=False)  # the data set has a bar
    return labeller.track if isinstance(labeller, Tracker) else None


def _write(result: PanopticSegmentation, folder: Path, number: int) -> None:
    path = result.save(folder, f"{number:06}", file_name=f"{number:06}")
    to_disk(path)
    to_disk(path.with_suffix(".png"))


def _quality(masklets: dict[int, _Masklet]) -> float | None:
    """The mean over all segments of all frames."""
    if not masklets:
        return 0.0
    judged = sum(m.judged for m in masklets.values())
    return sum(m.quality for m in masklets.values()) / judged if judged else None
