"""One pass of the detectors over a frame: what was detected in a frame, brought into the roster."""

from __future__ import annotations

import numpy as np

from panoptic.results.frame import Event
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import FrameSignature
from panoptic.video.identities import Member, Roster
from panoptic.video.match_detections import Match, match_detections
from panoptic.video.reidentification import candidates, refresh_appearances, similarities
from prompts import Vocabulary


class DetectionPass:
    """Compares a frame's detections with what is followed, and says what follows from it.

    ``prompts`` are masks, bool (H, W) by lasting id, to prompt the tracker with; ``anew`` are those
    of which it should forget all it has seen, for it was something else; ``dropped`` are ids not
    to be followed any more; ``events`` tells of it. Members of the roster are entered,
    taken back and updated here.
    """

    def __init__(
        self, roster: Roster, vocabulary: Vocabulary, settings: VideoSettings, index: int
    ) -> None:
        self.roster = roster
        self.vocabulary = vocabulary
        self.settings = settings
        self.index = index
        self.prompts: dict[int, np.ndarray] = {}
        self.anew: set[int] = set()
        self.dropped: list[int] = []
        self.events: list[Event] = []

    def compare(
        self,
        image: np.ndarray,
        tracked: PanopticSegmentation,
        found: PanopticSegmentation,
        signature: FrameSignature | None,
    ) -> None:
        """``tracked`` is the frame's map by lasting ids, ``found`` that of the pipeline, and
        ``signature`` that of this frame."""
        hidden, in_sight = candidates(self.roster, tracked, signature, self.settings)
        plan = match_detections(
            tracked,
            found,
            self.roster.stuff,
            hidden,
            in_sight,
            similarities(image, found, self.roster, {**hidden, **in_sight}),
            self.settings,
        )
        for match in plan.same:
            self._confirm(match, found)
        for match in plan.again:
            self._bring_back(match, found)
        if self.settings.discovery or not self.roster.live:
            for id in plan.new:
                self._enter(found.segment(id), found)
        for id in plan.missed:
            self._miss(self.roster.live[id], id in plan.spilled)
        refresh_appearances(image, found, self.roster, self.prompts, plan.same)

    def _confirm(self, match: Match, found: PanopticSegmentation) -> None:
        """A segment was detected where it is followed: is it followed well?"""
        settings, member = self.settings, self.roster.live[match.id]
        segment = found.segment(match.found)
        member.misses = 0
        member.vote(segment.category_id, segment.score)
        wrong = match.worth < settings.correct_below and segment.score >= settings.confident
        if wrong and self._may_prompt(segment):
            self.prompts[match.id] = found.mask(match.found)
            self.events.append(Event("corrected", match.id, f"mask, IoU was {match.worth:.2f}"))
            if match.worth < settings.same_iou:
                self.anew.add(match.id)
        elected = member.elected
        if settings.correction and elected != member.category_id:
            names = [self.vocabulary.by_id(c).name for c in (member.category_id, elected)]
            member.category_id = elected
            self.events.append(Event("corrected", match.id, f"{names[0]} is {names[1]}"))
        if segment.category_id == member.category_id:
            member.score = segment.score

    def _bring_back(self, match: Match, found: PanopticSegmentation) -> None:
        """A segment out of sight, or followed to a wrong place, was detected."""
        segment = found.segment(match.found)
        known = self.roster.live.get(match.id)
        if known is not None:
            found_again = segment.is_thing and not known.visible
            if not found_again and not self._may_prompt(segment):
                return
        elif match.id in self.roster.shelf:
            self.roster.take_back(match.id)
        else:  # stuff that was forgotten, but for its id
            self.roster.enter(segment.category_id, False, segment.score, self.index)
        member = self.roster.live[match.id]
        if member.visible:
            self.events.append(Event("corrected", match.id, "followed to a wrong place"))
        # Either way what the tracker remembers didn't find it here, and would contend with the new
        # prompt: a first glimpse of a few pixels made a region flicker for the rest of a shot.
        self.anew.add(match.id)
        member.misses, member.score = 0, segment.score
        member.vote(segment.category_id, segment.score)
        self.prompts[match.id] = found.mask(match.found)

    def _enter(self, segment: Segment, found: PanopticSegmentation) -> None:
        member = self.roster.enter(segment.category_id, segment.is_thing, segment.score, self.index)
        member.vote(segment.category_id, segment.score)
        self.prompts[member.id] = found.mask(segment.id)

    def _miss(self, member: Member, spilled: bool) -> None:
        """A mask that no detection confirms. One that never is confirmed, or has spilled into
        stuff, is dropped."""
        if not (self.settings.correction if member.is_thing else self.settings.reanchor):
            return
        member.misses += 1
        if spilled or member.misses >= self.settings.max_misses:
            if member.visible:
                detail = "spilled" if spilled else f"not detected {member.misses} times"
                self.events.append(Event("lost", member.id, detail))
            self.dropped.append(member.id)

    def _may_prompt(self, segment: Segment) -> bool:
        """Whether what is followed may be prompted anew."""
        return self.settings.correction if segment.is_thing else self.settings.reanchor
