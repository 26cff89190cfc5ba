"""Who comes into sight and goes out of it, and who is given up for not being seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from panoptic.results.frame import Event, EventKind
from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Member, Roster


def note_visible(
    roster: Roster,
    shown: Collection[int],
    index: int,
    elapsed: float,
    name_of: Callable[[int], str],
) -> Iterator[Event]:
    """Note in the roster which segments are ``shown`` in a frame, ``elapsed`` seconds after the one
    before, and tell of those that weren't before or aren't any more."""
    for member in [m for m in roster if m.confirmed]:
        before, member.visible = member.visible, member.id in shown
        if member.visible:
            if not before:
                kind: EventKind = "new" if member.sightings == 0 else "returned"
                yield Event(kind, member.id, name_of(member.id))
                member.sightings += 1
            member.last_seen, member.shot, member.unseen = index, roster.shot, 0.0
        else:
            member.unseen += elapsed
            if before:
                yield Event("lost", member.id, name_of(member.id))


def false_alarms(
    roster: Roster, index: int, elapsed: float, settings: VideoSettings
) -> list[Member]:
    """Those that no second look has found in time. A frame later they have waited longer."""
    waiting = [m for m in roster if not m.confirmed and m.born < index]
    for member in waiting:
        member.unseen += elapsed
    return [m for m in waiting if m.unseen > settings.confirm_within]


def given_up(roster: Roster, settings: VideoSettings) -> Iterator[tuple[Member, str]]:
    """Those that weren't seen for long, and those that are too many, with the reason: of the latter
    the longest unseen first, then the youngest, things before stuff."""
    long = [m for m in roster if m.confirmed and m.unseen > settings.retire_after]
    for member in long:
        yield member, f"not seen for {settings.retire_after:g} seconds"
    left = [m for m in roster if m not in long]
    surplus = max(0, len(left) - settings.max_objects)
    for member in sorted(left, key=_least_needed)[:surplus]:
        yield member, f"more than {settings.max_objects} segments"


def _least_needed(member: Member) -> tuple[bool, int, bool, int, int]:
    return member.confirmed, member.last_seen, not member.is_thing, -member.born, -member.id
