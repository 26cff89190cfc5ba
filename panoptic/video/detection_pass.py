"""One pass of the detectors over a frame: what was detected in a frame, brought into the roster."""

from __future__ import annotations

import numpy as np

from panoptic.results.frame import Event
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.appearance import Looks
from panoptic.video.identities import Member, Roster
from panoptic.video.match_detections import Match, match_detections
from panoptic.video.reidentification import refresh_appearances, standing_out
from prompts import Vocabulary

_HALF = 0.5


class DetectionPass:
    """Compares a frame's detections with what is followed, and says what follows from it.

    ``prompts`` are masks, bool (H, W) by lasting id, to prompt the tracker with; ``shown`` is by
    lasting id what was found of it; ``refreshed`` are those that agree with what is followed, and
    ``anew`` those of which it should forget all it has seen, for it was something else; ``dropped``
    are ids not to be followed any more; ``events`` tells of it. ``waited`` are the seconds since
    the pass before. Members of the roster are entered, taken back and updated here.
    """

    def __init__(
        self,
        roster: Roster,
        vocabulary: Vocabulary,
        settings: VideoSettings,
        index: int,
        waited: float = 0.0,
    ) -> None:
        self.roster = roster
        self.vocabulary = vocabulary
        self.settings = settings
        self.index = index
        self.waited = waited
        self.prompts: dict[int, np.ndarray] = {}
        self.refreshed: set[int] = set()
        self.shown: dict[int, int] = {}
        self.anew: set[int] = set()
        self.dropped: list[int] = []
        self.events: list[Event] = []

    def compare(
        self,
        tracked: PanopticSegmentation,
        found: PanopticSegmentation,
        looks: Looks,
    ) -> None:
        """``tracked`` is the frame's map by lasting ids, ``found`` that of the pipeline, and
        ``looks`` are at the things in that."""
        plan = match_detections(
            tracked,
            found,
            self.roster.stuff,
            standing_out(self.roster, tracked, found, looks),
            self.settings,
        )
        for match in plan.same:
            self._confirm(match, found)
        for match in plan.again:
            self._bring_back(match, found)
        if self.settings.discovery or not self.roster.live:
            for id in plan.new:
                self._enter(found.segment(id), found, tracked)
        for match in plan.doubts:
            self._doubt(self.roster.live[match.id], found.segment(match.found))
        for id in {segment.id for segment in tracked} | set(self.shown):
            self.roster.live[id].looks += 1
        refresh_appearances(self.roster, looks, self.shown)

    def _confirm(self, match: Match, found: PanopticSegmentation) -> None:
        """A segment was detected where it is followed. What was found of it now is as good as what
        is followed since long, and often better; of stuff if it is about the same or was found
        before."""
        settings, member = self.settings, self.roster.live[match.id]
        segment = found.segment(match.found)
        self.shown[match.id] = match.found
        member.vote(segment.category_id, segment.score)
        member.doubted, member.confirmed = 0.0, True
        # Heat of one look may have half of a road; a box has the whole of a thing or none of it.
        agrees = member.is_thing or match.worth >= settings.agree
        strayed, member.strayed = member.strayed, not agrees
        if self._may_change(member) and (agrees or strayed):
            self.prompts[match.id] = found.mask(match.found)
            if match.worth < settings.same_iou:
                self.anew.add(match.id)
                told = f"mask, IoU was {match.worth:.2f}"
                self.events.append(Event("corrected", match.id, told))
            else:
                self.refreshed.add(match.id)
        elected = member.elected
        if settings.correction and elected != member.category_id:
            self.events.append(Event("corrected", match.id, self._renamed(member, elected)))
            member.category_id = elected
        if segment.category_id == member.category_id:
            member.judge(segment)

    def _bring_back(self, match: Match, found: PanopticSegmentation) -> None:
        """A segment out of sight was detected."""
        segment = found.segment(match.found)
        known = self.roster.live.get(match.id)
        if known is not None:
            found_again = segment.is_thing and not known.visible
            if not found_again and not self._may_change(known):
                return
        elif match.id in self.roster.shelf:
            self.roster.take_back(match.id)
        else:  # stuff that was forgotten, but for its id
            self.roster.enter(segment.category_id, False, segment.score, self.index)
        member = self.roster.live[match.id]
        # What the tracker remembers didn't find it here, and would contend with the new
        # prompt: a first glimpse of a few pixels made a region flicker for the rest of a shot.
        self.anew.add(match.id)
        member.doubted, member.confirmed = 0.0, True
        member.judge(segment)
        member.vote(segment.category_id, segment.score)
        self.prompts[match.id] = found.mask(match.found)
        self.shown[match.id] = match.found

    def _enter(
        self, segment: Segment, found: PanopticSegmentation, tracked: PanopticSegmentation
    ) -> None:
        member = self.roster.enter(segment.category_id, segment.is_thing, segment.score, self.index)
        on_nothing = float((tracked.ids[found.mask(segment.id)] == 0).mean()) > _HALF
        member.confirmed = on_nothing or not self.settings.confirmation
        member.judge(segment)
        member.vote(segment.category_id, segment.score)
        self.prompts[member.id] = found.mask(segment.id)
        self.shown[member.id] = segment.id

    def _doubt(self, member: Member, found: Segment) -> None:
        """A look says that something else has a segment's place. What was said by looks on end for
        long is true."""
        if not (member.confirmed and self._may_change(member)):
            return
        member.doubted += self.waited
        if member.doubted >= self.settings.doubt_for:
            told = self._renamed(member, found.category_id)
            self.events.append(Event("lost", member.id, told))
            self.dropped.append(member.id)

    def _may_change(self, member: Member) -> bool:
        """Whether what is followed may be prompted anew, or dropped."""
        return self.settings.correction if member.is_thing else self.settings.reanchor

    def _renamed(self, member: Member, category_id: int) -> str:
        names = [self.vocabulary.by_id(c).name for c in (member.category_id, category_id)]
        return f"{names[0]} is {names[1]}"
