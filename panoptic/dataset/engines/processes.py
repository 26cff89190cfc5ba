"""Several workers on this machine, each a process with models of its own.

A worker that dies is started again and gets what it hadn't told done. What kills a worker twice
is given out piece by piece, until the item that does it stands alone; that one is a failure.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from panoptic.dataset.engines.start_processes import processes
from panoptic.dataset.label_files import LabelFiles
from panoptic.dataset.tasks import Outcome, Task
from panoptic.dataset.worker import StopSign, Worker
from panoptic.dataset.worker_recipe import Recipe
from panoptic.devices import choose_devices
from panoptic.errors import DatasetError
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary

_AHEAD = 2  # chunks that a worker has, so that it never waits for the next
_HOPELESS = 3  # deaths in a row of workers that have labelled nothing


@dataclass(frozen=True)
class ProcessEngine:
    """As many worker processes as the settings say, on the device that the recipe asks for, or on
    the GPUs in turn."""

    recipe: Recipe
    vocabulary: Vocabulary
    files: LabelFiles
    settings: DatasetSettings

    def run(self, chunks: Iterator[list[Task]], stop: StopSign) -> Iterator[list[Outcome]]:
        shared = _Shared(chunks, processes().Event())
        supervisors = [
            threading.Thread(
                target=self._supervise, args=(shared, device), name="panoptic-worker", daemon=True
            )
            for device in choose_devices(self.recipe.device, self.settings.workers)
        ]
        for thread in supervisors:
            thread.start()
        working = len(supervisors)
        error: BaseException | None = None
        in_order = False
        try:
            while working:
                if stop.is_set() or error is not None:
                    shared.stop.set()
                try:
                    results = shared.results.get(timeout=0.2)
                except queue.Empty:
                    continue
                if isinstance(results, BaseException):
                    error = error or results
                elif results is None:
                    working -= 1
                else:
                    yield results
            in_order = True
            if error is not None:
                raise error
        finally:
            shared.stop.set()
            if not in_order:  # a second Ctrl-C, or nobody takes in what is done
                shared.kill()
            while working:  # makes way for those that wait to tell something
                working -= shared.results.get() is None

    def _supervise(self, shared: _Shared, device: str) -> None:
        try:
            _Supervisor(self, shared, device).run()
        except BaseException as error:
            shared.results.put(error)
        finally:
            shared.results.put(None)


class _Shared:
    """What the supervisors share: where chunks come from and outcomes go."""

    def __init__(self, chunks: Iterator[list[Task]], stop: Any) -> None:
        self._chunks = chunks
        self._lock = threading.Lock()
        self._processes: list[Any] = []
        self.stop = stop
        self.killed = False
        self.results: queue.Queue[list[Outcome] | BaseException | None] = queue.Queue(maxsize=16)

    def started(self, process: Any) -> bool:
        """Takes note of a worker; False, and it is ended, if all of them are."""
        with self._lock:
            self._processes.append(process)
            if self.killed:
                process.kill()
            return not self.killed

    def kill(self) -> None:
        """Ends all workers, whatever they are at: labels are whole or not there."""
        with self._lock:
            self.killed = True
            for process in self._processes:
                process.kill()

    def next_chunk(self) -> list[Task] | None:
        with self._lock:
            return None if self.stop.is_set() else next(self._chunks, None)


@dataclass
class _Given:
    """A chunk that a worker has, with the ids that it hasn't told of."""

    tasks: list[Task]
    left: set[int]
    deaths: int = 0


class _Supervisor:
    """One worker: gives it chunks, takes its outcomes, starts it again when it dies."""

    def __init__(self, engine: ProcessEngine, shared: _Shared, device: str) -> None:
        self.engine = engine
        self.shared = shared
        self.device = device
        self.given: deque[_Given] = deque()
        self.again: deque[_Given] = deque()
        self.deaths = 0

    def run(self) -> None:
        while self._work():
            self._bury()

    def _work(self) -> bool:
        """One life of the worker; True if it died."""
        context = processes()
        ours, theirs = context.Pipe()
        engine = self.engine
        process = context.Process(
            target=_work,
            args=(theirs, engine.recipe, self.device, engine.vocabulary, engine.files.root,
                  engine.settings, self.shared.stop),
            daemon=True,
        )  # fmt: skip
        process.start()
        theirs.close()
        ended = not self.shared.started(process)
        try:
            while True:
                while not ended and len(self.given) < _AHEAD:
                    chunk = self._next()
                    ended = chunk is None
                    ours.send(None if chunk is None else chunk.tasks)
                    if chunk is not None:
                        self.given.append(chunk)
                kind, content = ours.recv()
                if kind == "end":
                    return False
                if kind == "error":
                    raise content
                self._note(content)
                self.shared.results.put(content)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return not self.shared.killed
        finally:
            ours.close()
            process.join()

    def _next(self) -> _Given | None:
        if self.again and not self.shared.stop.is_set():
            return self.again.popleft()
        chunk = self.shared.next_chunk()
        return None if chunk is None else _Given(chunk, {t.id for t in chunk if not t.done})

    def _note(self, outcomes: list[Outcome]) -> None:
        self.deaths = 0
        for outcome in outcomes:
            for given in self.given:
                given.left.discard(outcome.id)
        while self.given and not self.given[0].left:
            self.given.popleft()

    def _bury(self) -> None:
        """Sees to what the dead worker had."""
        self.deaths += 1
        if self.deaths >= _HOPELESS:
            raise DatasetError(
                f"a worker died {self.deaths} times without labelling anything; there may be too "
                "little memory for so many workers"
            )
        lost, self.given = list(self.given), deque()
        first = lost[0] if lost else None
        if first is not None:
            first.deaths += 1
            if first.deaths >= 2:
                lost[0:1] = self._apart(first)
        # What was told done in a chunk is only company now, for the others' batches to be the same.
        for given in lost:
            given.tasks = [_with_done(task, task.id not in given.left) for task in given.tasks]
        self.again.extendleft(reversed(lost))

    def _apart(self, given: _Given) -> list[_Given]:
        tasks = [task for task in given.tasks if task.id in given.left]
        if len(tasks) > 1:
            return [_Given([task], {task.id}, deaths=1) for task in tasks]
        error = "the worker that labelled it died, twice"
        self.shared.results.put([Outcome(task.id, 0.0, error=error) for task in tasks])
        self.deaths = 0
        return []


def _with_done(task: Task, done: bool) -> Task:
    return replace(task, done=True) if done else task


def _work(
    connection: Connection,
    recipe: Recipe,
    device: str,
    vocabulary: Vocabulary,
    root: Any,
    settings: DatasetSettings,
    stop: Any,
) -> None:
    """The life of a worker process. Ctrl-C is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.workers))
    try:
        worker = Worker(recipe(device), vocabulary, LabelFiles(root), settings)
        for outcomes in worker.run(_received(connection), stop):
            connection.send(("outcomes", outcomes))
        connection.send(("end", None))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone; another run will go on
    except Exception as error:
        if not isinstance(error, DatasetError):
            error = DatasetError(f"a worker failed: {type(error).__name__}: {error}")
        connection.send(("error", error))


def _received(connection: Connection) -> Iterator[list[Task]]:
    try:
        while True:
            if not connection.poll():
                yield []  # nothing to do at once: what is finished should be told
            chunk = connection.recv()
            if chunk is None:
                return
            yield chunk
    except (EOFError, OSError):
        return
