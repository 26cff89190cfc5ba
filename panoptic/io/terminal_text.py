"""Text from strangers for terminals: what would steer one is shown, not obeyed.

A file may be called anything but a slash and a null byte, such as an escape sequence that sets
the clipboard or clears what was printed before.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)
"""Control characters but tab and line feed, what changes the direction of text, and halves of
characters, which file names that aren't UTF-8 have in Python and no stream can write."""
_MOVES = re.compile(r"(?:\n|\x1b\[A)+")
"""What bars of libraries write to stderr to get from line to line. Their lines begin with a
carriage return, as none of ours does."""


def harmless(text: str) -> str:
    """The text with whatever steers a terminal as an escape of Python; lines stay lines."""
    return _STEERING.sub(lambda match: _escape(match.group()), text)


def one_line(text: str) -> str:
    """The same for a name, on one line."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


class HarmlessStream:
    """A text stream that writes ``harmless`` text to another one; all else is that one's. With
    ``bars``, those of libraries may go over their lines."""

    def __init__(self, stream: TextIO, bars: bool = False) -> None:
        self.unfiltered = stream
        self._bars = bars

    def write(self, text: str) -> int:
        if self._bars and _MOVES.fullmatch(text):
            shown = text
        elif self._bars and text.startswith("\r"):
            shown = "\r" + harmless(text[1:])
        else:
            shown = harmless(text)
        encoding = getattr(self.unfiltered, "encoding", None) or "utf-8"
        try:
            shown.encode(encoding)
        except UnicodeEncodeError:
            shown = shown.encode(encoding, "backslashreplace").decode(encoding)
        self.unfiltered.write(shown)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


@contextmanager
def harmless_output() -> Iterator[None]:
    """While it lasts, what is printed to stdout and stderr, by whomever, steers no terminal."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _filtered(sys.stdout), _filtered(sys.stderr, bars=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unfiltered(stream: TextIO) -> TextIO:
    """What a stream writes to in the end, for whoever draws on a terminal, and calls ``harmless``
    for what it draws."""
    while isinstance(stream, HarmlessStream):
        stream = stream.unfiltered
    return stream


def _filtered(stream: Any, bars: bool = False) -> Any:
    done = stream is None or isinstance(stream, HarmlessStream)
    return stream if done else HarmlessStream(stream, bars)
