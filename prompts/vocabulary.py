"""The words that are asked for: categories with stable ids, things first, then stuff."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prompts.category import Category, clean_name, to_phrase
from prompts.palette import palette

__all__ = ["Category", "Names", "UnknownCategory", "Vocabulary"]

Names = Sequence[str] | Mapping[str, Sequence[str]]
"""Names in order, or names with their synonyms: ``["car", "bus"]``, ``{"car": ["sedan"]}``."""


class UnknownCategory(KeyError, ValueError):
    """An id or name was looked up that the vocabulary doesn't have."""

    def __str__(self) -> str:
        return str(self.args[0])


class Vocabulary:
    """An ordered, immutable set of categories: ``Vocabulary(things=["car"], stuff=["road"])``.

    Ids are given in order, things first, from 1 on; colours follow from ids and names. Both
    therefore stay the same for the same words. Synonyms go into a mapping:
    ``things={"car": ["sedan"]}``.

    Raises ``ValueError`` for an empty name, for a name or synonym that occurs twice (in whatever
    case), for one that is thing and stuff, and for a name with ``. ? ;`` in it.
    """

    def __init__(self, things: Names = (), stuff: Names = ()) -> None:
        named = [(*item, True) for item in _items(things, "things")]
        named += [(*item, False) for item in _items(stuff, "stuff")]
        self._set(
            Category(i, name, is_thing, synonyms)
            for i, (name, synonyms, is_thing) in enumerate(named, start=1)
        )

    def _set(self, categories: Iterable[Category]) -> None:
        self.categories: tuple[Category, ...] = tuple(
            sorted(categories, key=lambda c: not c.is_thing)
        )
        self._by_name: dict[str, Category] = {}
        self._by_id: dict[int, Category] = {}
        for category in self.categories:
            if category.id in self._by_id:
                raise ValueError(
                    f"id {category.id} is given to {self._by_id[category.id].name!r} and to "
                    f"{category.name!r}; every category needs an id of its own"
                )
            self._by_id[category.id] = category
            for text in (category.name, *category.synonyms):
                other = self._by_name.setdefault(to_phrase(text), category)
                if other is not category:
                    raise ValueError(_clash(text, category, other))
            if len(set(category.phrases)) < len(category.phrases):
                raise ValueError(
                    f"{category.name!r} has a synonym twice, or its own name as a synonym: "
                    f"{list(category.synonyms)}"
                )
        self._colors = palette(
            [(c.id, c.is_thing) for c in self.categories], {c.id: c.name for c in self.categories}
        )

    @classmethod
    def from_categories(cls, categories: Iterable[Category]) -> Vocabulary:
        """A vocabulary of ready-made categories, with the ids that they have."""
        vocabulary = cls.__new__(cls)
        vocabulary._set(categories)
        return vocabulary

    @classmethod
    def parse(cls, text: str) -> Vocabulary:
        """Read ``"car, person; road, sky"``: things, a semicolon, stuff.

        Without a semicolon all names are things; ``"; road, sky"`` is stuff alone.
        """
        parts = text.split(";")
        if len(parts) > 2:
            raise ValueError(
                f"expected at most one ';' (things; stuff), got {len(parts) - 1} in {text!r}"
            )
        if not text.replace(";", " ").strip():
            raise ValueError('expected names such as "car, person; road, sky", got none')
        lists = [part.split(",") if part.strip() else [] for part in parts]
        return cls(things=lists[0], stuff=lists[1] if len(lists) == 2 else ())

    @classmethod
    def from_file(cls, path: str | Path) -> Vocabulary:
        """Read a YAML or JSON file with the keys ``things``, ``stuff`` and ``synonyms``.

        ``things`` and ``stuff`` are lists of names (or mappings of names to synonyms),
        ``synonyms`` maps names to lists. Files of others are read too: COCO's categories, alone or
        in an annotation file (as by ``from_coco``; also LVIS's and Roboflow's), a YOLO
        ``data.yaml``, a ``.txt`` with a name a line, and label settings of CVAT (JSON) and Label
        Studio (XML). What should be known of how such a file was taken is a ``UserWarning``.

        ``ValueError`` names the file and what is wrong in it.
        """
        from prompts.vocabulary_file import read_vocabulary

        return read_vocabulary(Path(path))

    @classmethod
    def from_coco(cls, categories: Iterable[Mapping[str, Any]]) -> Vocabulary:
        """Read COCO categories, ``{"id": 1, "name": "person", "isthing": 1}``, keeping the ids.

        Where ``isthing`` is missing (COCO's detection files), a category is a thing. An
        optional list ``synonyms``, as ``to_coco`` writes it and LVIS has it, is read too. For ids
        from 0 on and other habits see ``prompts.class_lists.from_coco``; what was made of them is
        a ``UserWarning``.
        """
        from prompts.class_lists import from_coco

        found = from_coco(list(categories))
        for note in found.notes:
            warnings.warn(note, stacklevel=2)
        return cls.from_categories(found.categories)

    def to_coco(self) -> list[dict[str, Any]]:
        """The categories as COCO's panoptic format lists them, with a colour each."""
        listed: list[dict[str, Any]] = []
        for c in self.categories:
            entry: dict[str, Any] = {"id": c.id, "name": c.name, "isthing": int(c.is_thing)}
            entry |= {"supercategory": c.name, "color": list(self.color(c.id))}
            if c.synonyms:
                entry["synonyms"] = list(c.synonyms)
            listed.append(entry)
        return listed

    @property
    def things(self) -> tuple[Category, ...]:
        return tuple(c for c in self.categories if c.is_thing)

    @property
    def stuff(self) -> tuple[Category, ...]:
        return tuple(c for c in self.categories if not c.is_thing)

    def by_id(self, category_id: int) -> Category:
        """The category with this id; raises ``UnknownCategory``."""
        try:
            return self._by_id[category_id]
        except KeyError:
            raise UnknownCategory(
                f"no category has id {category_id}; ids are {sorted(self._by_id)}"
            ) from None

    def by_name(self, name: str) -> Category:
        """The category with this name or synonym, in whatever case; raises ``UnknownCategory``."""
        try:
            return self._by_name[to_phrase(clean_name(name))]
        except KeyError:
            known = ", ".join(c.name for c in self.categories)
            raise UnknownCategory(f"no category is called {name!r}; names are: {known}") from None

    def color(self, category_id: int) -> tuple[int, int, int]:
        """The category's colour as RGB, 0 to 255; no two categories share one."""
        return self._colors[self.by_id(category_id).id]

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return to_phrase(item) in self._by_name
        if isinstance(item, int):
            return item in self._by_id
        return item in self.categories

    def __iter__(self) -> Iterator[Category]:
        return iter(self.categories)

    def __len__(self) -> int:
        return len(self.categories)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.categories == other.categories

    def __hash__(self) -> int:
        return hash(self.categories)

    def __repr__(self) -> str:
        def names(categories: tuple[Category, ...]) -> str:
            if any(c.synonyms for c in categories):
                return repr({c.name: list(c.synonyms) for c in categories})
            return repr([c.name for c in categories])

        return f"Vocabulary(things={names(self.things)}, stuff={names(self.stuff)})"


def _items(names: Names, role: str) -> list[tuple[str, Any]]:
    if isinstance(names, str):
        raise ValueError(
            f"{role} must be a list of names, got the string {names!r}; "
            f"write [{names!r}], or use Vocabulary.parse for a line of names"
        )
    if not isinstance(names, Mapping):
        return [(name, ()) for name in names]
    # A string instead of a list is left as it is, for Category to complain.
    return [
        (name, synonyms if isinstance(synonyms, str) else tuple(synonyms or ()))
        for name, synonyms in names.items()
    ]


def _clash(text: str, category: Category, other: Category) -> str:
    if category.is_thing != other.is_thing:
        thing, stuff = (category, other) if category.is_thing else (other, category)
        return (
            f"{text!r} is both a thing ({thing.name!r}) and stuff ({stuff.name!r}); "
            f"what can be counted is a thing, keep it in one of the two"
        )
    return (
        f"{text!r} occurs twice, for {other.name!r} (id {other.id}) and {category.name!r} "
        f"(id {category.id}); every name and synonym may belong to one category only"
    )
