"""The manifest: one SQLite file that knows of every item what became of it.

One process writes it, others may read meanwhile (``manifest_file``). Each call is a transaction, so
a killed process loses nothing that was told done. Lists are read page by page, so memory doesn't
grow with them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panoptic.dataset.manifest_file import open_to_read, open_to_write
from panoptic.dataset.manifest_file import stored as _stored
from panoptic.dataset.manifest_file import text_of as _text
from panoptic.dataset.tasks import Counts, Failure, Outcome, SegmentRecord, Task
from panoptic.errors import DatasetError, OutputError
from panoptic.io.names import free_key, printable
from panoptic.io.sources.base import Kind, Unit
from panoptic.results.labelled import Verdict

FORMAT = 1
_PAGE = 500

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (
  id INTEGER PRIMARY KEY,
  name NOT NULL UNIQUE,          -- within the source; BLOB where it isn't valid Unicode
  source NOT NULL,
  kind TEXT NOT NULL,
  span_start INTEGER, span_length INTEGER,
  stamp TEXT NOT NULL,
  problem TEXT,
  scan INTEGER NOT NULL,         -- the latest look at the source that saw it
  key TEXT UNIQUE,
  folded TEXT UNIQUE,            -- the key in folded case: no clash on any file system
  state TEXT NOT NULL DEFAULT 'waiting',
  content TEXT,                  -- hash of the file that was labelled
  settings TEXT,                 -- hash of words, models and settings that labelled it
  labelled_stamp TEXT,
  time REAL, seconds REAL,
  error TEXT,
  height INTEGER, width INTEGER, frames INTEGER,
  quality REAL,
  verdict TEXT, verdict_time REAL, verdict_note TEXT
);
CREATE INDEX items_state ON items (state, name);
CREATE INDEX items_keyless ON items (name) WHERE key IS NULL;
CREATE TABLE segments (
  item INTEGER NOT NULL REFERENCES items (id),
  id INTEGER NOT NULL,
  category INTEGER NOT NULL,
  area INTEGER NOT NULL,
  score REAL NOT NULL,
  quality REAL,
  PRIMARY KEY (item, id)
) WITHOUT ROWID;
"""


class Manifest:
    """The manifest at ``path``; may be used by several threads of one process."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        if not create and not path.exists():
            raise DatasetError(
                f"{str(path.parent)!r} is no labelled data set: it has no {path.name}"
            )
        with self._explained():
            self._db = open_to_write(path) if create else open_to_read(path)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and create:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
            elif version != FORMAT:
                raise DatasetError(
                    f"{str(path)!r} has format {version}, this version reads {FORMAT}"
                )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- what the whole data set has -----------------------------------------------------------

    def get_meta(self, key: str) -> Any:
        rows = self._read("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(rows[0]["value"]) if rows else None

    def set_meta(self, **values: Any) -> None:
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(k, json.dumps(v, ensure_ascii=True)) for k, v in values.items()],
            )

    # -- what the source lists -----------------------------------------------------------------

    def scan(self, units: Iterable[Unit]) -> Iterator[int]:
        """Takes in what a source lists, in whatever order; yields how many it was so far.

        Known names keep their keys and labels. When all is read, each gets its key in the order
        of the names; those no longer listed are failures, unless they are labelled already.
        """
        # The source's own numbers came later than the table; who only reads needs no column.
        if all(column["name"] != "image_id" for column in self._read("PRAGMA table_info(items)")):
            with self._write() as db:
                db.execute("ALTER TABLE items ADD COLUMN image_id")
        scan = int(self.get_meta("scan") or 0) + 1
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
        with self._write() as db:
            db.execute(
                "UPDATE items SET state = 'failed', time = ?, error = 'no longer in the source' "
                "WHERE scan < ? AND state = 'waiting'",
                (time.time(), scan),
            )

    def _add(self, page: list[tuple[Any, ...]]) -> int:
        with self._write() as db:
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
                "ELSE excluded.problem END, scan = excluded.scan",
                [row[:9] for row in page],
            )
            return db.total_changes - before

    def _assign_keys(self) -> None:
        while rows := self._read(
            "SELECT id, name FROM items WHERE key IS NULL ORDER BY name LIMIT ?", (_PAGE,)
        ):
            with self._write() as db:
                for row in rows:
                    key = free_key(_text(row["name"]), lambda folded: self._has_key(db, folded))
                    db.execute(
                        "UPDATE items SET key = ?, folded = ? WHERE id = ?",
                        (key, key.casefold(), row["id"]),
                    )

    @staticmethod
    def _has_key(db: sqlite3.Connection, folded: str) -> bool:
        return db.execute("SELECT 1 FROM items WHERE folded = ?", (folded,)).fetchone() is not None

    # -- what is to be done --------------------------------------------------------------------

    def tasks(
        self, size: int, settings: str, has_label: Callable[[str, Kind], bool]
    ) -> Iterator[list[Task]]:
        """All items that the source lists, by name, ``size`` at a time.

        A task is done if these settings labelled it (or a person judged it good), its stamp is
        the same since, and ``has_label`` finds the label. Lists that have nothing to be done are
        left out. Which items share a list doesn't depend on what is done already.
        """
        scan = int(self.get_meta("scan") or 0)
        for rows in self._pages(
            f"SELECT *, {_DONE} AS done FROM items WHERE scan = ?", (settings, scan), size
        ):
            tasks = [
                _task(row, settings, row["state"] == "done" and has_label(row["key"], row["kind"]))
                for row in rows
            ]
            if not all(task.done for task in tasks):
                yield tasks

    def record(self, outcomes: Sequence[Outcome], settings: str) -> None:
        """What became of tasks. A failure leaves an earlier label of the item as it is."""
        with self._write() as db:
            now = time.time()
            for o in outcomes:
                if o.error is not None:
                    db.execute(
                        "UPDATE items SET error = ?, time = ?, seconds = ?, "
                        "state = CASE state WHEN 'done' THEN state ELSE 'failed' END "
                        "WHERE id = ?",
                        (printable(o.error, 2000), now, o.seconds, o.id),
                    )
                    continue
                db.execute(
                    "UPDATE items SET error = NULL, labelled_stamp = stamp WHERE id = ?", (o.id,)
                )
                if o.unchanged:
                    continue
                # A verdict on another picture says nothing about this one.
                db.execute(
                    "UPDATE items SET verdict = NULL, verdict_time = NULL, verdict_note = NULL "
                    "WHERE id = ? AND content IS NOT NULL AND content != ?",
                    (o.id, o.content),
                )
                db.execute(
                    "UPDATE items SET state = 'done', content = ?, settings = ?, time = ?, "
                    "seconds = ?, height = ?, width = ?, frames = ?, quality = ? WHERE id = ?",
                    (o.content, settings, now, o.seconds, *o.size, o.frames, o.quality, o.id),
                )
                db.execute("DELETE FROM segments WHERE item = ?", (o.id,))
                db.executemany(
                    "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)",
                    [(o.id, s.id, s.category_id, s.area, s.score, s.quality) for s in o.segments],
                )

    # -- what there is -------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Of all items: labelled, failed (and not labelled earlier), not yet looked at."""
        rows = self._read("SELECT state, COUNT(*) AS n FROM items GROUP BY state")
        return Counts(**{row["state"]: row["n"] for row in rows})

    def to_do(self, settings: str) -> int:
        """How many items of the source still have to be labelled or tried."""
        select = f"SELECT COUNT(*) - TOTAL({_DONE}) AS n FROM items WHERE scan = ?"
        return int(self._read(select, (settings, int(self.get_meta("scan") or 0)))[0]["n"])

    def labelled(self) -> Iterator[sqlite3.Row]:
        """The rows of everything that has a label, by name."""
        for rows in self._pages("SELECT * FROM items WHERE state = 'done'", (), _PAGE):
            yield from rows

    def row(self, key: str) -> sqlite3.Row:
        """The row of an item that has a label; ``KeyError``."""
        rows = self._read("SELECT * FROM items WHERE key = ? AND state = 'done'", (key,))
        if not rows:
            raise KeyError(f"no labelled item has the key {key!r}")
        return rows[0]

    def failures(self) -> Iterator[Failure]:
        """What could not be labelled, or not anew, by name."""
        for rows in self._pages("SELECT * FROM items WHERE error IS NOT NULL", (), _PAGE):
            yield from map(_failure, rows)

    def failure(self, id: int) -> Failure:
        """Why this item could not be labelled."""
        return _failure(self._read("SELECT * FROM items WHERE id = ?", (id,))[0])

    def segments(self, key: str) -> list[SegmentRecord]:
        return [
            SegmentRecord(r["id"], r["category"], r["area"], r["score"], r["quality"])
            for r in self._read(
                "SELECT s.* FROM segments s JOIN items i ON i.id = s.item WHERE i.key = ? "
                "ORDER BY s.id",
                (key,),
            )
        ]

    def set_verdict(self, key: str, verdict: Verdict | None, note: str = "") -> None:
        self.row(key)
        with self._write() as db:
            db.execute(
                "UPDATE items SET verdict = ?, verdict_time = ?, verdict_note = ? WHERE key = ?",
                (verdict, time.time() if verdict else None, note if verdict else None, key),
            )

    # -- underneath ----------------------------------------------------------------------------

    def _pages(self, select: str, given: tuple[Any, ...], size: int) -> Iterator[list[sqlite3.Row]]:
        rows = self._read(f"{select} ORDER BY name LIMIT {size}", given)
        while rows:
            yield rows
            rows = self._read(
                f"{select} AND name > ? ORDER BY name LIMIT {size}", (*given, rows[-1]["name"])
            )

    def _read(self, select: str, given: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._explained(), self._lock:
            return self._db.execute(select, given).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._lock, self._db:
            yield self._db

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(f"the manifest {str(self.path)!r} can't be used: {error}") from error


# An item is done if these settings labelled it and nothing points to another content since. What
# a person found good isn't labelled again for new settings.
_DONE = (
    "(state = 'done' AND (settings = ? OR verdict IN ('accept', 'corrected')) "
    "AND labelled_stamp = stamp AND problem IS NULL)"
)


def _task(row: sqlite3.Row, settings: str, has_label: bool) -> Task:
    if not has_label:
        return Task(row["id"], row["key"], unit_of(row))
    return Task(
        row["id"],
        row["key"],
        unit_of(row),
        done=bool(row["done"]),
        content=row["content"] if row["settings"] == settings else None,
        previous=f"{row['settings'][:12]}-{row['content'][:12]}",
    )


def unit_of(row: sqlite3.Row) -> Unit:
    """The unit of a row, as its source listed it."""
    span = None if row["span_start"] is None else (row["span_start"], row["span_length"])
    return Unit(
        *(_text(row["name"]), _text(row["source"]), row["kind"], span),
        *(row["stamp"], row["problem"]),
        row["image_id"] if "image_id" in row.keys() else None,  # noqa: SIM118 - a row is no dict
    )


def _failure(row: sqlite3.Row) -> Failure:
    return Failure(_text(row["name"]), _text(row["source"]), row["error"], row["time"])
