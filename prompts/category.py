"""One category: its names, and what the models are asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A full stop or question mark ends a phrase in a Grounding DINO caption, a semicolon separates
# things from stuff where a vocabulary is written in one line.
_FORBIDDEN = re.compile(r"[.?;\x00-\x1f\x7f]")
# COCO's panoptic names tell how classes were merged ("tree-merged", "sky-other-merged",
# "door-stuff"). No picture shows that, so it isn't asked.
_BOOKKEEPING = re.compile(r"(-(?:merged|other|stuff))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Category:
    """One word (or phrase) that pixels can be labelled with. ``id`` is 1 or more; 0 is void.

    ``synonyms`` are asked besides the name and give the same category.
    """

    id: int
    name: str
    is_thing: bool
    synonyms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.id, bool) or not isinstance(self.id, int) or self.id < 1:
            raise ValueError(
                f"the id of category {self.name!r} must be a whole number from 1 on (0 is void), "
                f"got {self.id!r}"
            )
        if isinstance(self.synonyms, str):
            raise ValueError(
                f"the synonyms of {self.name!r} must be a list, got the string {self.synonyms!r}; "
                f"write [{self.synonyms!r}]"
            )
        object.__setattr__(self, "name", clean_name(self.name))
        object.__setattr__(self, "synonyms", tuple(clean_name(s, self.name) for s in self.synonyms))

    @property
    def phrases(self) -> tuple[str, ...]:
        """What the models are asked: the name, then its synonyms, as plain lower-case words.

        Underscores become spaces, and COCO's bookkeeping ("-merged", "-other", "-stuff") goes.
        """
        return tuple(to_phrase(text) for text in (self.name, *self.synonyms))


def clean_name(name: object, of: str | None = None) -> str:
    """The name without needless white space; ``ValueError`` if it can't be one."""
    what = "a name" if of is None else f"a synonym of {of!r}"
    if not isinstance(name, str):
        hint = " (put it in quotes)" if isinstance(name, bool | int | float) else ""
        raise ValueError(f"{what} must be text, got {name!r}{hint}")
    text = " ".join(name.split())
    if not any(character.isalnum() for character in text):
        raise ValueError(f"{what} is empty: {name!r}; remove it or write a word")
    if forbidden := _FORBIDDEN.search(text):
        raise ValueError(
            f"{what} contains {forbidden.group()!r}, which separates names: {text!r}; "
            f"split it into several names, or leave the character out ('St Bernard')"
        )
    return text


def to_phrase(name: str) -> str:
    """What the models are asked for a name; names with the same phrase are the same to them."""
    stripped = _BOOKKEEPING.sub("", name)
    return " ".join((stripped or name).replace("_", " ").lower().split())
