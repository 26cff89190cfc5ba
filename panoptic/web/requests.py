"""What a page asks, checked field by field: it may be another version's, or a stranger's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

Kind = TypeVar("Kind", str, int, float, bool)
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_LONGEST = 4000
"""Characters of a text."""


def field(asked: Mapping[str, Any], name: str, kind: type[Kind], default: Any = ...) -> Kind:
    """A field of a request; without a ``default`` it must be there. ``ValueError``."""
    value: Any = asked.get(name)
    if value is None:
        if default is ...:
            raise ValueError(f"{name!r} is missing: expected {_WORDS[kind]}")
        return default  # type: ignore[no-any-return]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits or (kind is float and not math.isfinite(value)):
        raise ValueError(f"{name!r} is {_short(value)}: expected {_WORDS[kind]}")
    if isinstance(value, str) and len(value) > _LONGEST:
        raise ValueError(f"{name!r} has {len(value)} characters: expected at most {_LONGEST}")
    return value


def optional(asked: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    """A field that may be missing or null."""
    return None if asked.get(name) is None else field(asked, name, kind)


def numbers(asked: Mapping[str, Any], name: str, count: int) -> list[float]:
    """So many finite numbers."""
    value = asked.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        raise ValueError(f"{name!r} is {_short(value)}: expected {count} numbers")
    return [field({name: each}, name, float) for each in value]


def mapping(asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object; an empty one where it is missing."""
    value = asked.get(name) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} is {_short(value)}: expected an object")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
