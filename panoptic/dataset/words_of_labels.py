"""The words of labels: each belongs to the run that it was asked in, and names decide.

Category numbers mean nothing without the words that they were given for. A data set that was
labelled twice with different words has labels of both (those that a person accepted stay), so here
are one vocabulary for all of them and the way of a label into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from panoptic.dataset.manifest import Manifest
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Category, Vocabulary
from prompts.category import to_phrase

Word = tuple[str, bool]
"""A category's name, and whether it is a thing."""


class WordTable:
    """What the manifest knows of words."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def know(self, settings: str, vocabulary: Vocabulary) -> None:
        """Which words the categories of labels of these settings are."""
        with self._manifest.write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO words VALUES (?, ?, ?, ?)",
                [(settings, c.id, c.name, int(c.is_thing)) for c in vocabulary],
            )

    def by_number(self) -> dict[tuple[str, int], Word]:
        """All words by settings hash and number."""
        rows = self._manifest.read("SELECT * FROM words")
        return {(r["settings"], r["category"]): (r["name"], bool(r["is_thing"])) for r in rows}

    def of_labels(self, settings: str) -> set[Word]:
        """The words in labels that other settings made, and in all corrections."""
        rows = self._manifest.read(
            "SELECT DISTINCT w.name, w.is_thing FROM items i JOIN segments s ON s.item = i.id "
            "JOIN words w ON w.settings = i.settings AND w.category = s.category "
            "WHERE i.state = 'done' AND i.settings != ?",
            (settings,),
        )
        found: set[Word] = {(row["name"], bool(row["is_thing"])) for row in rows}
        for row in self._manifest.read("SELECT DISTINCT words FROM corrections"):
            found |= {(name, is_thing) for name, is_thing in json.loads(row["words"])}
        return found


class CommonWords:
    """One vocabulary for labels that were made with different words.

    The words asked for last keep their numbers; what only earlier labels have follows. A word that
    is a thing in one and stuff in the other is two categories, the earlier one called "road
    (stuff)" or "road (thing)".
    """

    def __init__(self, asked: Vocabulary, earlier: Iterable[Word]) -> None:
        self._renamed: dict[Word, str] = {}
        number = max((c.id for c in asked), default=0)
        added: dict[str, Category] = {}
        for name, is_thing in sorted(earlier, key=lambda word: (not word[1], word[0])):
            known = asked.by_name(name) if name in asked else added.get(to_phrase(name))
            if known is not None and known.is_thing == is_thing:
                continue
            shown = name
            if known is not None:
                shown = f"{name} ({'thing' if is_thing else 'stuff'})"
                self._renamed[name, is_thing] = shown
            if to_phrase(shown) not in added:
                number += 1
                added[to_phrase(shown)] = Category(number, shown, is_thing)
        self.vocabulary = Vocabulary.from_categories([*asked, *added.values()])

    def find(self, name: str, is_thing: bool) -> Category | None:
        """The category of a word that a label has, None if it isn't among them."""
        name = self._renamed.get((name, is_thing), name)
        return _find(self.vocabulary, name, is_thing)

    def apply(self, label: PanopticSegmentation) -> PanopticSegmentation | None:
        """The label with these numbers and names; None if it has a word that isn't among them."""
        segments = []
        for s in label:
            if s.is_unknown:
                segments.append(s)
                continue
            category = self.find(s.category, s.is_thing)
            if category is None:
                return None
            segments.append(replace(s, category_id=category.id, category=category.name))
        if tuple(segments) == label.segments:
            return label
        return PanopticSegmentation(label.ids, tuple(segments))


def _find(vocabulary: Vocabulary, name: str, is_thing: bool) -> Category | None:
    if name not in vocabulary:
        return None
    category = vocabulary.by_name(name)
    return category if category.is_thing == is_thing else None
