"""Id switches: how often a true object is found again under another id, and who keeps theirs.

As in Voigtlaender et al., MOTS (CVPR 2019, arXiv 1902.03604, section 4): in every frame a true
object is tracked by the prediction of its category that it has an IoU above 0.5 with; a switch is
counted where that id is another than in the last frame in which the object was tracked.

A return is a true object that comes into sight again after one frame or more without a visible
pixel, having been tracked before; it is kept if it is then tracked, before it disappears again,
and under its last id.
"""

from __future__ import annotations

from dataclasses import dataclass

from panoptic.measure.frame_pairs import FramePair
from panoptic.measure.pq import matches


@dataclass(frozen=True)
class IdCounts:
    """``tracked`` of ``visible`` true masks were found; ``kept`` of ``returns`` kept their id."""

    switches: int = 0
    tracked: int = 0
    visible: int = 0
    returns: int = 0
    kept: int = 0

    def __add__(self, other: IdCounts) -> IdCounts:
        return IdCounts(
            self.switches + other.switches,
            self.tracked + other.tracked,
            self.visible + other.visible,
            self.returns + other.returns,
            self.kept + other.kept,
        )

    @property
    def kept_share(self) -> float:
        """The share of returns under the same id; nan where nothing returned."""
        return self.kept / self.returns if self.returns else float("nan")


@dataclass(frozen=True)
class IdSwitches:
    """The counts of things and of stuff apart."""

    things: IdCounts = IdCounts()
    stuff: IdCounts = IdCounts()

    def __add__(self, other: IdSwitches) -> IdSwitches:
        return IdSwitches(self.things + other.things, self.stuff + other.stuff)


@dataclass
class _Object:
    is_thing: bool
    counts: IdCounts = IdCounts()
    last_id: int | None = None
    last_seen: int | None = None
    returned: bool = False  # and not tracked since

    def observe(self, frame: int, found: int | None) -> None:
        """A frame in which the object is visible and tracked by ``found``, or by nothing."""
        again = self.last_seen is not None and self.last_seen < frame - 1
        if again:
            self.returned = self.last_id is not None
        tracked = found is not None
        same = tracked and found == self.last_id
        self.counts += IdCounts(
            switches=int(tracked and self.last_id is not None and not same),
            tracked=int(tracked),
            visible=1,
            returns=int(again and self.returned),
            kept=int(self.returned and same),
        )
        self.last_seen = frame
        if tracked:
            self.last_id, self.returned = found, False


class IdSwitchMeter:
    """Counts one video, frame by frame; what it keeps grows with the true ids alone."""

    def __init__(self) -> None:
        self._objects: dict[int, _Object] = {}
        self._frame = 0

    def add(self, pair: FramePair) -> None:
        found = {t: p for t, p, _ in matches(pair.overlaps, pair.true, pair.predicted)}
        for t, label in pair.true.items():
            if label.is_crowd:
                continue
            is_thing = pair.categories[label.category_id].is_thing
            known = self._objects.setdefault(t, _Object(is_thing))
            known.observe(self._frame, found.get(t))
        self._frame += 1

    def result(self) -> IdSwitches:
        def total(is_thing: bool) -> IdCounts:
            each = (known.counts for known in self._objects.values() if known.is_thing == is_thing)
            return sum(each, IdCounts())

        return IdSwitches(total(True), total(False))
