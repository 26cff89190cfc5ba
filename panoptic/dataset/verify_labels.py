"""A look at the files of all labels before a run: what is gone or damaged is made again."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from panoptic.dataset.label_files import LabelFiles
from panoptic.dataset.label_marks import found_again
from panoptic.dataset.manifest import item_name
from panoptic.dataset.task_list import TaskList
from panoptic.dataset.tasks import LabelMark
from panoptic.dataset.verdict_table import VerdictTable

log = logging.getLogger("panoptic.dataset")
_NAMED = 20  # labels that are named one by one


class LabelCheck:
    """Looks at all labels that are to stay, and tells the manifest which of them are lost.

    ``lost`` counts these. ``corrections_lost`` counts corrections, which nobody can make again:
    they keep their verdict and are told.
    """

    def __init__(self, files: LabelFiles, tasks: TaskList, verdicts: VerdictTable) -> None:
        self._files = files
        self._tasks = tasks
        self._verdicts = verdicts
        self.lost = 0
        self.corrections_lost = 0

    def run(self) -> Iterator[int]:
        """Yields, now and then, how many it has looked at."""
        count = 0
        for rows in self._tasks.to_stay():
            if count:
                yield count
            marks: list[tuple[int, LabelMark | None]] = []
            for row in rows:
                count += 1
                known = None
                if row["label_digest"]:
                    known = LabelMark(row["label_stamp"], row["label_digest"])
                parts = self._files.parts(row["key"], row["kind"], row["frames"])
                found = found_again(parts, known)
                if found is None:
                    self.lost += 1
                    self._tell(item_name(row), any(part.exists() for part in parts))
                if found != known or row["lost"]:
                    marks.append((row["id"], found))
                if row["verdict"] == "corrected":
                    self._check_corrections(row["key"], item_name(row))
            if marks:
                self._tasks.set_marks(marks)
        if self.lost > _NAMED:
            log.warning("%d labels are gone or damaged, and are made again", self.lost)

    def _tell(self, name: str, is_there: bool) -> None:
        if self.lost > _NAMED:
            return
        if is_there:
            kept = f"previous/{self._tasks.damaged}"
            log.warning(
                "the label of %r isn't as it was written: it is made again, and what is there is "
                "kept in %s",
                *(name, kept),
            )
        else:
            log.warning("the label of %r is gone: it is made again", name)

    def _check_corrections(self, key: str, name: str) -> None:
        for correction in self._verdicts.corrections(key).values():
            if found_again(self._files.correction_parts(correction), correction.mark) is None:
                self.corrections_lost += 1
                log.warning(
                    "the correction %r of %r is gone or damaged: put it back, correct it once "
                    "more, or take it back with panoptic review --forget",
                    *(correction.path, name),
                )
