"""The roster: who is who in a video, which ids are followed and which only remembered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from panoptic.results.segment import Segment
from prompts import Category


@dataclass
class Member:
    """A segment with a lasting id.

    ``votes`` sums the scores of what it was detected as, by category; ``appearance`` is what it
    looks like (None for stuff). ``last_seen`` is the last frame with a pixel of it, ``shot`` the
    shot of that frame, and ``unseen`` the seconds since it. ``doubted`` are the seconds for which
    looks on end said that something else has its place."""

    id: int
    category_id: int
    is_thing: bool
    score: float
    born: int
    shot: int
    last_seen: int
    appearance: np.ndarray | None = None
    votes: dict[int, float] = field(default_factory=dict)
    quality: float = 1.0
    """How far it is to be trusted in the latest frame; 1 until a look has found it."""
    looked: float | None = None
    """The quality that it had when it was last found under its word."""
    looks: int = 0
    """Those for the words, since it was in sight."""
    found: int = 0
    """Looks that found it, under its word."""
    unseen: float = 0.0
    doubted: float = 0.0
    strayed: bool = False
    """Whether the latest look that found it, stuff, disagreed with what is followed."""
    doubled: float = 0.0
    """Seconds for which it had the very place of another one."""
    visible: bool = False
    sightings: int = 0
    """How often it came into sight."""
    confirmed: bool = True
    """Whether it is sure to be there. What isn't is followed, but not shown."""

    def copy(self) -> Member:
        return replace(self, votes=dict(self.votes))

    def vote(self, category_id: int, score: float) -> None:
        self.votes[category_id] = self.votes.get(category_id, 0.0) + score

    def judge(self, found: Segment) -> None:
        """It was found as this one, under its own word."""
        self.score, self.looked = found.score, found.quality
        self.found += 1

    @property
    def elected(self) -> int:
        """The category with most votes; its present one where votes are equal."""
        return max(self.votes, key=lambda c: (self.votes[c], c == self.category_id))

    def state(self) -> dict[str, Any]:
        plain = dict(self.__dict__)
        plain["appearance"] = None if self.appearance is None else self.appearance.tolist()
        plain["votes"] = [[c, v] for c, v in self.votes.items()]
        return plain

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Member:
        appearance = state["appearance"]
        votes = {int(c): float(v) for c, v in state["votes"]}
        appearance = None if appearance is None else np.asarray(appearance, np.float32)
        return cls(**{**state, "appearance": appearance, "votes": votes})


class Roster:
    """Members that are followed (``live``) and those that are only remembered (``shelf``).

    ``stuff`` is the id of each stuff category, which it keeps through the whole video.
    """

    def __init__(self, max_remembered: int) -> None:
        self.max_remembered = max_remembered
        self.live: dict[int, Member] = {}
        self.shelf: dict[int, Member] = {}
        self.stuff: dict[int, int] = {}
        self.shot = 0
        self._next = 1

    def enter(self, category_id: int, is_thing: bool, score: float, frame: int) -> Member:
        """A new member with an id that nobody had; stuff gets the id of its category."""
        id = self.new_id(None if is_thing else category_id)
        return self.follow(id, category_id, is_thing, score, frame)

    def follow(self, id: int, category_id: int, is_thing: bool, score: float, frame: int) -> Member:
        """A new member that has its id already, as what was put in by hand has."""
        member = Member(id, category_id, is_thing, score, frame, self.shot, frame)
        self.live[id] = member
        return member

    def new_id(self, stuff_category: int | None = None) -> int:
        """An id that nobody had; for a stuff category the one that is its own."""
        if stuff_category in self.stuff:
            return self.stuff[stuff_category]
        id, self._next = self._next, self._next + 1
        if stuff_category is not None:
            self.stuff[stuff_category] = id
        return id

    def shelve(self, id: int) -> None:
        """Stop following a member; the latest ``max_remembered`` are remembered."""
        member = self.live.pop(id)
        member.visible, member.doubted = False, 0.0
        self.shelf[id] = member
        while len(self.shelf) > self.max_remembered:
            del self.shelf[min(self.shelf, key=lambda i: (self.shelf[i].last_seen, i))]

    def take_back(self, id: int) -> Member:
        """Follow a remembered member again."""
        member = self.live[id] = self.shelf.pop(id)
        member.shot = self.shot
        return member

    @property
    def next_id(self) -> int:
        """An id that nobody had."""
        return self._next

    def reserve(self, next_id: int) -> None:
        """New ids are this one or above."""
        self._next = max(self._next, next_id)

    def set_category(self, id: int, category: Category) -> None:
        """A member is of this category whatever the votes; its id is that of the category where it
        is stuff, so nobody else may have been that."""
        member = self.live[id] if id in self.live else self.shelf[id]
        self._disown(id)
        member.category_id, member.is_thing = category.id, category.is_thing
        member.votes = {category.id: math.inf}
        if not category.is_thing:
            self.stuff[category.id] = id

    def renumber(self, id: int, new_id: int) -> None:
        """A member goes by another id; one that is remembered by that is forgotten."""
        self.shelf.pop(new_id, None)
        for members in (self.live, self.shelf):
            if id in members:
                members[new_id] = replace(members.pop(id), id=new_id)
        self._disown(id)

    def forget(self, id: int) -> None:
        """Neither follow a member nor remember it. The next stuff of its category is another."""
        self.live.pop(id, None)
        self.shelf.pop(id, None)
        self._disown(id)

    def _disown(self, id: int) -> None:
        self.stuff = {category: i for category, i in self.stuff.items() if i != id}

    def copy(self) -> Roster:
        """Another one with the same members, each a copy."""
        other = Roster(self.max_remembered)
        other.live = {i: member.copy() for i, member in self.live.items()}
        other.shelf = {i: member.copy() for i, member in self.shelf.items()}
        other.stuff = dict(self.stuff)
        other.shot, other._next = self.shot, self._next
        return other

    def __contains__(self, id: int) -> bool:
        return id in self.live or id in self.shelf

    def end_shot(self) -> None:
        """Shelve everybody: what comes is another shot. Who isn't confirmed is forgotten."""
        for id, member in list(self.live.items()):
            if member.confirmed:
                self.shelve(id)
            else:
                self.forget(id)
        self.shot += 1

    def __iter__(self) -> Iterator[Member]:
        return iter(self.live.values())

    def state(self) -> dict[str, Any]:
        """Numbers and lists, for :meth:`load_state`."""
        return {
            "live": [m.state() for m in self.live.values()],
            "shelf": [m.state() for m in self.shelf.values()],
            "stuff": [[c, i] for c, i in self.stuff.items()],
            "shot": self.shot,
            "next": self._next,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        members = {k: [Member.from_state(m) for m in state[k]] for k in ("live", "shelf")}
        self.live = {m.id: m for m in members["live"]}
        self.shelf = {m.id: m for m in members["shelf"]}
        self.stuff = {int(c): int(i) for c, i in state["stuff"]}
        self.shot, self._next = int(state["shot"]), int(state["next"])
