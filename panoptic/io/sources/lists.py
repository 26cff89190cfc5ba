"""Lists: a text file of names, or names from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from panoptic.errors import SourceError
from panoptic.io.sources.base import Unit, kind_of
from panoptic.io.sources.files import file_unit
from panoptic.io.sources.opening import is_url
from prompts.text_files import open_text, path_named, text_encoding

_LONGEST = 1 << 16
"""The longest name of a list, in bytes; a file without any line end must not fill the memory."""


@dataclass(frozen=True)
class TextListSource:
    """A text file with a path or URL a line; relative paths are below the list's own folder.

    Empty lines and lines that begin with ``# `` are left out. Where there are null bytes, those
    part the names, as ``find -print0`` writes them.
    """

    path: Path

    @property
    def label(self) -> str:
        return os.path.abspath(self.path)

    def __iter__(self) -> Iterator[Unit]:
        folder = os.path.dirname(os.path.abspath(self.path))
        try:
            for number, raw in enumerate(self._lines(), start=1):
                text = os.fsdecode(raw)
                if len(raw) >= _LONGEST:
                    yield Unit(f"line {number}", text[:80], problem="too long for a name")
                elif text.strip() and not text.startswith("# "):
                    yield named_unit(text, folder)
        except UnicodeDecodeError as error:
            raise SourceError(f"{str(self.path)!r} is damaged UTF-16: {error}") from error
        except OSError as error:
            raise SourceError(f"{str(self.path)!r} can't be read: {error.strerror}") from error

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            encoding, mark = text_encoding(stream.read(4))
            if encoding != "utf-8":
                with open_text(self.path) as text:  # names of the file system are in UTF-8
                    while name := text.readline(_LONGEST):
                        yield name.rstrip("\n").encode()
                return
            stream.seek(mark)
            null = b"\0" in stream.read(_LONGEST)
            stream.seek(mark)
            if not null:
                while line := stream.readline(_LONGEST):
                    yield line.rstrip(b"\r\n")
                    while len(line) == _LONGEST and not line.endswith(b"\n"):
                        line = stream.readline(_LONGEST)  # the rest of an endless line
                return
            rest = b""
            while block := stream.read(_LONGEST):
                *whole, rest = (rest + block).split(b"\0")
                yield from whole
                rest = rest[:_LONGEST]
            yield rest


@dataclass(frozen=True)
class SequenceSource:
    """Paths and URLs that a Python program lists; relative paths are below the working folder."""

    names: Iterable[str | os.PathLike[str]]
    label: str = "a list"

    def __iter__(self) -> Iterator[Unit]:
        for name in self.names:
            if isinstance(name, str | os.PathLike):
                yield named_unit(os.fspath(name), os.getcwd())
            else:
                problem = f"expected a path or URL, got {type(name).__name__}"
                yield Unit(repr(name)[:200], repr(name)[:200], problem=problem)


def named_unit(text: str, folder: str) -> Unit:
    """A unit of a path or URL; its name is the path below ``folder``, or the whole of it."""
    if is_url(text):
        kind = kind_of(text.split("?")[0])
        if kind is None:
            return Unit(text, text, problem="its ending is none of a picture or video")
        return Unit(text, text, kind)
    path = os.path.normpath(path_named(folder, text))
    name = os.path.relpath(path, folder) if path.startswith(folder + os.sep) else path
    return file_unit(name.replace(os.sep, "/"), path)
