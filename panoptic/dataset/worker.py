"""One worker: reading, labelling and writing at the same time, in bounded memory.

Which pictures go through the models together depends on the files alone: those of a chunk that
can be read, in the order of their sizes, cut into batches. On a GPU a picture's numbers depend
in their last bits on its company, so a run that was killed and goes on labels the very batches
that it would have without.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from panoptic.dataset.label_files import LabelFiles, unwritable
from panoptic.dataset.label_marks import mark_of
from panoptic.dataset.tasks import Outcome, SegmentRecord, Task, mean_quality
from panoptic.errors import DatasetError, ImageError, OutputError
from panoptic.io.files import content_hash
from panoptic.io.images import Picture, header_size, read_picture
from panoptic.io.names import printable
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.sources.opening import read_unit
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary
from sam2core.prefetch import prefetch

# Files of a chunk that are kept from the first look at them until they are decoded.
_KEPT_BYTES = 128 * 2**20
# So many pictures on which the models fail, before they work on a single one, are no accident.
_HOPELESS = 8


class Labeller(Protocol):
    """Labels pictures; ``PanopticPipeline`` does. For videos it needs ``track`` as well."""

    def segment_batch(
        self, images: Sequence[Any], vocabulary: Vocabulary
    ) -> list[PanopticSegmentation]: ...


class StopSign(Protocol):
    """An event, be it of threads, of processes or of machines."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class _File:
    task: Task
    content: str
    size: tuple[int, int]
    data: bytes | None


@dataclass(frozen=True)
class _Batch:
    """Pictures, decoded, that go through the models together; or a video; and what is broken. One
    with nothing in it asks for all that is finished to be told."""

    tasks: tuple[tuple[Task, str], ...] = ()
    pictures: tuple[np.ndarray, ...] = ()
    video: Task | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.tasks or self.video or self.outcomes)


def _keep_some(files: list[_File]) -> list[_File]:
    kept, left = [], _KEPT_BYTES
    for file in files:
        left -= len(file.data or b"")
        kept.append(file if left >= 0 else replace(file, data=None))
    return kept


class Worker:
    """Labels tasks with one set of models and writes the labels."""

    def __init__(
        self,
        labeller: Labeller,
        vocabulary: Vocabulary,
        files: LabelFiles,
        settings: DatasetSettings,
    ) -> None:
        self.labeller = labeller
        self.vocabulary = vocabulary
        self.files = files
        self.settings = settings
        self.pictures = picture_settings(labeller)
        self._worked = False
        self._failed = 0

    def run(
        self, chunks: Iterable[list[Task]], stop: StopSign | None = None
    ) -> Iterator[list[Outcome]]:
        """Outcomes of all tasks that aren't done, soon after their labels are on the disk.

        An empty chunk says that the next may be long in coming: all that is finished is told.
        After ``stop`` is set, what is decoded already is finished and nothing more begun. Raises
        ``OutputError`` where labels can't be written, ``DatasetError`` where the models fail on
        everything.
        """
        ended = threading.Event()
        settings = self.settings

        def is_over() -> bool:
            return ended.is_set() or (stop is not None and stop.is_set())

        waiting: deque[Future[Outcome]] = deque()
        with (
            ThreadPoolExecutor(settings.readers, "panoptic-read") as readers,
            ThreadPoolExecutor(settings.writers, "panoptic-write") as writers,
        ):
            batches = prefetch(self._batches(chunks, readers, is_over), _itself, settings.ahead)
            try:
                for batch in batches:
                    finished = list(batch.outcomes)
                    if batch.video is not None:
                        finished += self._label_video(batch.video, writers, is_over)
                    for task, content, result, seconds in self._label(batch, finished):
                        waiting.append(writers.submit(self._write, task, content, result, seconds))
                    while waiting and (
                        waiting[0].done()
                        or len(waiting) > settings.ahead * settings.batch
                        or batch.is_empty
                    ):
                        finished.append(waiting.popleft().result())
                    if finished:
                        yield finished
                while waiting:
                    yield [waiting.popleft().result()]
            finally:
                ended.set()
                batches.close()  # type: ignore[attr-defined]

    # -- reading -------------------------------------------------------------------------------

    def _batches(
        self,
        chunks: Iterable[list[Task]],
        readers: ThreadPoolExecutor,
        is_over: Callable[[], bool],
    ) -> Iterator[_Batch]:
        for chunk in chunks:
            if is_over():
                return
            if not chunk:
                yield _Batch()
            images = [task for task in chunk if task.unit.kind == "image"]
            wanted = [task for task in images if not task.done]
            looked_at = dict(zip(wanted, readers.map(self._look_at, wanted), strict=True))
            if outcomes := tuple(o for _, o in looked_at.values() if o is not None):
                yield _Batch(outcomes=outcomes)
            left = [file for file, _ in looked_at.values() if file and not file.task.done]
            if all(file.task.failed for file in left):
                # Where they fail as ever, nothing is labelled, and their company needn't be read.
                failures = tuple(o for o in readers.map(self._failure_of, left) if o is not None)
                if failures and len(failures) == len(left):
                    yield _Batch(outcomes=failures)
                    left = []
            company = [task for task in images if task.done] if left else []
            looked_at |= zip(company, readers.map(self._look_at, company), strict=True)
            files = [looked_at[task][0] for task in images if task in looked_at] if left else []
            for batch in self._cut(_keep_some([file for file in files if file is not None])):
                if is_over():
                    return
                if not all(file.task.done for file in batch):
                    yield self._decode(batch, readers)
            for task in chunk:
                if is_over():
                    return
                if task.unit.kind == "video" and not task.done:
                    yield _Batch(video=task)

    def _look_at(self, task: Task) -> tuple[_File | None, Outcome | None]:
        """A file, if it can be read, and what there is to tell of it already."""
        start = time.perf_counter()
        if task.done and task.content is not None and task.header is not None:
            return _File(task, task.content, task.header, None), None  # it is as it was
        try:
            if task.unit.problem is not None:
                raise ImageError(task.unit.problem)
            data = read_unit(task.unit, self.pictures.max_bytes)
        except Exception as error:
            return None, None if task.done else _failure(task, error, start)
        content, outcome = content_hash(data), None
        size = header_size(data)
        task = replace(task, header=size)
        if not task.done and content == task.content:
            task = replace(task, done=True)
            outcome = Outcome(task.id, 0.0, content=content, unchanged=True)
        return _File(task, content, size, data), outcome

    def _cut(self, files: list[_File]) -> Iterator[list[_File]]:
        batch, pixels = list[_File](), 0
        for file in sorted(files, key=lambda f: f.size):
            more = file.size[0] * file.size[1]
            if batch and (
                len(batch) == self.settings.batch or pixels + more > self.settings.batch_pixels
            ):
                yield batch
                batch, pixels = [], 0
            batch.append(file)
            pixels += more
        if batch:
            yield batch

    def _decode(self, batch: list[_File], readers: ThreadPoolExecutor) -> _Batch:
        tasks, pictures, outcomes = [], [], []
        for file, decoded in zip(batch, readers.map(self._decode_one, batch), strict=True):
            if isinstance(decoded, Picture):
                note = "; ".join(decoded.notes) or None
                tasks.append((replace(file.task, note=note), file.content))
                pictures.append(decoded.pixels)
            elif decoded is not None:
                outcomes.append(decoded)
        return _Batch(tuple(tasks), tuple(pictures), None, tuple(outcomes))

    def _decode_one(self, file: _File) -> Picture | Outcome | None:
        start = time.perf_counter()
        unit = file.task.unit
        try:
            data = file.data or read_unit(unit, self.pictures.max_bytes)
            if file.data is None and content_hash(data) != file.content:
                raise ImageError(f"{unit.source!r} changed while it was read")
            return read_picture(data, self.pictures, repr(unit.source))
        except Exception as error:
            return None if file.task.done else _failure(file.task, error, start)

    def _failure_of(self, file: _File) -> Outcome | None:
        decoded = self._decode_one(file)
        return decoded if isinstance(decoded, Outcome) else None

    # -- labelling -----------------------------------------------------------------------------

    def _label(
        self, batch: _Batch, finished: list[Outcome]
    ) -> Iterator[tuple[Task, str, PanopticSegmentation, float]]:
        """What is to be written; what the models can't do is added to ``finished``."""
        if not any(not task.done for task, _ in batch.tasks):
            return
        start = time.perf_counter()
        try:
            results: list[PanopticSegmentation | Exception] = [
                *self.labeller.segment_batch(batch.pictures, self.vocabulary)
            ]
        except Exception as error:
            results = [error] if len(batch.tasks) == 1 else self._one_by_one(batch)
        seconds = (time.perf_counter() - start) / len(batch.tasks)
        for (task, content), result in zip(batch.tasks, results, strict=True):
            if task.done:
                continue
            if isinstance(result, Exception):
                self._count_failure(result)
                finished.append(_failure(task, result, start))
            else:
                self._worked = True
                yield task, content, _bare(result), seconds

    def _one_by_one(self, batch: _Batch) -> list[PanopticSegmentation | Exception]:
        """One picture, or all of them together in too little memory, must not fail the others."""
        results: list[PanopticSegmentation | Exception] = []
        for picture in batch.pictures:
            try:
                results += self.labeller.segment_batch([picture], self.vocabulary)
            except Exception as error:
                results.append(error)
        return results

    def _count_failure(self, error: Exception) -> None:
        self._failed += 1
        if self._failed >= _HOPELESS and not self._worked:
            raise DatasetError(
                f"the models fail on all of the first {self._failed} pictures: {error}"
            ) from error

    # -- writing -------------------------------------------------------------------------------

    def _write(
        self, task: Task, content: str, result: PanopticSegmentation, seconds: float
    ) -> Outcome:
        try:
            self.files.write(task.key, result, printable(task.unit.name), task.previous)
            mark = mark_of(self.files.parts(task.key, "image", 1))
        except OSError as error:
            raise unwritable(self.files, error) from error
        segments = tuple(
            SegmentRecord(s.id, s.category_id, s.area, s.score, s.quality) for s in result
        )
        return Outcome(
            *(task.id, seconds, None, content, (result.height, result.width), 1),
            *(mean_quality(segments), segments),
            mark=mark,
            header=task.header,
            note=task.note,
        )

    def _label_video(
        self, task: Task, writers: ThreadPoolExecutor, is_over: Callable[[], bool]
    ) -> list[Outcome]:
        """What became of it; nothing if it is left for the next run to go on with."""
        from panoptic.dataset.video_worker import label_video

        start = time.perf_counter()
        try:
            done = label_video(
                *(self.labeller, task, self.vocabulary, self.files, writers),
                max_bytes=self.pictures.max_video_bytes,
                is_over=is_over,
            )
            return [] if done is None else [done]
        except OutputError:
            raise
        except Exception as error:
            return [_failure(task, error, start)]


def picture_settings(labeller: Any) -> PictureSettings:
    """How a labeller asks for pictures to be read; else the defaults."""
    own = getattr(getattr(labeller, "settings", None), "pictures", None)
    return own if isinstance(own, PictureSettings) else PictureSettings()


def _bare(result: PanopticSegmentation) -> PanopticSegmentation:
    """Without the picture and how it came about, which needn't wait for the disk."""
    bare = copy.copy(result)
    object.__setattr__(bare, "image", None)
    object.__setattr__(bare, "explanation", None)
    return bare


def _failure(task: Task, error: Exception, start: float) -> Outcome:
    text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return Outcome(task.id, time.perf_counter() - start, error=text or type(error).__name__)


def _itself(batch: _Batch) -> _Batch:
    return batch
