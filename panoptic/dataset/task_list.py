"""What a run has to do, as the manifest knows it, and what became of that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from panoptic.dataset.label_state import Event, has_verdict, state_of
from panoptic.dataset.manifest import Manifest, item_name, unit_of
from panoptic.dataset.tasks import LabelMark, Outcome, StateChange, Task
from panoptic.dataset.verdict_table import set_state
from panoptic.io.names import printable


class TaskList:
    """The items of the source that these settings (by their hash) have to label, or have."""

    def __init__(self, manifest: Manifest, settings: str) -> None:
        self._manifest = manifest
        self._settings = settings

    def __len__(self) -> int:
        """How many still have to be labelled or tried."""
        select = f"SELECT COUNT(*) - TOTAL({_DONE}) AS n FROM items WHERE scan = ?"
        return int(
            self._manifest.read(select, (self._settings, self._manifest.latest_scan))[0]["n"]
        )

    def chunks(self, size: int) -> Iterator[list[Task]]:
        """All items that the source lists, by name, ``size`` at a time.

        A task is done if these settings labelled it (or a person judged it good), its stamp is
        the same since, and its label isn't lost. Lists that have nothing to be done are left out.
        Which items share a list doesn't depend on what is done already.
        """
        for rows in self._manifest.pages(
            f"SELECT *, {_DONE} AS done FROM items WHERE scan = ?",
            (self._settings, self._manifest.latest_scan),
            size,
        ):
            tasks = [self._task(row) for row in rows]
            if not all(task.done for task in tasks):
                yield tasks

    def to_stay(self) -> Iterator[list[sqlite3.Row]]:
        """The rows of the items whose label isn't made anew as long as the picture is the same."""
        yield from self._manifest.pages(
            f"SELECT * FROM items WHERE state = 'done' AND {_STAYS} AND scan = ?",
            (self._settings, self._manifest.latest_scan),
            _PAGE,
        )

    @property
    def damaged(self) -> str:
        """The folder of ``previous`` that label files go to which aren't as they were written."""
        return f"damaged-{self._manifest.latest_scan}"

    def record(self, outcomes: Sequence[Outcome]) -> list[StateChange]:
        """What became of tasks; returns the verdicts that had to go. A failure leaves an earlier
        label of the item as it is."""
        changes = []
        with self._manifest.write() as db:
            now = time.time()
            for o in outcomes:
                row = db.execute("SELECT * FROM items WHERE id = ?", (o.id,)).fetchone()
                before = state_of(row["state"], row["verdict"])
                if o.error is not None:
                    set_state(db, row, "fail")
                    db.execute(
                        "UPDATE items SET error = ?, time = ?, seconds = ? WHERE id = ?",
                        (printable(o.error, 2000), now, o.seconds, o.id),
                    )
                    continue
                db.execute(
                    "UPDATE items SET error = NULL, labelled_stamp = stamp WHERE id = ?", (o.id,)
                )
                if o.unchanged:
                    continue
                event, why = _what_was_made(db, row, o, self._settings)
                if has_verdict(before) and not has_verdict(set_state(db, row, event)):
                    changes.append(StateChange(item_name(row), before, why))
                elif not has_verdict(before):
                    set_state(db, row, event)
                mark, header = o.mark or LabelMark("", ""), o.header or (None, None)
                db.execute(
                    "UPDATE items SET content = ?, settings = ?, time = ?, seconds = ?, "
                    "height = ?, width = ?, frames = ?, quality = ?, lost = 0, label_stamp = ?, "
                    "label_digest = ?, header_height = ?, header_width = ? WHERE id = ?",
                    (o.content, self._settings, now, o.seconds, *o.size, o.frames, o.quality,
                     mark.stamp, mark.digest, *header, o.id),
                )  # fmt: skip
                db.execute("DELETE FROM segments WHERE item = ?", (o.id,))
                db.executemany(
                    "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)",
                    [(o.id, s.id, s.category_id, s.area, s.score, s.quality) for s in o.segments],
                )
        return changes

    def set_marks(self, marks: Iterable[tuple[int, LabelMark | None]]) -> None:
        """How the label files of items (by id) are known now; None where they are lost."""
        with self._manifest.write() as db:
            for id, mark in marks:
                if mark is None:
                    db.execute("UPDATE items SET lost = 1 WHERE id = ?", (id,))
                else:
                    db.execute(
                        "UPDATE items SET lost = 0, label_stamp = ?, label_digest = ? WHERE id = ?",
                        (mark.stamp, mark.digest, id),
                    )

    def _task(self, row: sqlite3.Row) -> Task:
        task = Task(row["id"], row["key"], unit_of(row), failed=row["error"] is not None)
        if row["state"] != "done":
            return task
        if row["lost"]:
            return replace(task, previous=self.damaged)
        stays = row["settings"] == self._settings or row["verdict"] in _KEPT
        is_known = row["header_height"] is not None and row["labelled_stamp"] == row["stamp"]
        return replace(
            task,
            done=bool(row["done"]),
            content=row["content"] if stays else None,
            previous=f"{row['settings'][:12]}-{row['content'][:12]}",
            header=(row["header_height"], row["header_width"]) if is_known else None,
        )


# What a person found good isn't labelled again for new settings.
_KEPT = ("accept", "corrected")
_STAYS = f"(settings = ? OR verdict IN {_KEPT})"
# An item is done if its label stays, is there, and nothing points to another content since.
_DONE = f"(state = 'done' AND {_STAYS} AND labelled_stamp = stamp AND problem IS NULL AND NOT lost)"
_PAGE = 500


def _what_was_made(
    db: sqlite3.Connection, row: sqlite3.Row, made: Outcome, settings: str
) -> tuple[Event, str]:
    """What a new label is to the one before it, and why a verdict on that may not hold."""
    if row["state"] != "done":
        return "label", ""
    if row["content"] != made.content:
        return "replace", "it has changed"
    if row["settings"] == settings:
        return "label", ""
    why = "its label was lost, and made again with other words, models or settings"
    corrected = db.execute(
        "SELECT COUNT(*) FROM corrections WHERE item = ?", (row["id"],)
    ).fetchone()[0]
    # Corrected frames speak of the objects of the frames between them.
    if row["verdict"] == "corrected" and corrected < made.frames:
        return "replace", why
    return "relabel", why
