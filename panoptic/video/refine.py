"""Clicks on a segment of a recorded video, answered by a tracker that remembers it.

SAM 2 (arXiv 2408.00714, section 4) reads a click on a later frame together with what is remembered
of the object. A tracker is therefore made that stands where one does that had kept everything: what
was recorded around the frame is put into its memory again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from panoptic.video.mask_layers import Layer, to_steps
from panoptic.video.segment_history import SegmentHistory, closest
from sam2core import BankSettings, FrameSource, Segmenter, TrackerOverFrames, TrackerSettings

RECENT = BankSettings().recent
SETTINGS = TrackerSettings(corrections_are_prompts=True)


def logits_of(layer: Layer, side: int) -> Tensor:
    """A layer's mask as a tracker has it, float32 (side, side)."""
    return torch.from_numpy(layer.resized(side, side).astype(np.float32) / 8)


@dataclass(frozen=True)
class _Around:
    """The frames that were ``given`` closest to one, and the way that was tracked to it."""

    given: tuple[int, ...]
    reverse: bool


@dataclass
class Refiner:
    """Answers clicks. Further clicks on a segment in a frame find the tracker of the first."""

    segmenter: Segmenter
    source: FrameSource
    _latest: tuple[object, TrackerOverFrames] | None = None

    def refine(
        self,
        history: SegmentHistory,
        layer: Layer,
        frame: int,
        points: tuple[tuple[float, float], ...],
        labels: tuple[int, ...],
    ) -> np.ndarray:
        """The steps (S, S) of a segment that is ``layer`` in a frame now, after all ``points`` on
        it there, in pixels, with ``labels`` 1 or 0."""
        id, side = history.id, self.segmenter.mask_size
        around, known = _around(history, frame)
        tracker = self._tracker(id, around, known)
        # Without anything else to know it by, it is what it is here.
        way, alone = around.reverse, not around.given
        now = {id: logits_of(layer, side)}
        tracker.take_over(now, frame, given=alone, reverse=None if alone else way)
        refined = tracker.copy()
        answer = refined.prompt(id, points=points, labels=labels, frame_index=frame)
        logits = answer.logits[0]
        if any(labels) and not bool((logits > 0).any()):
            # By its memory it isn't there, but it was said that it is.
            image = self.segmenter.encode(self.source[frame])
            clicks = {"points": np.array([points]), "labels": np.array([labels])}
            best = self.segmenter.segment(**clicks, multimask=True, image=image).best()
            logits = best.logits[0, 0]
        return to_steps(logits.cpu().numpy())

    def _tracker(self, id: int, around: _Around, known: dict[int, Layer]) -> TrackerOverFrames:
        key = id, around, tuple((f, layer.steps.tobytes()) for f, layer in known.items())
        if self._latest is None or self._latest[0] != key:
            tracker = self.segmenter.tracker_over(self.source, SETTINGS)
            side = self.segmenter.mask_size
            for f, layer in known.items():
                given = f in around.given
                way = None if given else around.reverse
                tracker.take_over({id: logits_of(layer, side)}, f, given=given, reverse=way)
            self._latest = key, tracker
        return self._latest[1]


def _around(history: SegmentHistory, frame: int) -> tuple[_Around, dict[int, Layer]]:
    """Where memories of a frame come from, with the layers there: what was given closest to it, by
    hand or by a detection, and the frames that were tracked from there to it."""
    shot = history.recording.shot_of(frame)
    by_hand = history.given_by_hand(shot) - {frame}
    detected = history.prompt_before(frame, shot, by_hand)
    known = {
        f: layer
        for f in closest(by_hand | ({detected} if detected is not None else set()), frame)
        if (layer := history.layer(f)) is not None
    }
    given = tuple(known)
    if not given:
        return _Around((), False), {}
    before = max((f for f in given if f < frame), default=None)
    after = min((f for f in given if f > frame and f in by_hand), default=None)
    reverse = before is None or (after is not None and after - frame < frame - before)
    for age in range(RECENT, 0, -1):
        f = frame + age if reverse else frame - age
        if f in shot and f not in known and (layer := history.layer(f)) is not None:
            known[f] = layer
    return _Around(given, reverse), known
