"""Stages whose answers are kept, so that a changed level does again only what depends on it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar

Answer = TypeVar("Answer")


class Keep(Protocol):
    """What hands back the answer of a stage that was asked the same before, or computes it.

    ``stage`` names what is computed, ``key`` all that it depends on beside the picture and words.
    """

    def __call__(
        self, stage: str, key: tuple[Hashable, ...], compute: Callable[[], Answer], /
    ) -> Answer: ...


def anew(stage: str, key: tuple[Hashable, ...], compute: Callable[[], Answer], /) -> Answer:
    """Nothing is kept."""
    return compute()


class KeptStages:
    """The latest answers of every stage: a level that goes back finds them again.

    One thread at a time may use it.
    """

    def __init__(self, answers: int = 4) -> None:
        self._most = answers
        self._kept: dict[str, dict[tuple[Hashable, ...], object]] = {}

    def __call__(
        self, stage: str, key: tuple[Hashable, ...], compute: Callable[[], Answer], /
    ) -> Answer:
        kept = self._kept.setdefault(stage, {})
        answer = kept.pop(key) if key in kept else compute()
        kept[key] = answer  # the latest is last
        while len(kept) > self._most:
            kept.pop(next(iter(kept)))
        return answer  # type: ignore[return-value]
