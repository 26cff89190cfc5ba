"""The objects of one array in a large JSON file, one by one, without holding the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

_BLOCK = 1 << 16
_MAX_OBJECT = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_AFTER = tuple(",]} \t\n\r")
# What matters for finding the end of a value: strings as a whole, and brackets.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|"', re.DOTALL)


class JsonStreamError(ValueError):
    """Not the JSON that was expected."""


class JsonListMissing(JsonStreamError):
    """The outermost object has no such list."""


def array_of(stream: TextIO, key: str) -> Iterator[Any]:
    """The elements of the array at ``key`` of the outermost object.

    Memory is bounded by the largest element, of which more than a million characters are refused.
    ``JsonStreamError`` for what is no JSON as far as it is read, ``JsonListMissing`` where there is
    no such key.
    """
    reader = _Reader(stream)
    reader.expect("{")
    while reader.peek() == '"':
        name = reader.value()
        reader.expect(":")
        if name == key:
            if reader.peek() != "[":
                raise JsonStreamError(f"{key!r} must be a list")
            yield from reader.elements()
            return
        reader.skip()
        if reader.peek() == ",":
            reader.expect(",")
    if reader.peek() != "}":
        raise JsonStreamError("damaged JSON: it ends within its outermost object")
    raise JsonListMissing(f"it has no list {key!r}")


class _Reader:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def expect(self, character: str) -> None:
        if (got := self.peek()) != character:
            raise JsonStreamError(f"{character!r} was expected, got {got!r}")
        self._at += 1

    def elements(self) -> Iterator[Any]:
        self.expect("[")
        if self.peek() == "]":
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                return
            self.expect(",")

    def value(self) -> Any:
        """Decodes the value that comes next."""
        start = self.peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
                # A number at the end of what is read may go on.
                if start in '"[{' or self._text[end : end + 1] in _AFTER or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                whole = self._text[self._at :]
                if len(whole) > _MAX_OBJECT:
                    raise JsonStreamError(
                        f"damaged, or a value of more than {_MAX_OBJECT:,} characters"
                    ) from error
                if not self._more():
                    raise JsonStreamError(f"damaged JSON: {error.msg}") from error

    def skip(self) -> None:
        """Passes over a value without decoding it."""
        if self.peek() not in "[{":
            self.value()
            return
        depth = 0
        while True:
            match = _TOKEN.search(self._text, self._at)
            if match is None or match.group() == '"':  # nothing whole: a string may go on
                self._at = len(self._text) if match is None else match.start()
                if len(self._text) - self._at > _MAX_OBJECT or not self._more():
                    raise JsonStreamError("damaged JSON: it ends within a list or object")
                continue
            self._at = match.end()
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match.group(), 0)
            if depth == 0:
                return

    def _more(self) -> bool:
        block = self._stream.read(_BLOCK)
        self._text = self._text[self._at :] + block
        self._at = 0
        return bool(block)


def _decode(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise JsonStreamError("values are nested too deeply") from error


_DECODER = json.JSONDecoder()
