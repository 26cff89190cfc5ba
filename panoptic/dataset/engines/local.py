"""Who does the work, and the simplest of them: one worker in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from panoptic.dataset.label_files import LabelFiles
from panoptic.dataset.tasks import Outcome, Task
from panoptic.dataset.worker import Labeller, StopSign, Worker
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary


class Engine(Protocol):
    """Labels chunks of tasks, wherever."""

    def run(self, chunks: Iterator[list[Task]], stop: StopSign) -> Iterator[list[Outcome]]:
        """Outcomes, soon after their labels are on disk, in whatever order.

        After ``stop`` is set no chunk is begun, and what is in flight is finished. ``chunks`` may
        be read in another thread. Raises ``DatasetError``s where the run can't go on.
        """
        ...


class LocalEngine:
    """One worker, in this process."""

    def __init__(
        self,
        labeller: Labeller,
        vocabulary: Vocabulary,
        files: LabelFiles,
        settings: DatasetSettings,
    ) -> None:
        self._worker = Worker(labeller, vocabulary, files, settings)

    def run(self, chunks: Iterator[list[Task]], stop: StopSign) -> Iterator[list[Outcome]]:
        return self._worker.run(chunks, stop)
