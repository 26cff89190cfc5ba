"""Who does the work: processes on this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from panoptic.dataset.records import Outcome, Task
from panoptic.dataset.work import StopSign


class Engine(Protocol):
    """Labels chunks of tasks, wherever."""

    def run(self, chunks: Iterator[list[Task]], stop: StopSign) -> Iterator[list[Outcome]]:
        """Outcomes, soon after their labels are on disk, in whatever order.

        After ``stop`` is set no chunk is begun, and what is in flight is finished. ``chunks`` may
        be read in another thread. Raises ``DatasetError``s where the run can't go on.
        """
        ...
