"""Files that are whole or not there at all, and journals that survive being killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image


def to_disk(path: Path) -> None:
    """Waits until a file's content would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    yield part
    os.replace(part, path)


def write_png(path: Path, image: Image.Image) -> None:
    """Writes a picture as a PNG that appears whole or not at all."""
    with whole_file(path) as part:
        image.save(part, format="PNG")


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises ``ValueError`` if it isn't JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is not JSON: {error}") from error


class Journal:
    """One JSON record a frame, a line each, flushed as it comes: a kill loses at most the last.

    ``start`` records of what is there already are kept and the rest is dropped, which is how a
    resumed run goes on at frame ``start``; with 0 it begins anew. Raises ``ValueError`` if there
    are fewer.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with path.open("rb+") as file:
            for number in range(start):
                if not file.readline().endswith(b"\n"):
                    raise ValueError(
                        f"{str(path)!r} holds {number} frames: resuming at frame {start} needs "
                        "those before it, start anew instead"
                    )
            file.truncate(file.tell())
        self._file = path.open("a", encoding="utf-8")

    def append(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The records so far, read one by one."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        self._file.close()
