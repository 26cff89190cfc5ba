"""The tables of the manifest, and how those of earlier versions become them.

Of format 1 it wasn't known which words an item was labelled with, nor which corrections stand: both
are read from the label files that lie there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from panoptic.errors import DatasetError

FORMAT = 2

_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_ITEMS = """
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
)"""
_SEGMENTS = """
CREATE TABLE segments (
  item INTEGER NOT NULL REFERENCES items (id),
  id INTEGER NOT NULL,
  category INTEGER NOT NULL,     -- among the words of the item's settings
  area INTEGER NOT NULL,
  score REAL NOT NULL,
  quality REAL,
  PRIMARY KEY (item, id)
) WITHOUT ROWID"""
_INDEXES = (
    "CREATE INDEX items_state ON items (state, name)",
    "CREATE INDEX items_keyless ON items (name) WHERE key IS NULL",
)
# Columns of items that format 1 didn't have, and what stands in them where it isn't known.
_ADDED = {
    "label_stamp": "TEXT",  # sizes and times of the label's files
    "label_digest": "TEXT",  # hash of their contents
    "lost": "INTEGER NOT NULL DEFAULT 0",  # they are gone or damaged, and are made again
    "header_height": "INTEGER",  # as the picture's header says, before any rotation
    "header_width": "INTEGER",
    "image_id": "",  # the source's own number or text
}
_NEW_TABLES = (
    # The words that each settings hash stands for: numbers mean nothing without them.
    "CREATE {temp} TABLE words (settings TEXT NOT NULL, category INTEGER NOT NULL, "
    "name TEXT NOT NULL, is_thing INTEGER NOT NULL, PRIMARY KEY (settings, category)) "
    "WITHOUT ROWID",
    # The corrections that stand, by frame; their files lie below the data set.
    "CREATE {temp} TABLE corrections (item INTEGER NOT NULL, frame INTEGER NOT NULL, "
    "path TEXT NOT NULL, stamp TEXT, digest TEXT, words TEXT NOT NULL, PRIMARY KEY (item, frame)) "
    "WITHOUT ROWID",
)


def prepare(db: sqlite3.Connection, path: Path, *, create: bool) -> None:
    """Makes the tables of a new manifest, or those of an earlier version into today's.

    Where the file can't be written, what is missing is made in memory. Raises ``DatasetError`` for
    a format that this version doesn't know.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT:
        return
    if version == 0 and create:
        with _transaction(db):
            for statement in (_META, _ITEMS, *_INDEXES, _SEGMENTS):
                db.execute(statement)
            _add(db)
        return
    if version != 1:
        raise DatasetError(
            f"{str(path)!r} has format {version}, this version reads 1 to {FORMAT}: use the "
            "version of this package that wrote it"
        )
    try:
        with _transaction(db):
            # Another process may have been quicker.
            if db.execute("PRAGMA user_version").fetchone()[0] == 1:
                _add(db)
                _fill(db, path.parent)
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            raise
        db.execute("PRAGMA temp_store = MEMORY")
        missing = ", ".join(f"{_default(kind)} AS {name}" for name, kind in _ADDED.items())
        db.execute(f"CREATE TEMP VIEW items AS SELECT *, {missing} FROM main.items")
        for statement in _NEW_TABLES:
            db.execute(statement.format(temp="TEMP"))
        _fill(db, path.parent)


class _transaction:
    """All of a block or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._db.in_transaction:  # some errors have rolled it back
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _add(db: sqlite3.Connection) -> None:
    for name, kind in _ADDED.items():
        db.execute(f"ALTER TABLE items ADD COLUMN {name} {kind}")
    for statement in _NEW_TABLES:
        db.execute(statement.format(temp=""))
    db.execute(f"PRAGMA user_version = {FORMAT}")


def _default(kind: str) -> str:
    return kind.rpartition("DEFAULT ")[2] if "DEFAULT" in kind else "NULL"


# -- what format 1 left to the files -------------------------------------------------------------


def _fill(db: sqlite3.Connection, root: Path) -> None:
    meta = {row[0]: json.loads(row[1]) for row in db.execute("SELECT key, value FROM meta")}
    current = str(meta.get("settings_hash"))
    for category in meta.get("vocabulary") or ():
        _know(db, current, category)
    rows = db.execute(
        "SELECT id, key, kind, settings, frames, verdict FROM items "
        "WHERE state = 'done' AND (settings != ? OR verdict = 'corrected')",
        (current,),
    ).fetchall()
    for item, key, kind, settings, frames, verdict in rows:
        if settings != current and _unnamed(db, item, settings):
            for file in _label_files(root, key, kind, frames):
                for category in _categories(file):
                    _know(db, settings, category)
                if not _unnamed(db, item, settings):
                    break
        if verdict == "corrected":
            for frame in range(frames):
                corrected = _correction_file(key, kind, frame)
                if (root / corrected).is_file():
                    found = _categories(root / corrected)
                    words = [[c["name"], bool(c["isthing"])] for c in found]
                    db.execute(
                        "INSERT INTO corrections (item, frame, path, words) VALUES (?, ?, ?, ?)",
                        (item, frame, corrected, json.dumps(words)),
                    )


def _know(db: sqlite3.Connection, settings: str, category: dict[str, Any]) -> None:
    db.execute(
        "INSERT OR IGNORE INTO words VALUES (?, ?, ?, ?)",
        (settings, category["id"], category["name"], int(category["isthing"])),
    )


def _unnamed(db: sqlite3.Connection, item: int, settings: str) -> bool:
    """Whether an item has segments of which it isn't known what their numbers mean."""
    select = (
        "SELECT 1 FROM segments s WHERE item = ? AND category > 0 AND NOT EXISTS "
        "(SELECT 1 FROM words w WHERE w.settings = ? AND w.category = s.category)"
    )
    return db.execute(select, (item, settings)).fetchone() is not None


def _label_files(root: Path, key: str, kind: str, frames: int) -> Iterator[Path]:
    if kind == "image":
        yield root / "labels" / f"{key}.json"
    else:
        yield from (root / "videos" / f"{key}.frames" / f"{n:06}.json" for n in range(frames))


def _correction_file(key: str, kind: str, frame: int) -> str:
    name = f"{key}.json" if kind == "image" else f"{key}.frames/{frame:06}.json"
    return f"corrections/{name}"


def _categories(path: Path) -> list[dict[str, Any]]:
    """The categories that a label names; none where it is gone or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["categories"]
        return [c for c in found if c["id"] > 0 and c["name"] and c["isthing"] in (0, 1)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
