"""Discovery: what was detected in a frame, matched with what is followed in it.

Both sides are id maps without overlaps. Things are assigned to each other twice: those in sight
by the IoU of their masks, then what is left over by appearance, within one category, to members
that are out of sight. Both are assignments in which no one has two partners and the sum is greatest
(Kuhn 1955; ``scipy.optimize``). What then is left, confident, and not on something that is followed
is new. Stuff goes by its word alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from panoptic.measure.pq import Overlaps
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings

_OTHER_CATEGORY = 0.3
"""Factor on the IoU of masks of different categories: one object by two names, but only where no
mask of the same name fits about as well."""

_HALF = 0.5


@dataclass(frozen=True)
class Match:
    """A followed segment and a detected one are the same; ``worth`` is IoU or margin."""

    id: int
    found: int
    worth: float


@dataclass(frozen=True)
class MatchPlan:
    """What a pass of the detectors over a frame says.

    ``same``: seen and detected in one place. ``again``: out of sight, and recognised in a
    detection. ``new``: detected ids that nobody is. ``doubts``: ids in sight that no detection
    confirms, with what was detected in their place. (What merely wasn't detected is in none of
    these: detectors miss what they saw a moment ago.)
    """

    same: tuple[Match, ...] = ()
    again: tuple[Match, ...] = ()
    new: tuple[int, ...] = ()
    doubts: tuple[Match, ...] = ()


def match_detections(
    tracked: PanopticSegmentation,
    found: PanopticSegmentation,
    stuff: Mapping[int, int],
    margins: Mapping[tuple[int, int], float],
    settings: VideoSettings,
) -> MatchPlan:
    """Match the detected segments of a frame with the tracked ones.

    ``stuff`` gives the lasting id of each stuff category that has one. ``margins`` are by how much,
    by (id, detected id), what was detected looks like a thing of its category that is out of sight
    rather than like anything else.
    """
    table = _Table(tracked, found)
    things = [s for s in found.things if not s.is_unknown]
    same = table.assign(tracked.things, things, settings.same_iou)
    confirmed = {m.id for m in same}
    settled = {m.found for m in same}
    left = [
        s
        for s in things
        if s.id not in settled and table.covered(s.id, confirmed) <= settings.covered
    ]
    again = _recognise(left, margins, settings.recognise) if settings.reidentify else []
    taken = {m.found for m in again}
    # Half on the mask of something that isn't confirmed here: rather a bad mask than a new thing.
    held = {s.id for s in tracked.things}
    new = [
        s.id for s in left if s.id not in taken and table.covered(s.id, held) <= settings.covered
    ]
    # A thing where stuff is followed is a doubt about that, and not new either.
    doubts = {
        t.id: Match(t.id, id, worth)
        for t in tracked.stuff
        for id in new
        if (worth := table.iou(t.id, id)) > _HALF
    }
    new = [id for id in new if id not in {m.found for m in doubts.values()}]
    # Nor is stuff in the place of what the tracker holds: a thing that was missed in this frame, or
    # stuff whose word was.
    seen = {s.category_id for s in found.stuff if table.covered(s.id, held) <= settings.covered}
    held |= {s.id for s in tracked.stuff if s.category_id not in seen}
    over = [s for s in found.stuff if table.covered(s.id, held) > settings.covered]
    for segment in found.stuff:
        id = stuff.get(segment.category_id)
        if segment in over or id in doubts:
            continue
        if id is None:
            new.append(segment.id)
        elif id in table.areas:
            same.append(Match(id, segment.id, table.iou(id, segment.id)))
        else:
            again.append(Match(id, segment.id, 1.0))
    for segment in tracked:
        others = {s.id for s in over if s.category_id != segment.category_id}
        if segment.id in held - confirmed and (doubt := table.filled(segment.id, others)):
            doubts.setdefault(segment.id, doubt)
    return MatchPlan(tuple(same), tuple(again), tuple(new), tuple(doubts.values()))


def _recognise(
    found: list[Segment], margins: Mapping[tuple[int, int], float], least: float
) -> list[Match]:
    """Detections in which things that were out of sight are recognised."""
    known = list(dict.fromkeys(id for id, _ in margins))
    if not known or not found:
        return []
    pairs = [[margins.get((id, segment.id), 0.0) for segment in found] for id in known]
    worth = np.array(pairs)
    return [
        Match(known[row], found[column].id, float(worth[row, column]))
        for row, column in _assign(np.where(worth >= least, worth, 0.0))
    ]


class _Table:
    """Areas and overlaps of the segments of two maps of one frame."""

    def __init__(self, tracked: PanopticSegmentation, found: PanopticSegmentation) -> None:
        self.areas = {s.id: s.area for s in tracked}
        self._found = {s.id: s.area for s in found}
        self._shared = Overlaps(tracked.ids, found.ids)

    def shared(self, id: int, found: int) -> int:
        return self._shared.pixels.get((id, found), 0)

    def iou(self, id: int, found: int) -> float:
        shared = self.shared(id, found)
        return shared / (self.areas[id] + self._found[found] - shared)

    def share(self, id: int, found: int) -> float:
        """The share of a detected segment that lies on a tracked one."""
        return self.shared(id, found) / self._found[found]

    def covered(self, found: int, ids: set[int]) -> float:
        """The share of a detected segment that lies on these tracked ones."""
        return sum(self.share(i, found) for i in ids if i in self.areas)

    def filled(self, id: int, found: set[int]) -> Match | None:
        """The largest of detected segments on a tracked one, if they are more than half of it."""
        on = {f: shared for f in sorted(found) if (shared := self.shared(id, f))}
        share = sum(on.values()) / self.areas[id]
        return Match(id, max(on, key=lambda f: on[f]), share) if share > _HALF else None

    def assign(
        self, tracked: tuple[Segment, ...], found: list[Segment], least: float
    ) -> list[Match]:
        """Pairs of at least this IoU (times a factor where the categories differ)."""
        if not tracked or not found:
            return []
        worth = np.array(
            [
                [
                    self.iou(t.id, f.id)
                    * (1.0 if t.category_id == f.category_id else _OTHER_CATEGORY)
                    for f in found
                ]
                for t in tracked
            ]
        )
        pairs = _assign(np.where(worth >= least, worth, 0.0))
        return [
            Match(tracked[row].id, found[column].id, self.iou(tracked[row].id, found[column].id))
            for row, column in pairs
        ]


def _assign(worth: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) of the greatest sum, without those that are worth nothing."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    ]
