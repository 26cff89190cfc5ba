"""Reading somebody else's JSON without guessing: every field is read, checked, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sam2core.errors import WeightsError

_NOTHING = object()


class Fields:
    """The fields of one JSON object, of which none may be left over in the end.

    A field that nobody asked for may change what a model computes, and one that is only assumed
    to have its usual value may have another: both would give a model that loads and is wrong.
    What is found wrong is collected in ``problems``, to be told all at once.
    """

    def __init__(self, content: Any, name: str, problems: list[str]) -> None:
        self.name = name
        self.problems = problems
        self._left: dict[str, Any] = {}
        if not isinstance(content, Mapping):
            problems.append(f"{name or 'the file'} must be an object, found {_shown(content)}")
            return
        # What is null has its default in these files.
        self._left = {key: value for key, value in content.items() if value is not None}

    def read(self, key: str, default: Any = None) -> Any:
        """A field's value, lists as tuples; ``default`` where it is absent or null."""
        return _hashable(self._left.pop(key, default))

    def inner(self, key: str) -> Fields:
        """The fields of an object that is itself a field; none where it is absent."""
        return Fields(self._left.pop(key, {}), self.path(key), self.problems)

    def require(self, **expected: Any) -> None:
        """Fields that this code has one value of. Absent or null is that value."""
        for key, value in expected.items():
            found = _hashable(self._left.pop(key, _NOTHING))
            if found is not _NOTHING and found != _hashable(value):
                self.problems.append(
                    f"{self.path(key)} is {_shown(found)}, but only {_shown(value)} is supported"
                )

    def require_same(self, key: str, default: Any, expected: Any) -> None:
        """As :meth:`require`, where absence means ``default``."""
        found = self.read(key, default)
        if found != _hashable(expected):
            self.problems.append(
                f"{self.path(key)} is {_shown(found)}, but the other fields need {_shown(expected)}"
            )

    def skip(self, keys: Iterable[str]) -> None:
        """Fields that are known not to change what is computed."""
        for key in keys:
            self._left.pop(key, None)

    def end(self) -> None:
        """What is left over is a problem."""
        self.problems += [
            f"{self.path(key)} ({_shown(value)}) is not known here"
            for key, value in sorted(self._left.items())
        ]

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def refuse_if_wrong(label: str, problems: Sequence[str]) -> None:
    """Raise :class:`WeightsError` with all the problems of a file, if there are any."""
    if problems:
        shown = "; ".join(problems[:10]) + ("; …" if len(problems) > 10 else "")
        raise WeightsError(
            f"{label}: this configuration asks for something that sam2core doesn't compute: "
            f"{shown}. Nothing is assumed in its place, as the masks would be wrong"
        )


def _hashable(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, (list, tuple)):
        return tuple(_hashable(v) for v in value)
    return value


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 80 else text[:77] + "..."
