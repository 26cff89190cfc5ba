"""Which category of the truth a predicted one is: by id, or by name, by a rule that is told.

By name, what is written alike is the same; then what differs in case, spaces, ``_`` and ``-``
alone ("Traffic_Light"); then what differs by COCO's endings ("tree" and "tree-merged"). What was
taken for what is in ``notes``. Two candidates are refused, and so is a word that the truth lacks,
unless such words are to be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, NamedCategory

_SEPARATORS = re.compile(r"[\s_\-]+")
_ENDINGS = re.compile(r"(?:[\s_\-]+(?:merged|other|stuff))+$")
_LISTED = 8  # names in a message


@dataclass(frozen=True)
class CategoryPairs:
    """``meaning`` says what each predicted id is in the truth's categories; None is void, for
    what no word names and what is to be ignored. ``notes`` are sentences for people."""

    meaning: Mapping[int, NamedCategory | None]
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> frozenset[int]:
        """The truth's categories that the prediction has a word for."""
        return frozenset(c.id for c in self.meaning.values() if c is not None)


def pair_categories(
    predicted: Iterable[NamedCategory],
    true: Iterable[NamedCategory],
    *,
    by_name: bool = False,
    ignore_other_words: bool = False,
) -> CategoryPairs:
    """``predicted`` may be empty (results often list no categories): then ids are the truth's.

    Raises ``ValueError`` if one id has two names, or, by name, if a word isn't the truth's or
    stands for two of its categories.
    """
    predicted, true = list(predicted), list(true)
    known = [c for c in predicted if not is_unknown(c)]
    if by_name and not predicted:
        raise ValueError("the prediction names no categories: evaluate by id")
    found = _by_name(known, true) if by_name else _by_id(known, true)
    others = [c for c in known if c.id not in found]
    notes = _told(known, found) if by_name else []
    if others and by_name and not ignore_other_words:
        raise ValueError(
            f"the ground truth has no categories called {_names(others)}: ask for its own words, "
            "or have others ignored (--ignore-other-words; ignore_other_words=True)"
        )
    meaning: dict[int, NamedCategory | None] = dict(found)
    if not predicted:
        meaning = {c.id: c for c in true}
    meaning |= {c.id: None for c in predicted if is_unknown(c)}
    if ignore_other_words:
        meaning |= {c.id: None for c in others}
        if others:
            notes.append(f"ignored, as the truth lacks them: {_names(others)}")
    otherwise = [c for c in known if c.id in found and found[c.id].is_thing != c.is_thing]
    for c in otherwise:
        kinds = ("stuff", "a thing")
        notes.append(
            f"{c.name!r} is {kinds[c.is_thing]} in the prediction and "
            f"{kinds[found[c.id].is_thing]} in the truth: it counts as in the truth"
        )
    pairs = CategoryPairs(meaning, tuple(notes))
    if unasked := [c for c in true if c.id not in pairs.asked]:
        note = (
            f"the prediction has no word for {len(unasked)} of the truth's {len(true)} categories, "
            f"which count as missed without --only-asked (only_asked=True): {_names(unasked)}"
        )
        return CategoryPairs(meaning, (*notes, note))
    return pairs


def is_unknown(category: NamedCategory) -> bool:
    """Whether it is that of segments that no word names; 0 alone may be a category like others."""
    return category.id == UNKNOWN_ID and category.name == UNKNOWN


def _by_id(
    predicted: Sequence[NamedCategory], true: Sequence[NamedCategory]
) -> dict[int, NamedCategory]:
    known = {c.id: c for c in true}
    differing = [
        c for c in predicted if c.id in known and _plain(c.name) != _plain(known[c.id].name)
    ]
    if differing:
        c = differing[0]
        more = f" ({len(differing)} ids differ)" if len(differing) > 1 else ""
        raise ValueError(
            f"category {c.id} is {c.name!r} in the prediction and {known[c.id].name!r} in the "
            f"ground truth{more}: evaluate by name (--by-name; by_name=True), or give both the "
            "same ids"
        )
    return {c.id: known[c.id] for c in predicted if c.id in known}


def _by_name(
    predicted: Sequence[NamedCategory], true: Sequence[NamedCategory]
) -> dict[int, NamedCategory]:
    rules: tuple[Callable[[str], str], ...] = (str, _plain, _bare)
    found: dict[int, NamedCategory] = {}
    for c in predicted:
        for rule in rules:
            if alike := [t for t in true if rule(t.name) == rule(c.name)]:
                if len(alike) > 1:
                    raise ValueError(
                        f"{c.name!r} may be {_names(alike, ' or ')} of the ground truth (ids "
                        f"{', '.join(str(t.id) for t in alike)}): ask for its own words"
                    )
                found[c.id] = alike[0]
                break
    words: dict[int, NamedCategory] = {}
    for c in predicted:
        if c.id in found and (first := words.setdefault(found[c.id].id, c)) is not c:
            raise ValueError(
                f"{first.name!r} and {c.name!r} (ids {first.id} and {c.id}) are both "
                f"{found[c.id].name!r} in the ground truth: ask for one of them"
            )
    return found


def _told(predicted: Sequence[NamedCategory], found: Mapping[int, NamedCategory]) -> list[str]:
    renamed = [
        f"{c.name!r} is {found[c.id].name!r}"
        for c in predicted
        if c.id in found and found[c.id].name != c.name
    ]
    return [f"by name, {', '.join(renamed)} of the truth"] if renamed else []


def _plain(name: str) -> str:
    return " ".join(_SEPARATORS.split(name.casefold().strip()))


def _bare(name: str) -> str:
    return _plain(_ENDINGS.sub("", name.casefold().strip()))


def _names(categories: Sequence[NamedCategory], joint: str = ", ") -> str:
    shown = joint.join(repr(c.name) for c in categories[:_LISTED])
    return shown + (f" and {len(categories) - _LISTED} more" if len(categories) > _LISTED else "")
