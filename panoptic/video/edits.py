"""Edits: all that was said by hand of a video's segments, and how that reads.

Nothing here changes: an edit makes other ``Edits``, and two of them can be compared, which is what
undoing and the journal on disk live on. What is said of a segment doesn't touch the masks that were
made: a segment that is removed, relabelled or joined to another one is shown otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from prompts import Vocabulary

Change = tuple[Any, Any]
Changes = Mapping[str, Mapping[Any, Change]]
"""By field and key what stood there before and stands there now; None for nothing."""


@dataclass(frozen=True)
class HandCorrection:
    """What was said by hand of a segment in a frame.

    ``start`` is the place (in the record file) of its layer as other frames know it until it is
    propagated, the box itself or what was there before the ``points`` (x, y) refined it, with
    ``labels`` 1 or 0; a box has none. ``covers`` are segments joined to this one that are part of
    the answer, and don't count beside it.
    """

    start: int
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    covers: tuple[int, ...] = ()
    start_by_hand: bool = False
    """Whether ``start`` is a box, or an earlier correction that was propagated."""
    propagated: bool = False
    """Whether the frames around know of it."""


@dataclass(frozen=True)
class Edits:
    """By segment what is known of it, all mappings never changed.

    ``categories`` are those of the masks as they were made, by all ids that there are;
    ``named`` the categories given by hand; ``joined`` says of which other segment one is part;
    ``removed`` and ``pending`` (corrected, but not brought into the frames around yet) hold True;
    ``corrections`` are by (id, frame).
    """

    categories: Mapping[int, int] = field(default_factory=dict)
    named: Mapping[int, int] = field(default_factory=dict)
    joined: Mapping[int, int] = field(default_factory=dict)
    removed: Mapping[int, bool] = field(default_factory=dict)
    pending: Mapping[int, bool] = field(default_factory=dict)
    corrections: Mapping[tuple[int, int], HandCorrection] = field(default_factory=dict)

    def root(self, id: int) -> int:
        """The segment that one is part of: itself, if it isn't joined to another."""
        while id in self.joined:
            id = self.joined[id]
        return id

    def group(self, id: int) -> list[int]:
        """A segment and all that are joined to it, by id."""
        return sorted({id, *(part for part in self.joined if self.root(part) == id)})

    def is_live(self, id: int) -> bool:
        """Whether there is a segment of this id, neither removed nor part of another."""
        return id in self.categories and id not in self.removed and id not in self.joined

    @property
    def live(self) -> list[int]:
        return [id for id in sorted(self.categories) if self.is_live(id)]

    def category(self, id: int) -> int:
        """The id of a segment's category, by hand or else as it was made last."""
        root = self.root(id)
        return self.named.get(root, self.categories[root])

    def stuff_owner(self, category_id: int) -> int | None:
        """The live segment that is of a stuff category; there is no more than one."""
        return next((id for id in self.live if self.category(id) == category_id), None)

    def corrected_frames(self, id: int) -> set[int]:
        """The frames in which a segment, or a part of it, was corrected by hand."""
        group = set(self.group(self.root(id)))
        return {frame for part, frame in self.corrections if part in group}

    def settled(self, vocabulary: Vocabulary) -> Edits:
        """With one segment for each stuff category: later ones are joined to the first."""
        owners: dict[int, int] = {}
        joined = dict(self.joined)
        for id in self.live:
            category = self.category(id)
            if not vocabulary.by_id(category).is_thing:
                owner = owners.setdefault(category, id)
                if owner != id:
                    joined[id] = owner
        return self if len(joined) == len(self.joined) else replace(self, joined=joined)

    def having(self, name: str, values: Mapping[Any, Any]) -> Edits:
        """With these entries in a field; those that are None are taken out."""
        merged = {**getattr(self, name), **values}
        kept = {key: value for key, value in merged.items() if value is not None}
        return replace(self, **{name: kept})

    def changed(self, changes: Changes) -> Edits:
        """With all changes made, going from their before to their now."""
        edits = self
        for name, entries in changes.items():
            edits = edits.having(name, {key: now for key, (_, now) in entries.items()})
        return edits

    def changes_since(self, before: Edits) -> Changes:
        """What is otherwise than it was."""
        found: dict[str, dict[Any, Change]] = {}
        for each in fields(self):
            old, new = getattr(before, each.name), getattr(self, each.name)
            if old is new:
                continue
            entries = {
                key: (old.get(key), new.get(key))
                for key in {**old, **new}
                if old.get(key) != new.get(key)
            }
            if entries:
                found[each.name] = entries
        return found


def inverse(changes: Changes) -> Changes:
    """The way back."""
    return {
        name: {key: (now, before) for key, (before, now) in entries.items()}
        for name, entries in changes.items()
    }


def plain_changes(changes: Changes) -> dict[str, list[list[Any]]]:
    """For JSON: by field a list of key, before, now."""
    return {
        name: [[_plain(key), _plain(before), _plain(now)] for key, (before, now) in entries.items()]
        for name, entries in changes.items()
    }


def read_changes(content: Mapping[str, list[list[Any]]]) -> Changes:
    """What ``plain_changes`` made. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    return {name: dict(_entries(name, listed)) for name, listed in content.items()}


def _entries(name: str, listed: list[list[Any]]) -> Iterator[tuple[Any, Change]]:
    for key, before, now in listed:
        if name == "corrections":
            yield (int(key[0]), int(key[1])), (_correction(before), _correction(now))
        else:
            yield int(key), (before, now)


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, HandCorrection) else value


def _correction(value: Mapping[str, Any] | None) -> HandCorrection | None:
    if value is None:
        return None
    return HandCorrection(
        int(value["start"]),
        tuple((float(x), float(y)) for x, y in value["points"]),
        tuple(int(label) for label in value["labels"]),
        tuple(int(id) for id in value["covers"]),
        *(bool(value.get(name, False)) for name in ("start_by_hand", "propagated")),
    )
