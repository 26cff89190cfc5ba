"""Words as they are typed into a field, and back."""

from __future__ import annotations

from prompts import Category, Vocabulary


def as_typed(vocabulary: Vocabulary | None) -> tuple[str, str]:
    """The things and the stuff of a vocabulary, with commas between their names."""
    if vocabulary is None:
        return "", ""
    return _names(vocabulary.things), _names(vocabulary.stuff)


def typed(things: str, stuff: str, known: Vocabulary | None = None) -> Vocabulary:
    """The words that were typed; those that are ``known`` keep their synonyms, and all of them as
    they are keep their ids, too. ``ValueError`` as for ``Vocabulary.parse``."""
    if known is not None and (things, stuff) == as_typed(known):
        return known
    found = Vocabulary.parse(f"{things.replace(';', ',')}; {stuff.replace(';', ',')}")
    if known is None:
        return found
    synonyms = {(c.name, c.is_thing): c.synonyms for c in known if c.synonyms}
    named = {
        kind: {c.name: synonyms.get((c.name, c.is_thing), ()) for c in found if c.is_thing is kind}
        for kind in (True, False)
    }
    return Vocabulary(named[True], named[False])


def _names(categories: tuple[Category, ...]) -> str:
    return ", ".join(category.name for category in categories)
