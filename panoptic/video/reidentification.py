"""Recognition: which members of the roster may be found again, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.appearance import Looks, margins, with_view
from panoptic.video.identities import Member, Roster


def sought(roster: Roster, tracked: PanopticSegmentation) -> set[int]:
    """The categories of the things that are known and not in sight."""
    seen = {s.id for s in tracked}
    return {m.category_id for m in _members(roster) if m.id not in seen}


def standing_out(
    roster: Roster, tracked: PanopticSegmentation, found: PanopticSegmentation, looks: Looks
) -> dict[tuple[int, int], float]:
    """By how much each found thing is one of its category that isn't in sight in ``tracked``, and
    nothing else, by their ids: see ``appearance.margins``."""
    seen = {s.id for s in tracked}
    margin: dict[tuple[int, int], float] = {}
    for category in sorted({found.segment(id).category_id for id in looks.around}):
        there = [id for id in looks.around if found.segment(id).category_id == category]
        known = _known(roster, category)
        table = margins(
            list(known.values()),
            [looks.things[id] for id in there],
            [looks.around[id] for id in there],
        )
        for row, id in enumerate(known):
            if id not in seen:
                margin |= {(id, f): float(table[row, column]) for column, f in enumerate(there)}
    return margin


def refresh_appearances(roster: Roster, looks: Looks, shown: Mapping[int, int]) -> None:
    """Remember what things look like now: ``shown`` is what was found of whom."""
    for id, found in shown.items():
        member, look = roster.live.get(id), looks.things.get(found)
        if member is not None and member.is_thing and look is not None:
            member.appearance = with_view(member.appearance, look)


def _known(roster: Roster, category: int) -> dict[int, np.ndarray]:
    """What the things of a category look like, by id."""
    return {
        m.id: m.appearance
        for m in _members(roster)
        if m.category_id == category and m.appearance is not None
    }


def _members(roster: Roster) -> list[Member]:
    """The things whose looks are remembered."""
    members = (*roster.live.values(), *roster.shelf.values())
    return [m for m in members if m.is_thing and m.appearance is not None]
