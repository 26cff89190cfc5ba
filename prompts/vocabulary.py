"""The words that are asked for: categories with stable ids, things first, then stuff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One word (or phrase) that pixels can be labelled with. ``id`` is 1 or more; 0 is void."""

    id: int
    name: str
    is_thing: bool
    synonyms: tuple[str, ...] = ()


class Vocabulary:
    """An ordered, immutable set of categories: ``Vocabulary(things=["car"], stuff=["road"])``.

    Ids are given in order, things first, from 1 on.
    """

    def __init__(self, things: Sequence[str] = (), stuff: Sequence[str] = ()) -> None:
        named = [(name, True) for name in things] + [(name, False) for name in stuff]
        self.categories: tuple[Category, ...] = tuple(
            Category(i, name, is_thing) for i, (name, is_thing) in enumerate(named, start=1)
        )

    @property
    def things(self) -> tuple[Category, ...]:
        return tuple(c for c in self.categories if c.is_thing)

    @property
    def stuff(self) -> tuple[Category, ...]:
        return tuple(c for c in self.categories if not c.is_thing)

    def __iter__(self) -> Iterator[Category]:
        return iter(self.categories)

    def __len__(self) -> int:
        return len(self.categories)
