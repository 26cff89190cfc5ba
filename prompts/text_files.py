"""Texts that other people's tools wrote: UTF-8 with or without a mark, UTF-16, UTF-32.

Windows' editors put a byte order mark before UTF-8, and its PowerShell writes UTF-16.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import TextIO

# UTF-32's marks begin like UTF-16's, so they come first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class NotText(ValueError):
    """Bytes that are no text in any encoding that is read; the message says where and what."""


def codec_of(start: bytes) -> str:
    """Python's name for the encoding of a text that begins so; it passes over the mark."""
    encoding, mark = text_encoding(start)
    if encoding == "utf-8":
        return "utf-8-sig"
    return encoding.removesuffix("-le").removesuffix("-be") if mark else encoding


def text_encoding(start: bytes) -> tuple[str, int]:
    """The encoding of a text by its first four bytes or more, and the length of its mark.

    Without a mark it is UTF-8, unless every other byte of the first two letters is null: then it
    is UTF-16 (JSON, YAML, XML and lists of names begin with two letters of ASCII).
    """
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding, len(mark)
    if len(start) >= 4:
        nulls = [byte == 0 for byte in start[:4]]
        if nulls == [False, True, False, True]:
            return "utf-16-le", 0
        if nulls == [True, False, True, False]:
            return "utf-16-be", 0
    return "utf-8", 0


def decode_text(data: bytes, name: str) -> str:
    """The text in these bytes, without its byte order mark; line ends become ``\\n``.

    ``name`` is the file's, for the message. Raises ``NotText``: no other encoding is guessed.
    """
    encoding, mark = text_encoding(data[:4])
    try:
        text = data[mark:].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: mark + error.start].count(b"\n") + 1
        raise NotText(
            f"{name!r}, line {line}: expected a text in {encoding.upper()}, byte "
            f"{data[mark + error.start]:#04x} is none of it; save the file as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | Path) -> str:
    """The text of a file, see ``decode_text``. Raises ``NotText`` and ``OSError``."""
    return decode_text(Path(path).read_bytes(), str(path))


def open_text(path: str | Path) -> TextIO:
    """A file opened as a text, its byte order mark passed over; for those too large to hold.

    Reading raises ``UnicodeDecodeError`` where ``read_text`` would raise ``NotText``.
    """
    with Path(path).open("rb") as file:
        codec = codec_of(file.read(4))
    return Path(path).open(encoding=codec)


def posix_name(name: str) -> str:
    """A name of a file with slashes, as a tool on Windows may have written backslashes."""
    return name.replace("\\", "/")


def path_named(folder: str | Path, name: str) -> Path:
    """The path of a name in somebody's list: as it stands if there is one, else with slashes."""
    path = Path(folder, name)
    return path if "\\" not in name or os.path.lexists(path) else Path(folder, posix_name(name))
