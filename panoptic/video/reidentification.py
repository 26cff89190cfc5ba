"""Recognition: which members of the roster may be found again, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.appearance import appearance_of, blend, similarity
from panoptic.video.cuts import FrameSignature, distance
from panoptic.video.identities import Member, Roster
from panoptic.video.match_detections import Match, Recognisable


def candidates(
    roster: Roster,
    tracked: PanopticSegmentation,
    now: FrameSignature | None,
    settings: VideoSettings,
) -> tuple[dict[int, Recognisable], dict[int, Recognisable]]:
    """The things that are out of sight, and those that are in sight, with the level for each.

    What was last seen in another shot has a level of its own, unless this place looks like the end
    of that very shot: then the film has cut back to it.
    """
    seen = {s.id for s in tracked}
    hidden: dict[int, Recognisable] = {}
    in_sight: dict[int, Recognisable] = {}
    for member in [*roster.live.values(), *roster.shelf.values()]:
        if not member.is_thing or member.appearance is None:
            continue
        level: float | None = settings.recognise
        if member.shot != roster.shot and not _is_place(roster, member.shot, now, settings):
            level = settings.recognise_elsewhere
        if level is None:
            continue
        side = in_sight if member.id in seen else hidden
        side[member.id] = Recognisable(member.id, member.category_id, level)
    return hidden, in_sight


def similarities(
    image: np.ndarray,
    found: PanopticSegmentation,
    roster: Roster,
    known: Mapping[int, Recognisable],
) -> dict[tuple[int, int], float]:
    """What each candidate and each detected thing of its category look alike, by their ids."""
    alike = {}
    for segment in found.things:
        rivals = [c.id for c in known.values() if c.category_id == segment.category_id]
        if rivals:
            appearance = appearance_of(image, found.mask(segment.id))
            for id in rivals:
                earlier = _member(roster, id).appearance
                assert earlier is not None
                alike[id, segment.id] = similarity(earlier, appearance)
    return alike


def refresh_appearances(
    image: np.ndarray,
    found: PanopticSegmentation,
    roster: Roster,
    prompted: Mapping[int, np.ndarray],
    confirmed: Sequence[Match],
) -> None:
    """Remember what things look like now, where a detection says what is theirs."""
    masks = {m.id: found.mask(m.found) for m in confirmed if m.id not in prompted}
    for id, mask in {**masks, **prompted}.items():
        member = roster.live.get(id)
        if member is not None and member.is_thing:
            appearance = appearance_of(image, mask)
            member.appearance = (
                appearance if member.appearance is None else blend(member.appearance, appearance)
            )


def _is_place(
    roster: Roster, shot: int, now: FrameSignature | None, settings: VideoSettings
) -> bool:
    place = roster.places.get(shot)
    return place is not None and now is not None and distance(place, now) < settings.cut_distance


def _member(roster: Roster, id: int) -> Member:
    return roster.live[id] if id in roster.live else roster.shelf[id]
