"""Discovery: what was detected in a frame, matched with what is followed in it.

Both sides are id maps without overlaps. Things are assigned to each other twice: those in sight
by the IoU of their masks, then what is left over by appearance, within one category, to members
that are out of sight or were seen where no detection confirms them. Both are assignments in which
no one has two partners and the sum is greatest (Kuhn 1955; ``scipy.optimize``). What then is
left, confident, and not on something that is followed is new. Stuff goes by its word alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from panoptic.measure.pq import Overlaps
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings

_OTHER_CATEGORY = 0.5
"""Factor on the IoU of masks of different categories: one object by two names, but only where no
mask of the same name fits about as well."""

_SPILLED = 0.5
"""Share of a stuff region from which on a thing that covers it has spilled into it."""


@dataclass(frozen=True)
class Match:
    """A followed segment and a detected one are the same; ``worth`` is IoU or similarity."""

    id: int
    found: int
    worth: float


@dataclass(frozen=True)
class MatchPlan:
    """What a pass of the detectors over a frame says.

    ``same``: seen and detected in one place. ``again``: out of sight, or followed in a wrong
    place, and recognised in a detection. ``new``: detected ids that nobody is. ``missed``: ids in
    sight that no detection confirms; ``spilled`` are those things of them that took most of a
    detected stuff region, which a thing that merely wasn't detected doesn't.
    """

    same: tuple[Match, ...] = ()
    again: tuple[Match, ...] = ()
    new: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    spilled: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recognisable:
    """A thing that is out of sight and may be found again, if it looks like it by ``level``."""

    id: int
    category_id: int
    level: float


def match_detections(
    tracked: PanopticSegmentation,
    found: PanopticSegmentation,
    stuff: Mapping[int, int],
    hidden: Mapping[int, Recognisable],
    in_sight: Mapping[int, Recognisable],
    similarity: Mapping[tuple[int, int], float],
    settings: VideoSettings,
) -> MatchPlan:
    """Match the detected segments of a frame with the tracked ones.

    ``stuff`` gives the lasting id of each stuff category that has one. ``hidden`` are things out
    of sight, ``in_sight`` those things of ``tracked`` that may have been followed to a wrong place
    (by id), and ``similarity`` is what each of them, by (id, detected id), looks like.
    """
    table = _Table(tracked, found)
    same: list[Match] = []
    again: list[Match] = []
    new: list[int] = []
    for segment in found.stuff:
        id = stuff.get(segment.category_id)
        if id is None:
            new.append(segment.id)
        elif id in table.areas:
            same.append(Match(id, segment.id, table.iou(id, segment.id)))
        else:
            again.append(Match(id, segment.id, 1.0))

    things = [s for s in found.things if not s.is_unknown]
    same += table.assign(tracked.things, things, settings.same_iou)
    settled = {m.found for m in same} | {m.found for m in again}
    left = [s for s in things if s.id not in settled and s.score >= settings.confident]
    confirmed = {m.id for m in same}
    left = [s for s in left if table.covered(s.id, confirmed) <= settings.covered]
    candidates = {**hidden, **{i: c for i, c in in_sight.items() if i not in confirmed}}
    recognised = _recognise(candidates, left, similarity) if settings.reidentify else []
    again += recognised
    taken = {m.found for m in recognised}
    moved = {m.id for m in recognised}
    # Half on the mask of something that isn't confirmed here: rather a bad mask than a new thing.
    doubtful = {s.id for s in tracked.things} - confirmed - moved
    new += [
        s.id
        for s in left
        if s.id not in taken and table.covered(s.id, confirmed | doubtful) <= settings.covered
    ]
    done = confirmed | {m.id for m in again}
    missed = tuple(s.id for s in tracked.segments if s.id not in done)
    spilled = tuple(
        thing.id
        for thing in tracked.things
        if thing.id in missed
        and any(table.share(thing.id, region.id) > _SPILLED for region in found.stuff)
    )
    return MatchPlan(tuple(same), tuple(again), tuple(new), missed, spilled)


def _recognise(
    candidates: Mapping[int, Recognisable],
    found: list[Segment],
    similarity: Mapping[tuple[int, int], float],
) -> list[Match]:
    """Detections in which candidates of their category are recognised."""
    known = list(candidates.values())
    if not known or not found:
        return []
    worth = np.zeros((len(known), len(found)))
    for row, candidate in enumerate(known):
        for column, segment in enumerate(found):
            alike = similarity.get((candidate.id, segment.id), 0.0)
            if candidate.category_id == segment.category_id and alike >= candidate.level:
                worth[row, column] = alike
    return [
        Match(known[row].id, found[column].id, float(worth[row, column]))
        for row, column in _assign(worth)
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
