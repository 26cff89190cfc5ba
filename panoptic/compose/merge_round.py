"""One round of the merge: a contest among masks of one kind, and the rules for who must leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from panoptic.compose.cleanup import FREE, drop_fragments
from panoptic.compose.contest import Contest, Player
from panoptic.compose.quality import SIGNALS, Evidence, QualityModel
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment

if TYPE_CHECKING:
    from panoptic.compose.candidates import Candidate
    from panoptic.settings.compose import MergeSettings

_TIE = -0.01
"""Logit from which stuff claims: where heat and mask are as sure as can be and contradict each
other, 0 but for rounding, one of them says that it is there."""


@dataclass(frozen=True)
class RoundOutcome:
    """A segment that came out of a round, not measured yet, and the candidates it is made of, by
    their places."""

    segment: Segment
    evidence: Evidence
    candidates: tuple[int, ...]


class Round:
    """A contest among candidates of one kind (things, stuff or the unknown) for the pixels of
    ``arena`` (H, W), bool; ``reasons`` says why those left that had to, by their place.

    Members of a group will be one segment: a thing alone, or all stuff of one category. Inside,
    candidates are called by their rank, and a group by that of its first member.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        size: tuple[int, int],
        settings: MergeSettings,
        arena: np.ndarray,
    ) -> None:
        self.settings = settings
        self.pixels = size[0] * size[1]
        self.order = sorted(range(len(candidates)), key=lambda i: _rank(candidates[i]))
        self.candidates = [candidates[i] for i in self.order]
        self.groups: dict[int, list[int]] = {}
        stuff: dict[int, int] = {}
        for number, c in enumerate(self.candidates):
            first = number
            if c.category is not None and not c.is_thing:
                first = stuff.setdefault(c.category.id, number)
            self.groups.setdefault(first, []).append(number)
        self.contest = Contest((_player(c) for c in self.candidates), size, arena)
        self.claimed = self.contest.area.astype(float)  # the mask without what was handed over
        self.inside: set[int] = set()
        self.reasons: dict[int, str] = {}

    def settle(self, min_area: float) -> np.ndarray:
        """Takes out who has too little, and returns the map (H, W) of groups, -1 where free."""
        least = max(min_area * self.pixels, 1.0)
        while (loser := self._worst_off(least)) is not None:
            if not self._put_inside(loser):
                for number in self.groups[loser]:
                    self.reasons[self.order[number]] = self._reason(number, least)
                self.contest.drop(self.groups.pop(loser))
        group_of = np.full(len(self.candidates) + 1, FREE, np.int32)  # FREE is the last entry
        for group, members in self.groups.items():
            group_of[members] = group
        owner = group_of[self.contest.owner]
        drop_fragments(owner, self.groups, self.settings.min_fragment * self.pixels)
        return owner

    def outcomes(self, quality: QualityModel, offset: int = 0) -> list[RoundOutcome]:
        """The groups that stayed; segment ids are group + offset + 1."""
        found = []
        for group, members in self.groups.items():
            first = self.candidates[group]
            weights = self.contest.visible[members].astype(float)
            evidence = _mean_evidence([self._evidence(n, members) for n in members], weights)
            score = np.average([self.candidates[n].score for n in members], weights=weights)
            category = first.category
            segment = Segment(
                id=group + offset + 1,
                category_id=UNKNOWN_ID if category is None else category.id,
                category=UNKNOWN if category is None else category.name,
                is_thing=first.is_thing,
                score=float(np.clip(score, 0, 1)),
                quality=quality(evidence, first.is_thing),
            )
            given = tuple(self.order[n] for n in members)
            found.append(RoundOutcome(segment, evidence, given))
        return found

    def _worst_off(self, least_area: float) -> int | None:
        """The group with the least of what it needs, or None if all have enough.

        Those that own nothing come last: what hides them may have to leave before.
        """
        worst, least = None, (True, 1.0)
        for group, members in self.groups.items():
            needed = least_area
            if self.candidates[group].is_thing:
                needed = max(needed, self.settings.min_visible * self.claimed[group])
            visible = self.contest.visible[members].sum()
            share = (bool(visible == 0), float(visible / needed))
            if share[1] < 1 and share <= least:  # of equal ones the last in rank
                worst, least = group, share
        return worst

    def _put_inside(self, group: int) -> bool:
        """Gives a small thing its pixels of the larger one that hides it, if there is one."""
        contest, thing = self.contest, self.candidates[group]
        if not thing.is_thing or thing.category is None or group in self.inside:
            return False
        self.inside.add(group)
        area = contest.area[group]
        if not area:
            return False
        owned = contest.owners_within(group)
        owned[group] = 0
        host = int(owned.argmax())
        large = self.candidates[host]
        if (
            owned[host] * 2 < area
            or large.category is None
            or large.category.id == thing.category.id
            or area > self.settings.inside_share * contest.area[host]
        ):
            return False
        self.claimed[host] -= contest.hand_over(host, group)
        return True

    def _reason(self, number: int, least: float) -> str:
        contest = self.contest
        area, visible = int(contest.area[number]), int(contest.visible[number])
        if not area:
            return "its mask is empty"
        kept = f"keeps {visible} of its {area} pixels"
        if area < least:
            return f"too small: {kept}, {np.ceil(least):.0f} are needed"
        owned = contest.owners_within(number)
        owned[number] = 0
        rival = int(owned.argmax())
        before = area - visible - owned.sum()  # given away before this round
        if before >= owned[rival]:
            given = "have a name" if self.candidates[number].category is None else "are things'"
            return f"hidden: {kept}, {before} {given}"
        winner = self.candidates[rival]
        name = UNKNOWN if winner.category is None else winner.category.name
        return f"hidden: {kept}, {owned[rival]} went to {name!r} ({winner.score:.2f})"

    def _evidence(self, number: int, members: list[int]) -> Evidence:
        """A member's evidence, with what the contest left of its mask.

        What things take from stuff is no sign against it: only other stuff counts there.
        """
        contest, candidate = self.contest, self.candidates[number]
        own = contest.visible[number]
        if not own:
            return candidate.evidence
        contested = contest.area[number]
        if not candidate.is_thing:
            owned = contest.owners_within(number)
            owned[members] = 0
            contested = own + owned.sum()
        return replace(candidate.evidence, visible=float(own / contested))


def _player(candidate: Candidate) -> Player:
    """Things claim with their scores, which are of one detector; stuff with its masks alone. A
    score of 0 is still a claim on what nobody else wants."""
    if candidate.is_thing:
        return Player(candidate.mask_logits, max(candidate.score, 1e-6))
    return Player(candidate.mask_logits, 1.0, _TIE)


def _rank(candidate: Candidate) -> tuple[float, ...]:
    """Decides ties and numbers; nothing in it depends on where a candidate stood in the list."""
    logits, category = candidate.mask_logits, candidate.category
    return (
        not candidate.is_thing,
        -candidate.score,
        UNKNOWN_ID if category is None else category.id,
        float((logits > 0).mean()),
        float(logits.sum(dtype=np.float64)),
        int(logits.argmax()),
    )


def _mean_evidence(evidence: list[Evidence], weights: np.ndarray) -> Evidence:
    """The mean of each signal over the members that know it, weighted."""
    means: dict[str, float] = {}
    for name in SIGNALS:
        known = [
            (value, w)
            for e, w in zip(evidence, weights, strict=True)
            if w > 0 and (value := getattr(e, name)) is not None
        ]
        if known:
            values, w = zip(*known, strict=True)
            means[name] = float(np.clip(np.average(values, weights=w), 0, 1))
    return Evidence(**means)
