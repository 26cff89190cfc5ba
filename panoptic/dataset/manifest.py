"""The manifest: one SQLite file that knows of every item what became of it.

One process writes it, others may read meanwhile (``manifest_file``). Each call is a transaction, so
a killed process loses nothing that was told done. Lists are read page by page, so memory doesn't
grow with them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panoptic.dataset.label_state import STATES, State, after, state_of, stored_as
from panoptic.dataset.manifest_file import open_to_read, open_to_write
from panoptic.dataset.manifest_file import stored as _stored
from panoptic.dataset.manifest_file import text_of as _text
from panoptic.dataset.manifest_schema import prepare
from panoptic.dataset.tasks import Counts, Failure, SegmentRecord
from panoptic.errors import DatasetError, OutputError
from panoptic.io.names import free_key
from panoptic.io.sources.base import Unit

_PAGE = 500


class Manifest:
    """The manifest at ``path``; may be used by several threads of one process."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        if not create and not path.exists():
            raise DatasetError(
                f"{str(path.parent)!r} is no labelled data set: it has no {path.name}"
            )
        self._is_closed = False
        with self._explained():
            self._db = open_to_write(path) if create else open_to_read(path)
            prepare(self._db, path, create=create)

    def close(self) -> None:
        with self._lock:
            self._db.close()
            self._is_closed = True

    # -- what the whole data set has -----------------------------------------------------------

    def get_meta(self, key: str) -> Any:
        rows = self.read("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(rows[0]["value"]) if rows else None

    def set_meta(self, **values: Any) -> None:
        with self.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(k, json.dumps(v, ensure_ascii=True)) for k, v in values.items()],
            )

    @property
    def latest_scan(self) -> int:
        """The number of the latest look at the source."""
        return int(self.get_meta("scan") or 0)

    # -- what the source lists -----------------------------------------------------------------

    def scan(self, units: Iterable[Unit]) -> Iterator[int]:
        """Takes in what a source lists, in whatever order; yields how many it was so far.

        Known names keep their keys and labels. When all is read, each gets its key in the order
        of the names; those no longer listed are gone, unless they are labelled already.
        """
        scan = self.latest_scan + 1
        self.set_meta(scan=scan)
        count = 0
        page: list[tuple[Any, ...]] = []
        for unit in units:
            start, length = unit.span or (None, None)
            page.append(
                (_stored(unit.name), _stored(unit.source), unit.kind, start, length, unit.stamp,
                 unit.problem, scan, unit.image_id, _stored(unit.formerly or ""))
            )  # fmt: skip
            if len(page) == _PAGE:
                count += self._add(page)
                page = []
                yield count
        count += self._add(page)
        yield count
        self._assign_keys()
        with self.write() as db:
            for state in STATES:
                stored, verdict = stored_as(after(state, "vanish"))
                db.execute(
                    "UPDATE items SET state = ?, verdict = ?, error = NULL "
                    "WHERE scan < ? AND state = ? AND verdict IS ?",
                    (stored, verdict, scan, *stored_as(state)),
                )

    def _add(self, page: list[tuple[Any, ...]]) -> int:
        with self.write() as db:
            db.executemany(  # known by an earlier name
                "UPDATE OR IGNORE items SET name = ? WHERE name = ? AND source = ? "
                "AND span_start IS ?",
                [(row[0], row[9], row[1], row[3]) for row in page if row[9]],
            )
            before = db.total_changes
            db.executemany(
                "INSERT INTO items (name, source, kind, span_start, span_length, stamp, problem, "
                "scan, image_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id, "
                "source = excluded.source, kind = excluded.kind, span_start = excluded.span_start, "
                "span_length = excluded.span_length, stamp = excluded.stamp, "
                # The same name listed twice is one item; broken entries don't hide good ones.
                "problem = CASE WHEN scan = excluded.scan AND problem IS NULL THEN NULL "
                "ELSE excluded.problem END, scan = excluded.scan, "
                "state = CASE state WHEN 'gone' THEN 'waiting' ELSE state END",
                [row[:9] for row in page],
            )
            return db.total_changes - before

    def _assign_keys(self) -> None:
        while rows := self.read(
            "SELECT id, name FROM items WHERE key IS NULL ORDER BY name LIMIT ?", (_PAGE,)
        ):
            with self.write() as db:
                for row in rows:
                    key = free_key(_text(row["name"]), lambda folded: self._has_key(db, folded))
                    db.execute(
                        "UPDATE items SET key = ?, folded = ? WHERE id = ?",
                        (key, key.casefold(), row["id"]),
                    )

    @staticmethod
    def _has_key(db: sqlite3.Connection, folded: str) -> bool:
        return db.execute("SELECT 1 FROM items WHERE folded = ?", (folded,)).fetchone() is not None

    # -- what there is -------------------------------------------------------------------------

    def counts(self) -> Counts:
        rows = self.read("SELECT state, COUNT(*) AS n FROM items GROUP BY state")
        return Counts(**{row["state"]: row["n"] for row in rows})

    def labelled(self) -> Iterator[sqlite3.Row]:
        """The rows of everything that has a label, by name."""
        for rows in self.pages("SELECT * FROM items WHERE state = 'done'", (), _PAGE):
            yield from rows

    def row(self, key: str) -> sqlite3.Row:
        """The row of an item that has a label; ``KeyError``."""
        rows = self.read("SELECT * FROM items WHERE key = ? AND state = 'done'", (key,))
        if not rows:
            raise KeyError(f"no labelled item has the key {key!r}")
        return rows[0]

    def state(self, key: str) -> State:
        """The state of an item, labelled or not; ``KeyError``."""
        rows = self.read("SELECT state, verdict FROM items WHERE key = ?", (key,))
        if not rows:
            raise KeyError(f"no item has the key {key!r}")
        return state_of(rows[0]["state"], rows[0]["verdict"])

    def failures(self) -> Iterator[Failure]:
        """What could not be labelled, or not anew, by name."""
        for rows in self.pages("SELECT * FROM items WHERE error IS NOT NULL", (), _PAGE):
            yield from map(_failure, rows)

    def failure(self, id: int) -> Failure:
        """Why this item could not be labelled."""
        return _failure(self.read("SELECT * FROM items WHERE id = ?", (id,))[0])

    def segments(self, key: str) -> list[tuple[str, SegmentRecord]]:
        """The segments of an item as labelled, with the settings hash that says by which words."""
        return [
            (
                r["settings"],
                SegmentRecord(r["id"], r["category"], r["area"], r["score"], r["quality"]),
            )
            for r in self.read(
                "SELECT s.*, i.settings FROM segments s JOIN items i ON i.id = s.item "
                "WHERE i.key = ? ORDER BY s.id",
                (key,),
            )
        ]

    # -- underneath ----------------------------------------------------------------------------

    def pages(self, select: str, given: tuple[Any, ...], size: int) -> Iterator[list[sqlite3.Row]]:
        rows = self.read(f"{select} ORDER BY name LIMIT {size}", given)
        while rows:
            yield rows
            rows = self.read(
                f"{select} AND name > ? ORDER BY name LIMIT {size}", (*given, rows[-1]["name"])
            )

    def read(self, select: str, given: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._explained(), self._lock:
            return self._db.execute(select, given).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")  # what is read here is still so when it is written
            yield self._db

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._is_closed:
                raise DatasetError(
                    f"the data set {str(self.path.parent)!r} is closed: its items are read before "
                    "that, within the block of `with DatasetStore.open(...)`"
                ) from error
            raise OutputError(f"the manifest {str(self.path)!r} can't be used: {error}") from error


def item_name(row: sqlite3.Row) -> str:
    """The name within the source."""
    return _text(row["name"])


def unit_of(row: sqlite3.Row) -> Unit:
    """The unit of a row, as its source listed it."""
    span = None if row["span_start"] is None else (row["span_start"], row["span_length"])
    return Unit(
        *(item_name(row), _text(row["source"]), row["kind"], span, row["stamp"], row["problem"]),
        row["image_id"],
    )


def _failure(row: sqlite3.Row) -> Failure:
    return Failure(_text(row["name"]), _text(row["source"]), row["error"], row["time"])
