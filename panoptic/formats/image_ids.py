"""Image ids of an export: those that the source has, so that its truth is found; else 1, 2, 3."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from panoptic.formats.exporter import ExportItem


class ImageIds:
    """Gives every picture of an export an id that no other one has.

    What was given lies in a temporary database of SQLite's, so that memory doesn't grow with it.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("CREATE TABLE given (id INTEGER PRIMARY KEY)")
        self._db.execute("CREATE TABLE texts (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._next = 1

    @contextmanager
    def together(self) -> Iterator[None]:
        """Ids given in this block are free again after an error."""
        before = self._next
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._next = before
            raise
        self._db.execute("COMMIT")

    def of(self, item: ExportItem) -> int | str:
        """The id for the next picture of an item: its own, if it has one that is free."""
        own = item.image_id
        if own is not None and self._take(own):
            return own
        while not self._take(self._next):
            self._next += 1
        self._next += 1
        return self._next - 1

    def _take(self, id: int | str) -> bool:
        table = "texts" if isinstance(id, str) else "given"
        found = self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?)", (id,))
        return found.rowcount == 1


def image_entry(
    id: int | str, file_name: str, size: tuple[int, int], item: ExportItem
) -> Mapping[str, Any]:
    """An image as COCO lists it; ``source_file_name`` is what the picture was called where it came
    from, as exports give names of their own."""
    entry = {"id": id, "file_name": file_name, "height": size[0], "width": size[1]}
    return {**entry, "source_file_name": item.source_name} if item.source_name else entry
