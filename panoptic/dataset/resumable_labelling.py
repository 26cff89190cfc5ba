"""label_dataset: a source in, labels and a manifest out, gone on with wherever it stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from panoptic.dataset.engines.local import Engine
from panoptic.dataset.fingerprint import describe, settings_hash
from panoptic.dataset.progress import RunProgress, Silent
from panoptic.dataset.store import DatasetStore
from panoptic.dataset.tasks import Counts
from panoptic.dataset.worker import Labeller
from panoptic.dataset.worker_recipe import Recipe, as_recipe, recipe_of
from panoptic.devices import choose_devices, in_words
from panoptic.errors import DatasetError, OutputError, TooManyErrors
from panoptic.io.sources import SourceLike, open_source
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary

LOCK = ".lock"


@dataclass(frozen=True)
class DatasetRun:
    """How a run ended. ``labelled`` and ``failed`` count this run; ``counts`` is all there is."""

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
    progress: RunProgress | None = None,
    engine: Engine | None = None,
) -> DatasetRun:
    """Labels everything that a source lists into the folder ``out``.

    ``source`` and ``images`` are as for ``panoptic.io.sources.open_source``. Started again,
    it goes on where it stopped, however that came about. Items that can't be labelled are
    recorded with the reason, and the rest is done. Ctrl-C finishes what is in flight; the result
    then says ``interrupted``. ``engine`` takes the place of the one that ``settings`` name.

    Workers run on the device that the pipeline was loaded for; where none was named, on the GPUs
    in turn, if there are any. They compute in the pipeline's dtype. With several of them, or Ray,
    a ``PipelineRecipe`` may be given instead of a pipeline: then nothing is loaded here, and a
    dtype of "auto" is chosen for their devices.

    Raises ``SourceError``, ``SettingsChangedError``, ``OutputError``, ``TooManyErrors``; all of
    them leave what is labelled so far in order, to be gone on with.
    """
    settings = settings or DatasetSettings()
    progress = progress or Silent()
    start = time.perf_counter()
    root = Path(out)
    if not len(vocabulary):
        raise ValueError("the vocabulary is empty: ask for at least one thing or stuff word")
    opened = open_source(source, images)
    prepared = _prepare(labeller, settings, progress, engine)
    fingerprint = settings_hash(vocabulary, prepared.described)
    with (
        _only_one(root),
        _stop_on_signal(progress) as stop,
        DatasetStore.create(
            root, vocabulary, prepared.described, fingerprint, opened.label, redo=settings.redo
        ) as store,
    ):
        store.files.clean()
        for count in store.manifest.scan(opened):
            progress.scanning(count)
            if stop.is_set():
                break
        progress.begin(store.counts().done, store.manifest.to_do(fingerprint))
        run = _Run(store, settings, fingerprint, progress, stop)
        if not stop.is_set():
            run.label(engine or _engine(prepared.labeller, vocabulary, store, settings))
        store.files.clean()
        seconds = time.perf_counter() - start
        return DatasetRun(root, run.labelled, run.failed, store.counts(), seconds, stop.is_set())


class _Run:
    def __init__(
        self,
        store: DatasetStore,
        settings: DatasetSettings,
        fingerprint: str,
        progress: RunProgress,
        stop: threading.Event,
    ) -> None:
        self.store = store
        self.settings = settings
        self.fingerprint = fingerprint
        self.progress = progress
        self.stop = stop
        self.labelled = self.failed = 0

    def label(self, engine: Engine) -> None:
        manifest = self.store.manifest
        halt = threading.Event()  # of ours, so that a run ended by errors isn't "interrupted"
        chunks = manifest.tasks(self.settings.chunk, self.fingerprint, self.store.files.has)
        stop = _Either((self.stop, halt))
        for outcomes in engine.run(chunks, stop):
            manifest.record(outcomes, self.fingerprint)
            failures = [o for o in outcomes if o.error is not None]
            self.failed += len(failures)
            self.labelled += sum(o.error is None and not o.unchanged for o in outcomes)
            for outcome in failures:
                self.progress.failed(manifest.failure(outcome.id))
            self.progress.advance(len(outcomes) - len(failures), len(failures))
            most = self.settings.max_errors
            if most is not None and self.failed > most:
                halt.set()  # what is in flight is finished and recorded
        if halt.is_set():
            raise TooManyErrors(
                f"{self.failed} items are broken, more than the {self.settings.max_errors} that "
                "were allowed; the manifest has the reasons. The same command goes on, with a "
                "higher limit or without"
            )


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
    progress: RunProgress,
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
        progress.say(in_words(devices, recipe.dtype))
        labeller = recipe(devices[0])
        return _Prepared(labeller, describe(labeller))
    from panoptic.dataset.engines.start_processes import settle

    recipe, described = settle(recipe, devices)
    progress.say(in_words(devices, recipe.dtype))
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
def _only_one(root: Path) -> Iterator[None]:
    """Two runs into one folder would undo each other. A killed one's lock is gone with it."""
    from filelock import FileLock, Timeout

    lock = FileLock(root / LOCK)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DatasetError(f"another run is labelling into {str(root)!r}") from error
    except OSError as error:
        raise OutputError(
            f"the output folder {str(root)!r} can't be used: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _stop_on_signal(progress: RunProgress) -> Iterator[threading.Event]:
    """The first Ctrl-C (or SIGTERM) sets the event, the second ends the program as ever."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> Any:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        progress.say("Finishing what is in flight; once more to stop at once.")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
