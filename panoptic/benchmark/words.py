"""The words that each panoptic set is asked with, chosen once: ``words/SET.yaml``.

How they were chosen is written down in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panoptic.errors import DatasetError
from prompts import Vocabulary
from prompts.vocabulary import Category

FOLDER = Path(__file__).parent / "words"
_SHOWN = 4


@dataclass(frozen=True)
class SetWords:
    """The words for one set: ``vocabulary`` is what the models are asked, with the set's ids, all
    from 1 on; ``names`` are the set's own names of these ids."""

    set: str
    vocabulary: Vocabulary
    names: Mapping[int, str]

    @classmethod
    def of(cls, set: str) -> SetWords:
        """Those of "coco", "ade20k" or "vipseg"."""
        import yaml

        content = yaml.safe_load((FOLDER / f"{set}.yaml").read_text(encoding="utf-8"))
        categories, names = [], {}
        for role in ("things", "stuff"):
            for id, entry in content[role].items():
                first, *others = entry["ask"]
                categories.append(Category(id, first, role == "things", tuple(others)))
                names[id] = entry["name"]
        return cls(set, Vocabulary.from_categories(categories), names)

    def ids_in(self, categories: Sequence[Mapping[str, Any]], where: str) -> dict[int, int]:
        """Our ids as those of a truth's ``categories``, which may count from 0 on.

        Raises ``DatasetError`` if these aren't the set's categories; ``where`` names their file.
        """
        theirs = {c["id"]: c for c in categories}
        for less in (0, 1):
            if theirs.keys() == {id - less for id in self.names}:
                break
        else:
            ours = {self._plain(name) for name in self.names.values()}
            others = [c["name"] for c in categories if self._plain(c["name"]) not in ours]
            more = f"; such as {_listed(others)} are none of them" if others else ""
            raise DatasetError(
                f"{where} has {len(theirs)} categories, and not the {len(self.names)} of "
                f"{self.set} by their ids{more}: it must be of the set as it is published"
            )
        kinds = ("stuff", "a thing")
        for category in self.vocabulary:
            found = theirs[category.id - less]
            if bool(found.get("isthing", True)) != category.is_thing:
                raise DatasetError(
                    f"{where} says that {found['name']!r} is "
                    f"{kinds[not category.is_thing]}, in {self.set} it is "
                    f"{kinds[category.is_thing]}: it must be of the set as it is published"
                )
        strange = [c["name"] for id, c in theirs.items() if not self._is_called(id + less, c)]
        if 2 * len(strange) > len(theirs):  # some write a name of several in another way
            raise DatasetError(
                f"{where} has other names for the ids of {self.set}, such as {_listed(strange)}: "
                "its categories are in another order"
            )
        return {id: id - less for id in self.names}

    def _is_called(self, id: int, category: Mapping[str, Any]) -> bool:
        """Whether one of the names that are given for a category is one of ours."""
        given, known = (self._plain(n).split(",") for n in (category["name"], self.names[id]))
        return bool({name.strip() for name in given} & {name.strip() for name in known})

    @staticmethod
    def _plain(name: str) -> str:
        return " ".join(name.replace("_", " ").lower().split())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
