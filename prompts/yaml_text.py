"""YAML and JSON as people write them: a key that is there twice is refused.

The libraries take the last one, and what the first said is lost without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What PyYAML raises besides its own errors, for values such as a 13th month or an empty number.
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class KeyTwice(ValueError):
    """A key that one mapping has twice."""


def load_yaml(text: str) -> Any:
    """The content of a YAML text, of plain values alone (YAML's safe types).

    Raises ``KeyTwice`` for a key that is there twice, and ``ValueError`` for what is no YAML.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            refuse_twice([key.value for key, _ in node.value if isinstance(key.value, str)])
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except KeyTwice:
        raise
    except (yaml.YAMLError, *_BROKEN) as error:
        raise ValueError(f"it is not YAML: {error}") from error


def pairs_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json``'s ``object_pairs_hook``. Raises ``KeyTwice``."""
    refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def refuse_twice(keys: Sequence[str]) -> None:
    """Raises ``KeyTwice`` for the first of these keys that is there twice."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise KeyTwice(f"{key!r} is there twice")
        seen.add(key)
