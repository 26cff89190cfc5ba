"""What people decided, one decision after the other: to be undone, and not to be lost to another.

Each decision is a row of the manifest, written in the transaction that carries it out. It holds
what stood before, so that undoing is one transaction, too. An item's *version* is a short hash of
what stands: who decides says which version was looked at, and is refused if it is another by now.
A decision carries an id of its own (``request``): asked twice, as after an answer that was lost
with a killed server, it is carried out once.

The table is made when the first decision is written; manifests of earlier versions get it then.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from panoptic.dataset.manifest import Manifest
from panoptic.errors import DatasetError, StaleLabelError

_TABLE = """
CREATE TABLE IF NOT EXISTS decisions (
  id INTEGER PRIMARY KEY,
  item INTEGER NOT NULL REFERENCES items (id),
  by TEXT NOT NULL,              -- whose undo it belongs to: a page
  request TEXT NOT NULL UNIQUE,
  time REAL NOT NULL,
  what TEXT NOT NULL,            -- JSON
  before TEXT NOT NULL,          -- JSON: verdict, corrections
  after TEXT NOT NULL,           -- the version that it led to
  undone_by TEXT                 -- the request that took it back
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS decisions_item ON decisions (item, id)"
_KEPT = ("verdict", "verdict_time", "verdict_note")
_OF_CORRECTIONS = ("frame", "path", "stamp", "digest", "words")


@dataclass(frozen=True)
class Decision:
    """What goes with a verdict that is to be undone: who gives it, and what was looked at.

    ``by`` is whose undo it belongs to, ``request`` its own id, ``seen`` the version of the label
    that was looked at (None: whatever it is), ``what`` tells of it, as JSON.
    """

    by: str
    request: str
    seen: str | None = None
    what: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decided:
    """A decision that was carried out; ``version`` is the item's after it."""

    id: int
    key: str
    by: str
    what: Mapping[str, Any]
    version: str
    time: float


class DecisionLog:
    """The decisions on the items of a data set."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def version(self, key: str) -> str:
        """The version of an item's label as it stands; ``KeyError``."""
        row = self._manifest.row(key)
        found = self._manifest.read(
            "SELECT * FROM corrections WHERE item = ? ORDER BY frame", (row["id"],)
        )
        return _version(row, found)

    def of_request(self, request: str) -> Decided | None:
        """What a request led to, if it was carried out before: a decision, or an undo."""
        rows = self._read("WHERE d.request = ? OR d.undone_by = ?", (request, request))
        return rows[0] if rows else None

    def latest(self, by: str) -> Decided | None:
        """The latest decision of somebody that wasn't undone."""
        rows = self._read(
            "WHERE d.by = ? AND d.undone_by IS NULL ORDER BY d.id DESC LIMIT 1", (by,)
        )
        return rows[0] if rows else None

    def of_item(self, key: str) -> list[Decided]:
        """The decisions on an item that weren't undone, in their order."""
        return self._read("WHERE i.key = ? AND d.undone_by IS NULL ORDER BY d.id", (key,))

    def since(self, time: float) -> list[Decided]:
        """Decisions made or undone from a time on, in their order."""
        return self._read("WHERE d.time >= ? ORDER BY d.id", (time,))

    def before(self, id: int) -> Mapping[str, Any]:
        """What stood before a decision: ``verdict`` and ``corrections``, by frame the file."""
        (row,) = self._manifest.read("SELECT before FROM decisions WHERE id = ?", (id,))
        found = json.loads(row["before"])
        return {
            "verdict": found["verdict"],
            "corrections": {each["frame"]: each["path"] for each in found["corrections"]},
        }

    def undo(self, by: str, request: str) -> Decided:
        """Takes back the latest decision of somebody; returns it, with the version that stands now.

        ``DatasetError`` if there is none, ``StaleLabelError`` if somebody else has decided on the
        item since: theirs stands.
        """
        if (again := self.of_request(request)) is not None:
            return again
        with self._manifest.write() as db:
            _prepare(db)
            found = db.execute(
                "SELECT * FROM decisions WHERE by = ? AND undone_by IS NULL ORDER BY id DESC "
                "LIMIT 1",
                (by,),
            ).fetchone()
            if found is None:
                raise DatasetError("there is nothing to undo")
            item = db.execute("SELECT * FROM items WHERE id = ?", (found["item"],)).fetchone()
            stale = version_of(db, item) != found["after"]
            if not stale:
                _put_back(db, item["id"], json.loads(found["before"]))
            # What can't be undone any more mustn't stand before what can.
            db.execute(
                "UPDATE decisions SET undone_by = ?, time = ? WHERE id = ?",
                (f"stale:{request}" if stale else request, time.time(), found["id"]),
            )
        if stale:
            raise StaleLabelError(
                f"{item['key']!r} has been changed since by somebody else: that stands"
            )
        (undone,) = self._read("WHERE d.id = ?", (found["id"],))
        return undone

    def _read(self, where: str, given: tuple[Any, ...]) -> list[Decided]:
        if not self._manifest.read(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'decisions'"
        ):
            return []
        rows = self._manifest.read(
            f"SELECT d.*, i.key FROM decisions d JOIN items i ON i.id = d.item {where}", given
        )
        return [
            Decided(
                *(r["id"], r["key"], r["by"], json.loads(r["what"])),
                self.version(r["key"]) if r["undone_by"] else r["after"],
                r["time"],
            )
            for r in rows
        ]


def check_and_note(db: sqlite3.Connection, row: sqlite3.Row, decision: Decision) -> str:
    """Before a decision is carried out, within its transaction: what stands, to be kept with it.

    ``StaleLabelError`` if that isn't what was looked at.
    """
    _prepare(db)
    if decision.seen is not None and version_of(db, row) != decision.seen:
        raise StaleLabelError(
            f"{row['key']!r} has been changed meanwhile, in another page or by a run: "
            "look at it again"
        )
    found = db.execute(
        "SELECT * FROM corrections WHERE item = ? ORDER BY frame", (row["id"],)
    ).fetchall()
    return json.dumps(
        {
            **{name: row[name] for name in _KEPT},
            "corrections": [{name: each[name] for name in _OF_CORRECTIONS} for each in found],
        }
    )


def record(db: sqlite3.Connection, item: int, decision: Decision, before: str) -> None:
    """After a decision was carried out, within its transaction."""
    row = db.execute("SELECT * FROM items WHERE id = ?", (item,)).fetchone()
    db.execute(
        "INSERT INTO decisions (item, by, request, time, what, before, after) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (item, decision.by, decision.request, time.time(), json.dumps(dict(decision.what)),
         before, version_of(db, row)),
    )  # fmt: skip


def version_of(db: sqlite3.Connection, row: sqlite3.Row) -> str:
    """The version of the label of a row of items."""
    found = db.execute(
        "SELECT * FROM corrections WHERE item = ? ORDER BY frame", (row["id"],)
    ).fetchall()
    return _version(row, found)


def _version(row: sqlite3.Row, corrections: list[sqlite3.Row]) -> str:
    stands = [row["content"], row["settings"], *(row[name] for name in _KEPT)]
    stands += [(each["frame"], each["path"]) for each in corrections]
    return hashlib.sha256(json.dumps(stands).encode()).hexdigest()[:16]


def _put_back(db: sqlite3.Connection, item: int, before: Mapping[str, Any]) -> None:
    db.execute(
        f"UPDATE items SET {', '.join(f'{name} = ?' for name in _KEPT)} WHERE id = ?",
        (*(before[name] for name in _KEPT), item),
    )
    db.execute("DELETE FROM corrections WHERE item = ?", (item,))
    db.executemany(
        f"INSERT INTO corrections (item, {', '.join(_OF_CORRECTIONS)}) VALUES (?, ?, ?, ?, ?, ?)",
        [(item, *(each[name] for name in _OF_CORRECTIONS)) for each in before["corrections"]],
    )


def _prepare(db: sqlite3.Connection) -> None:
    db.execute(_TABLE)
    db.execute(_INDEX)
