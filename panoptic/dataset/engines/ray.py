"""Many machines: Ray Data with an actor for each GPU, or for each slot of a CPU.

Source and output must lie where every machine finds them under the same name. The manifest stays
with the one that began the run. An actor that is lost is replaced, and what it had is done again:
a label is written whole or not at all, and the same again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from panoptic.dataset.label_files import PARTIAL, LabelFiles
from panoptic.dataset.tasks import Outcome, Task
from panoptic.dataset.worker import StopSign, Worker
from panoptic.dataset.worker_recipe import Recipe
from panoptic.errors import DatasetError
from panoptic.settings.dataset import DatasetSettings
from panoptic_anything import how_to_install
from prompts import Vocabulary

_CHUNKS_A_JOB = 2000
"""Tasks are handed to Ray in portions, so that the list of all never is in memory."""
_RETRIES = 3


@dataclass(frozen=True)
class RayEngine:
    """``settings.workers`` actors on the cluster at ``RAY_ADDRESS``, or on this machine."""

    recipe: Recipe
    vocabulary: Vocabulary
    files: LabelFiles
    settings: DatasetSettings

    def run(self, chunks: Iterator[list[Task]], stop: StopSign) -> Iterator[list[Outcome]]:
        ray = _started()
        flag = StopFile(self.files.root.resolve() / PARTIAL / "stop")
        device = _device(ray, self.recipe)
        given = {
            "recipe": self.recipe,
            "device": device,
            "vocabulary": self.vocabulary,
            "root": self.files.root.resolve(),
            "settings": self.settings,
            "stop": flag,
        }
        with _watched(stop, flag):
            while not stop.is_set() and (portion := list(islice(chunks, _CHUNKS_A_JOB))):
                rows = [{"chunk": pickle.dumps(chunk)} for chunk in portion]
                # A block is what goes to an actor, and comes again if that is lost.
                table = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                    ChunkActor,
                    fn_constructor_kwargs=given,
                    batch_size=1,
                    compute=ray.data.ActorPoolStrategy(size=self.settings.workers),
                    num_cpus=1,
                    num_gpus=_gpus(device),
                    max_restarts=-1,
                    max_task_retries=_RETRIES,
                )
                yield from _outcomes(ray, table)


def actor_device(asked: str | None, has_gpus: bool) -> str:
    """The device of every actor, by the name that it has there; "cuda" is its own GPU.

    ``asked`` is as for ``panoptic.devices.choose_devices``. Raises ``DatasetError`` for what a
    cluster can't give.
    """
    if asked is None:
        return "cuda" if has_gpus else "cpu"
    if asked.startswith("cuda:"):
        raise DatasetError(
            f"the engine ray can't put all on {asked!r}: Ray gives each worker a GPU of its own. "
            "Ask for 'cuda', and begin Ray with CUDA_VISIBLE_DEVICES to keep some GPUs from it"
        )
    if asked == "cuda" and not has_gpus:
        raise DatasetError("'cuda' was asked for, and no machine of the Ray cluster has a GPU")
    return asked


def settle(recipe: Recipe) -> tuple[Recipe, str]:
    """The recipe with nothing left open, as suits a machine that will work; the device of all."""
    ray = _started()
    device = _device(ray, recipe)
    ask = ray.remote(num_cpus=1, num_gpus=_gpus(device), max_retries=_RETRIES)(_settled)
    try:
        return ray.get(ask.remote(recipe, device)), device
    except ray.exceptions.RayError as error:
        last = str(error).strip().splitlines()[-1]
        raise DatasetError(
            f"no machine of the Ray cluster can tell what suits it: {last}"
        ) from error


def _settled(recipe: Recipe, device: str) -> Recipe:
    return recipe.settled([device])


def _device(ray: Any, recipe: Recipe) -> str:
    return actor_device(recipe.device, ray.cluster_resources().get("GPU", 0) > 0)


def _gpus(device: str) -> int:
    """How many an actor takes."""
    return 1 if device == "cuda" else 0


class ChunkActor:
    """A worker with its models, on whatever machine."""

    def __init__(
        self,
        recipe: Recipe,
        device: str,
        vocabulary: Vocabulary,
        root: Path,
        settings: DatasetSettings,
        stop: StopFile,
    ) -> None:
        if device == "cpu":
            import torch

            torch.set_num_threads(1)  # its slot is one CPU
        self._stop = stop
        self._worker = Worker(recipe(device), vocabulary, LabelFiles(root), settings)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        answers: list[list[Outcome] | DatasetError] = []
        for pickled in batch["chunk"]:
            chunk = pickle.loads(pickled)
            try:
                found = [o for some in self._worker.run([chunk], self._stop) for o in some]
                answers.append(found)
            except DatasetError as error:
                answers.append(error)
        return {"outcomes": [pickle.dumps(answer) for answer in answers]}


class StopFile:
    """An event that all machines see."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        return self.path.exists()


def _outcomes(ray: Any, table: Any) -> Iterator[list[Outcome]]:
    try:
        for row in table.iter_rows():
            answer = pickle.loads(row["outcomes"])
            if isinstance(answer, DatasetError):
                raise answer
            if answer:
                yield answer
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        raise DatasetError(
            f"Ray gave up on a part of the work: {first}. What is done is on disk; the same "
            "command goes on from it"
        ) from error


def _started() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DatasetError(f"the engine ray takes the package: {how_to_install('ray')}") from error
    if not ray.is_initialized():
        dashboard = None if os.environ.get("RAY_ADDRESS") else False
        ray.init(log_to_driver=False, include_dashboard=dashboard)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


@contextlib.contextmanager
def _watched(stop: StopSign, flag: StopFile) -> Iterator[None]:
    """Sets the flag when the event is set."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            if stop.is_set():
                flag.set()
                return

    flag.clear()
    thread = threading.Thread(target=watch, name="panoptic-stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        flag.clear()
