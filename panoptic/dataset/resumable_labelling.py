"""label_dataset: a source in, labels and a manifest out, gone on with wherever it stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from panoptic.dataset.engines.local import Engine
from panoptic.dataset.fingerprint import describe, settings_hash
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.store import OWN, DatasetStore
from panoptic.dataset.task_list import TaskList
from panoptic.dataset.tasks import Counts, Failure, Outcome
from panoptic.dataset.unfinished_videos import UnfinishedVideos
from panoptic.dataset.verify_labels import LabelCheck
from panoptic.dataset.worker import Labeller
from panoptic.dataset.worker_recipe import Recipe, as_recipe, recipe_of, settings_of_run
from panoptic.devices import choose_devices, in_words
from panoptic.errors import TooManyErrors
from panoptic.io.output_folder import require_own
from panoptic.io.progress import Progress, shown
from panoptic.io.sources import SourceLike, open_source
from panoptic.io.sources.emptiness import check_not_empty, left_out
from panoptic.io.writer_lock import only_one
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary

log = logging.getLogger("panoptic.dataset")


@dataclass(frozen=True)
class DatasetRun:
    """How a run ended. ``labelled`` and ``failed`` count this run (corrections whose files are gone
    are among the failed); ``counts`` is all there is."""

    out: Path
    labelled: int
    failed: int
    counts: Counts
    seconds: float
    interrupted: bool

    def open(self) -> DatasetStore:
        """The labels."""
        return DatasetStore.open(self.out)


def label_dataset(
    labeller: Labeller | Recipe,
    source: SourceLike,
    vocabulary: Vocabulary,
    out: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    settings: DatasetSettings | None = None,
    progress: bool | Progress = True,
    engine: Engine | None = None,
) -> DatasetRun:
    """Labels everything that a source lists into the folder ``out``.

    ``source`` and ``images`` are as for ``panoptic.io.sources.open_source``. Started again,
    it goes on where it stopped, however that came about. Items that can't be labelled are
    recorded with the reason, and the rest is done. Ctrl-C finishes what is in flight; the result
    then says ``interrupted``. ``engine`` takes the place of the one that ``settings`` name.
    Those are by default the pipeline's own.

    Workers run on the device that the pipeline was loaded for; where none was named, on the GPUs
    in turn, if there are any. They compute in the pipeline's dtype. With several of them, or Ray,
    a ``PipelineRecipe`` may be given instead of a pipeline: then nothing is loaded here, and a
    dtype of "auto" is chosen for their devices.

    ``progress`` shows a bar on a terminal; a callback in its place is called with the items done
    by this run and those it has to do (None while the source is read). What there is to say goes
    to the log ``panoptic.dataset``: every item that is left out as a warning, with its ``Failure``
    as the record's ``failure``; the rest as information.

    Raises ``SourceError``, ``SettingsChangedError``, ``OutputError``, ``TooManyErrors``; all of
    them leave what is labelled so far in order, to be gone on with.
    """
    settings = settings or settings_of_run(labeller)
    start = time.perf_counter()
    root = Path(out)
    if not len(vocabulary):
        raise ValueError("the vocabulary is empty: ask for at least one thing or stuff word")
    opened = open_source(source, images)
    check_not_empty(opened)
    require_own(root, OWN)
    prepared = _prepare(labeller, settings, engine)
    fingerprint = settings_hash(vocabulary, prepared.described)
    with (
        only_one(root, "labelling into"),
        _stop_on_signal() as stop,
        DatasetStore.create(
            root, vocabulary, prepared.described, fingerprint, opened.label, redo=settings.redo
        ) as store,
        shown(progress, "items") as tell,
    ):
        store.files.clean()
        unfinished = UnfinishedVideos(root)
        unfinished.begin(fingerprint)
        for _ in store.manifest.scan(opened):
            tell(0, None)
            if stop.is_set():
                break
        if (others := left_out(opened)) is not None:
            log.info("%s", others)
        tasks = TaskList(store.manifest, fingerprint)
        check = LabelCheck(store.files, tasks, store.verdicts)
        for _ in check.run():
            tell(0, None)
            if stop.is_set():
                break
        done, to_do = store.counts().done, len(tasks)
        if done:
            log.info("%d labelled already, %d to do", done, to_do)
        tell(0, to_do)
        run = _Run(store.manifest, tasks, settings, stop, failed=check.corrections_lost)
        if not stop.is_set():
            chosen = engine or _engine(prepared.labeller, vocabulary, store, settings)
            run.label(chosen, lambda done: tell(done, to_do))
        store.files.clean()
        if not stop.is_set():
            unfinished.end()
        seconds = time.perf_counter() - start
        return DatasetRun(root, run.labelled, run.failed, store.counts(), seconds, stop.is_set())


@dataclass
class _Run:
    manifest: Manifest
    tasks: TaskList
    settings: DatasetSettings
    stop: threading.Event
    failed: int
    labelled: int = 0

    def label(self, engine: Engine, tell: Callable[[int], object]) -> None:
        done = 0
        halt = threading.Event()  # of ours, so that a run ended by errors isn't "interrupted"
        chunks = self.tasks.chunks(self.settings.chunk)
        stop = _Either((self.stop, halt))
        with _closed(engine.run(chunks, stop)) as finished:
            for outcomes in finished:
                for change in self.tasks.record(outcomes):
                    log.warning(
                        "%r was %s, and %s: it is labelled anew, and waits for a verdict",
                        *(change.name, change.before, change.why),
                    )
                failures = [o for o in outcomes if o.error is not None]
                self.failed += len(failures)
                self.labelled += sum(o.error is None and not o.unchanged for o in outcomes)
                for outcome in failures:
                    _left_out(self.manifest.failure(outcome.id))
                for outcome in outcomes:
                    if outcome.note is not None:
                        log.info("%s", outcome.note, extra={"note": True})
                done += len(outcomes)
                tell(done)
                most = self.settings.max_errors
                if most is not None and self.failed > most:
                    halt.set()  # what is in flight is finished and recorded
        if halt.is_set():
            raise TooManyErrors(
                f"{self.failed} items are broken, more than the {self.settings.max_errors} that "
                "were allowed; the manifest has the reasons. The same command goes on, with a "
                "higher limit or without"
            )


def _left_out(failure: Failure) -> None:
    """Most errors name their file, those of models don't."""
    name, text = repr(failure.name), failure.error  # what can't be printed is escaped in both
    if name[1:-1] not in text:
        text = f"{name}: {text}"
    log.warning("left out: %s", text, extra={"failure": failure})


@dataclass(frozen=True)
class _Either:
    """Set if one of them is."""

    events: tuple[threading.Event, ...]

    def is_set(self) -> bool:
        return any(event.is_set() for event in self.events)


@dataclass(frozen=True)
class _Prepared:
    labeller: Labeller | Recipe
    """A labeller where this process does the work, else a recipe with nothing left open."""
    described: dict[str, Any]


def _prepare(
    given: Labeller | Recipe,
    settings: DatasetSettings,
    engine: Engine | None,
) -> _Prepared:
    """What labels, wherever, and what is to be known of it. Models are loaded here only for one
    worker: several have their own, and these would lie idle beside them."""
    here = engine is not None or (settings.engine == "local" and settings.workers == 1)
    recipe = as_recipe(given)
    if recipe is None:
        return _Prepared(given if here else recipe_of(given), describe(given))
    if settings.engine == "ray" and not here:
        from panoptic.dataset.engines import ray

        recipe, device = ray.settle(recipe)
        devices = [device] * settings.workers
    else:
        devices = choose_devices(recipe.device, 1 if here else settings.workers)
    if here:
        recipe = recipe.settled(devices)
        log.info(in_words(devices, recipe.dtype))
        labeller = recipe(devices[0])
        return _Prepared(labeller, describe(labeller))
    from panoptic.dataset.engines.start_processes import settle

    recipe, described = settle(recipe, devices)
    log.info(in_words(devices, recipe.dtype))
    return _Prepared(recipe, described)


def _engine(
    labeller: Labeller | Recipe,
    vocabulary: Vocabulary,
    store: DatasetStore,
    settings: DatasetSettings,
) -> Engine:
    if settings.engine == "ray":
        from panoptic.dataset.engines.ray import RayEngine

        return RayEngine(recipe_of(labeller), vocabulary, store.files, settings)
    if settings.workers > 1:
        from panoptic.dataset.engines.processes import ProcessEngine

        return ProcessEngine(recipe_of(labeller), vocabulary, store.files, settings)
    from panoptic.dataset.engines.local import LocalEngine

    return LocalEngine(labeller, vocabulary, store.files, settings)  # type: ignore[arg-type]


@contextmanager
def _closed(outcomes: Iterator[list[Outcome]]) -> Iterator[Iterator[list[Outcome]]]:
    """Has an engine end its workers when the block ends, however it does."""
    try:
        yield outcomes
    finally:
        if (close := getattr(outcomes, "close", None)) is not None:
            close()


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """The first Ctrl-C (or SIGTERM) sets the event, the second ends the program as ever."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> Any:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        log.warning("Finishing what is in flight; once more to stop at once.")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
