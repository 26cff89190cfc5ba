"""JSON that is written entry by entry, PNGs of small integers, and lists of names by split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from panoptic.errors import CannotHold
from prompts import Vocabulary


class JsonLists:
    """A JSON file with long lists, written entry by entry: nothing of them stays in memory.

    Each list goes to a file of its own beside the JSON; ``close`` puts them in their places and
    removes those files.
    """

    def __init__(self, path: Path, *lists: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._parts = {name: path.with_name(f"{path.name}.{name}") for name in lists}
        self._files = {n: part.open("w+", encoding="utf-8") for n, part in self._parts.items()}
        self.counts = dict.fromkeys(lists, 0)

    def append(self, name: str, entry: Any) -> None:
        file = self._files[name]
        file.write((",\n" if self.counts[name] else "") + json.dumps(entry, ensure_ascii=False))
        self.counts[name] += 1

    @contextmanager
    def together(self) -> Iterator[None]:
        """Entries appended in this block are kept all or, after an error, none."""
        marks = {name: file.tell() for name, file in self._files.items()}
        counts = dict(self.counts)
        try:
            yield
        except BaseException:
            for name, file in self._files.items():
                file.seek(marks[name])
                file.truncate()
            self.counts = counts
            raise

    def place(self, name: str) -> str:
        """Stands for a list in the content given to ``close``."""
        return f"\0{name}\0"

    def close(self, content: Any) -> Path:
        """Writes the JSON, the lists in the places that the content has for them."""
        text = json.dumps(content, ensure_ascii=False)
        with self.path.open("w", encoding="utf-8") as file:
            for name, part in self._parts.items():
                self._files[name].close()
                before, text = text.split(json.dumps(self.place(name)))
                file.write(before + "[\n")
                with part.open(encoding="utf-8") as lines:
                    shutil.copyfileobj(lines, file)
                file.write("\n]")
                part.unlink()
            file.write(text + "\n")
        return self.path


def close_coco(lists: JsonLists, vocabulary: Vocabulary) -> None:
    """Ends a file of COCO's: lists "images" and "annotations", and the categories."""
    content = {name: lists.place(name) for name in ("images", "annotations")}
    lists.close({**content, "categories": vocabulary.to_coco()})


class NameLists:
    """Text files with one name a line, opened when the first comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, name: str, line: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def write_indices(path: Path, values: np.ndarray, palette: Sequence[int]) -> None:
    """Writes an array (H, W) of 0 to 255 as a PNG with a palette (r, g, b, r, ...)."""
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(list(palette))
    image.save(path, format="PNG")


def lookup(ids: np.ndarray, values: dict[int, int], void: int = 0) -> np.ndarray:
    """An id map (H, W) with each id replaced by its value, int32; 0 becomes ``void``."""
    known = np.array(sorted(values), np.int64)
    table = np.array([void, *(values[i] for i in known.tolist())], np.int32)
    places = np.searchsorted(known, ids) + 1
    places[ids == 0] = 0
    return table[places]


def check_fewer(count: int, most: int, what: str, format: str) -> None:
    """Raises ``CannotHold`` if there are more than ``most``."""
    if count > most:
        raise CannotHold(f"{format} holds {most} {what}, this has {count}")
