"""The embedded engine: one worker in this process, or several in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

from panoptic.dataset.labels import LabelFiles
from panoptic.dataset.records import Outcome, Task
from panoptic.dataset.settings import DatasetSettings
from panoptic.dataset.work import Labeller, StopSign, Worker
from prompts import Vocabulary


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
