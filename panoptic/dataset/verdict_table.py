"""The verdicts that people gave, and the corrections that stand."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping

from panoptic.dataset.decisions import Decision, check_and_note, record
from panoptic.dataset.label_state import (
    VERDICT_EVENTS,
    Event,
    State,
    after,
    state_of,
    stored_as,
)
from panoptic.dataset.manifest import Manifest
from panoptic.dataset.tasks import CorrectionFile, LabelMark
from panoptic.errors import DatasetError
from panoptic.results.labelled import Verdict


class VerdictTable:
    """What the manifest knows of verdicts; see ``panoptic.dataset.label_state``."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def give(
        self,
        key: str,
        verdict: Verdict | None,
        note: str = "",
        corrected: Mapping[int, CorrectionFile] | None = None,
        content: str | None = None,
        decision: Decision | None = None,
    ) -> State:
        """Takes a person's verdict; returns the state that the label is in now.

        ``corrected`` holds the frames that a correction is of. ``content`` is that of the label
        that was judged: ``DatasetError`` if it is another's by now. With ``decision`` it can be
        undone, see ``panoptic.dataset.decisions``.
        """
        with self._manifest.write() as db:
            row = db.execute(
                "SELECT * FROM items WHERE key = ? AND state = 'done'", (key,)
            ).fetchone()
            if row is None:
                raise KeyError(f"no labelled item has the key {key!r}")
            if content not in (None, row["content"]):
                raise DatasetError(f"{key!r} was labelled anew meanwhile: look at it again")
            before = None if decision is None else check_and_note(db, row, decision)
            state = set_state(db, row, VERDICT_EVENTS[verdict])
            for frame, file in (corrected or {}).items():
                stamp, digest = (file.mark.stamp, file.mark.digest) if file.mark else (None, None)
                db.execute(
                    "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?)",
                    (row["id"], frame, file.path, stamp, digest, json.dumps(file.words)),
                )
            db.execute(
                "UPDATE items SET verdict_time = ?, verdict_note = ? WHERE id = ?",
                (time.time() if verdict else None, note if verdict else None, row["id"]),
            )
            if decision is not None and before is not None:
                record(db, row["id"], decision, before)
        return state

    def corrections(self, key: str) -> dict[int, CorrectionFile]:
        """The corrections of an item that stand, by frame."""
        rows = self._manifest.read(
            "SELECT c.* FROM corrections c JOIN items i ON i.id = c.item WHERE i.key = ? "
            "ORDER BY c.frame",
            (key,),
        )
        return {r["frame"]: _correction(r) for r in rows}


def set_state(db: sqlite3.Connection, row: sqlite3.Row, event: Event) -> State:
    """Where an event leads the item of a row; what doesn't belong to that state goes."""
    state = after(state_of(row["state"], row["verdict"]), event)
    stored, verdict = stored_as(state)
    db.execute("UPDATE items SET state = ?, verdict = ? WHERE id = ?", (stored, verdict, row["id"]))
    if verdict is None:
        db.execute(
            "UPDATE items SET verdict_time = NULL, verdict_note = NULL WHERE id = ?",
            (row["id"],),
        )
    if state != "corrected":
        db.execute("DELETE FROM corrections WHERE item = ?", (row["id"],))
    return state


def _correction(row: sqlite3.Row) -> CorrectionFile:
    mark = None if row["digest"] is None else LabelMark(row["stamp"], row["digest"])
    words = tuple((name, bool(is_thing)) for name, is_thing in json.loads(row["words"]))
    return CorrectionFile(row["path"], mark, words)
