"""Folders, patterns and single files, on this machine."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from panoptic.errors import SourceError
from panoptic.io.sources.base import Unit, is_shard, kind_of
from panoptic.io.sources.own_files import OwnFiles
from panoptic.io.writer_lock import RUN

_MANIFEST = "manifest.sqlite"
OUTPUT = "output of this program"
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FolderSource:
    """All pictures and videos below a folder.

    Links are followed, but each folder is looked through once, so loops end. Hidden files and
    folders are left out, and so is what this program wrote: labelled data sets, whose PNGs are
    labels, and overlays and labels of other commands. With ``pattern``, only files whose path
    below ``folder`` matches; then shards are listed as well, for the caller to open.
    """

    folder: Path
    pattern: str | None = None
    _regex: re.Pattern[str] | None = field(init=False, default=None, repr=False)
    others: Counter[str] = field(init=False, default_factory=Counter, repr=False, compare=False)
    """Of the last time it was listed, the files that are neither pictures nor videos, by ending;
    what was written as output by this program, as ``OUTPUT``."""

    def __post_init__(self) -> None:
        if self.pattern is not None:
            object.__setattr__(self, "_regex", re.compile(translate(self.pattern)))

    @property
    def label(self) -> str:
        return os.path.abspath(self.folder / (self.pattern or ""))

    def __iter__(self) -> Iterator[Unit]:
        from panoptic.io.sources.shards import TarSource

        self.others.clear()
        for path, stamp in self.paths():
            name = os.path.relpath(path, self.folder).replace(os.sep, "/")
            if self._regex is not None and is_shard(name):
                yield from TarSource(path, name)
            elif kind := kind_of(name):
                yield Unit(name, os.path.abspath(path), kind, stamp=stamp)
            else:
                self.others[os.path.splitext(name)[1].lower()] += 1

    def paths(self) -> Iterator[tuple[str, str]]:
        """(path, stamp) of every file that matches, whatever it is."""
        if not self.folder.is_dir():
            raise SourceError(f"{str(self.folder)!r} is not a folder")
        visited: set[tuple[int, int]] = set()
        stack: list[tuple[str, OwnFiles | None]] = [(os.fspath(self.folder), None)]
        while stack:
            folder, above = stack.pop()
            try:
                with os.scandir(folder) as entries:
                    seen = os.stat(folder)
                    if (seen.st_dev, seen.st_ino) in visited:
                        continue
                    visited.add((seen.st_dev, seen.st_ino))
                    if _is_dataset(folder):
                        self.others[OUTPUT] += 1
                        continue
                    ours = OwnFiles.of(folder) or above
                    below = []
                    for entry in entries:
                        if self._is_hidden(entry.name):
                            continue
                        if ours is not None and ours.has(entry.path):
                            self.others[OUTPUT] += 1
                        elif _is_folder(entry):
                            below.append(entry.path)
                        elif self._matches(entry.path):
                            yield entry.path, _stamp(entry)
            except OSError as error:
                if folder == os.fspath(self.folder):
                    raise SourceError(f"{folder!r} can't be read: {error.strerror}") from error
                continue  # below it is nothing that we may read
            # Sorted, so that of two ways to one folder always the same is gone.
            stack += [(path, ours) for path in sorted(below, reverse=True)]

    def _is_hidden(self, name: str) -> bool:
        return name.startswith(".")

    def _matches(self, path: str) -> bool:
        if self._regex is None:
            return True
        name = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return self._regex.fullmatch(name) is not None


@dataclass(frozen=True)
class FileSource:
    """One picture or video."""

    path: Path

    @property
    def label(self) -> str:
        return os.path.abspath(self.path)

    def __iter__(self) -> Iterator[Unit]:
        yield file_unit(self.path.name, os.fspath(self.path))


def file_unit(name: str, path: str) -> Unit:
    """A unit of a file on this machine that may not be there."""
    kind = kind_of(path)
    if kind is None:
        problem = f"its ending {os.path.splitext(path)[1]!r} is none of a picture or video"
        return Unit(name, os.path.abspath(path), problem=problem)
    try:
        found = os.stat(path)
        stamp = f"{found.st_size}-{found.st_mtime_ns}"
    except (OSError, ValueError):  # told when it is opened
        stamp = ""
    return Unit(name, os.path.abspath(path), kind, stamp=stamp)


def glob_source(pattern: str) -> FolderSource:
    """Files by a pattern with ``*``, ``?``, ``[...]`` and ``**`` (folders, any number of them)."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
    return FolderSource(Path(*parts[:fixed]) if fixed else Path("."), "/".join(parts[fixed:]))


def is_pattern(text: str) -> bool:
    return _MAGIC.search(text) is not None


def translate(pattern: str) -> str:
    """A pattern of paths as a regular expression.

    ``*`` and ``?`` stop at ``/``; ``**`` as a whole part is any number of folders.
    """
    *folders, last = pattern.split("/")
    regex = "".join("(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in folders)
    return regex + ("(?:[^/]+/)*[^/]+" if last == "**" else _part(last))


def _part(pattern: str) -> str:
    regex, i = "", 0
    while i < len(pattern):
        c = pattern[i]
        end = pattern.find("]", i + 2) if c == "[" else -1
        if end > 0:
            chosen = pattern[i + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            if chosen[0] in "!^":
                chosen = f"^/{chosen[1:]}"
            regex += f"[{chosen}]"
            i = end
        else:
            regex += {"*": "[^/]*", "?": "[^/]"}.get(c) or re.escape(c)
        i += 1
    return regex


def _is_dataset(folder: str) -> bool:
    """Whether a folder is a labelled data set, from when its run begins."""
    return os.path.exists(os.path.join(folder, _MANIFEST)) and any(
        os.path.exists(os.path.join(folder, name)) for name in ("labels", "videos", RUN)
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        found = entry.stat()
    except OSError:
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"
