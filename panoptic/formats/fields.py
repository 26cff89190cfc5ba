"""Fields of other tools' files, asked for by type; what is missing or wrong is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from panoptic.errors import CorrectionError

LARGEST = 1_000_000
"""No number of a shape is beyond this many pixels; what draws them counts in 32 bits."""


class Fields:
    """A JSON object, or the attributes of an XML element, at a ``place`` of a file.

    Every method raises ``CorrectionError`` where the field is missing or of another type. Numbers
    of XML are texts, so ``texts`` says that these are read as numbers.
    """

    def __init__(self, content: Any, place: str, *, texts: bool = False) -> None:
        if not isinstance(content, Mapping):
            raise CorrectionError(at(place, f"expected named fields, got {shown(content)}"))
        self.content: Mapping[str, Any] = content
        self.place = place
        self._texts = texts

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.content.get(name) is not None

    def error(self, name: str, expected: str) -> CorrectionError:
        """What to raise where the field is none of what was expected."""
        if name not in self.content:
            return CorrectionError(at(self.place, f"{name!r} is missing ({expected})"))
        got = shown(self.content[name])
        return CorrectionError(at(self.place, f"{name!r} must be {expected}, got {got}"))

    def text(self, name: str) -> str:
        value = self.content.get(name)
        if not isinstance(value, str):
            raise self.error(name, "a text")
        return value

    def number(self, name: str) -> float:
        """A finite number of no more than ``LARGEST``."""
        value = self.content.get(name)
        if self._texts and isinstance(value, str):
            value = _parsed(value)
        if not is_number(value):
            raise self.error(name, "a number")
        if abs(value) > LARGEST:
            raise self.error(name, f"no more than {LARGEST:,} pixels")
        return float(value)

    def integer(self, name: str) -> int:
        value = self.number(name)
        if value != int(value):
            raise self.error(name, "a whole number")
        return int(value)

    def list(self, name: str) -> list[Any]:
        value = self.content.get(name)
        if not isinstance(value, list):
            raise self.error(name, "a list")
        return value

    def fields(self, name: str) -> Fields:
        if not isinstance(self.content.get(name), Mapping):
            raise self.error(name, "named fields")
        return Fields(self.content[name], at(self.place, repr(name)))


def at(place: str, what: str) -> str:
    """A place within a place; the outermost may have no name."""
    return f"{place}, {what}" if place else what


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a finite number; JSON's true and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def shown(value: Any) -> str:
    """A value in a message, short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
