"""What is known of a segment in the frames of a shot: what was said by hand, and what was tracked.

A correction counts in other frames from its propagation on; until then these know of it what they
did before (``HandCorrection.start``). So what is made of some corrections doesn't depend on the
order in which they came.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import reduce

from panoptic.video.edits import Edits
from panoptic.video.layer_store import LayerStore
from panoptic.video.mask_layers import Layer

MOST_GIVEN = 4
"""Corrections and prompts that a frame sees at once, the closest ones: each costs as much time as a
recent memory. Over 10 segments of two demo clips, all of them were no better."""


def closest(frames: Set[int], frame: int, most: int = MOST_GIVEN) -> list[int]:
    """Of some frames those to be seen from a frame: the one before, the one after, and then the
    nearest, as ``BankSettings.max_prompted`` has it."""
    before = max((f for f in frames if f < frame), default=None)
    after = min((f for f in frames if f >= frame), default=None)
    chosen = [f for f in (before, after) if f is not None]
    rest = sorted(set(frames) - set(chosen), key=lambda f: (abs(f - frame), f))
    return sorted([*chosen, *rest][:most])


@dataclass(frozen=True)
class SegmentHistory:
    """One segment, with all that is joined to it, as frames other than the one that is corrected
    know it."""

    recording: LayerStore
    edits: Edits
    id: int

    def given_by_hand(self, shot: range) -> set[int]:
        """The frames whose correction others know of."""
        return {
            frame
            for (id, frame), c in self.edits.corrections.items()
            if id == self.id and frame in shot and (c.propagated or c.start_by_hand)
        }

    def prompt_before(self, frame: int, shot: range, by_hand: set[int]) -> int | None:
        """The last frame before one, or the first after it, in which a detection prompted it,
        unless something was said by hand in between, or in that very frame."""
        for way in (range(frame - 1, shot.start - 1, -1), range(frame + 1, shot.stop)):
            for index in way:
                if index in by_hand:
                    return None
                if self.id in self.recording.prompted(index) and not self._corrected(index):
                    return index
        return None

    def layer(self, frame: int) -> Layer | None:
        """None where it isn't known."""
        record = self.recording[frame]
        found = []
        for id in self.edits.group(self.id):
            correction = self.edits.corrections.get((id, frame))
            if correction is not None and not correction.propagated:
                found.append(self.recording.file.read(correction.start).layers[id])
            elif id in record.layers.ids:
                found.append(record.layers[id])
        return replace(reduce(Layer.joined, found), id=self.id) if found else None

    def _corrected(self, frame: int) -> bool:
        return (self.id, frame) in self.edits.corrections
