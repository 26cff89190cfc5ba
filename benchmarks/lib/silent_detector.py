"""What becomes of tracked things when the detector is silent, or finds them now and then alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.lib.artwork import PACKAGED
from benchmarks.lib.regime_runs import vpq
from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.masks import MaskErrors
from benchmarks.standins.regimes import Regime
from benchmarks.standins.tracker import TrackErrors
from benchmarks.standins.truth import TrueFrame, Truths
from benchmarks.standins.worlds import STANDIN_WORLD, asked
from detectors.base import Boxes
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.hindsight import labelled
from prompts import Vocabulary

STORIES = ("move", "behind-thing", "lookalikes-cross", "shake")
"""All things are there from the first frame on: what enters later a silent detector can't find."""
_SURE = (0.5, 0.9)
_LATEST = 5  # frames
_PART = 0.2


Changes = Mapping[str, Any]
"""Of the settings, by key."""


class FindsAllAtFirst(StandinDetector):
    """One that misses nothing in the first frame of a clip."""

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        first = self.truths.of(image).index == 0
        errors = replace(self.errors, flicker=0.0) if first else self.errors
        return StandinDetector(self.truths, errors, self.seed, self.settings).detect(
            image, vocabulary
        )


def things_lost(
    frames_a_clip: int, stories: Sequence[str] = STORIES[:2], changes: Changes | None = None
) -> tuple[int, int]:
    """Things that were found in the first frame, and how many of them have no label of theirs
    when they are last seen, though the tracker follows them without an error."""
    found_first, lost = 0, 0
    for story in stories:
        frames = _clip(story, frames_a_clip)
        silent = DetectorErrors(silent_after=0, scores=_SURE)
        results = _tracked(frames, silent, TrackErrors(), changes, MaskErrors())
        for thing in frames[0].truth.things:
            id = _label_on(results[0], frames[0], thing.id)
            if id is None:
                continue
            found_first += 1
            last = max(f.index for f in frames if thing.id in {s.id for s in f.truth})
            # A label may miss a frame in which next to nothing shows.
            final = range(max(0, last - _LATEST), last + 1)
            lost += not any(_is_held(results[i], frames[i], thing.id, id) for i in final)
    return found_first, lost


def rare_looks(
    frames_a_clip: int,
    stories: Sequence[str] = STORIES,
    changes: Changes | None = None,
    clips_a_story: int = 4,
    tracks: TrackErrors | None = None,
) -> dict[str, float]:
    """Mean VPQ in percent by detector: one that finds all, and one that, after the first frame,
    finds each thing in a random 30 % of its looks. (Of single clips, either is better by up to
    10.) The tracker makes no errors, or these."""
    clips = [
        _clip(story, frames_a_clip, number) for story in stories for number in range(clips_a_story)
    ]
    return {
        name: float(
            np.mean(
                [
                    vpq(_tracked(clip, errors, tracks or TrackErrors(), changes), clip)
                    for clip in clips
                ]
            )
        )
        for name, errors in (
            ("every look", DetectorErrors(scores=_SURE)),
            ("30 % of looks", DetectorErrors(flicker=0.7, scores=_SURE)),
        )
    }


def _clip(story: str, frames: int, number: int = 0) -> list[TrueFrame]:
    world = World(load_artwork(PACKAGED), seed=STANDIN_WORLD)
    clip = make_clip(world, story, number, frames)
    return [
        TrueFrame(image, truth, f"{story} {number}, {frames} frames", index)
        for index, (image, truth) in enumerate(zip(clip.frames, clip.truth, strict=True))
    ]


def _tracked(
    frames: Sequence[TrueFrame],
    errors: DetectorErrors,
    tracks: TrackErrors,
    changes: Changes | None,
    masks: MaskErrors | None = None,
) -> list[PanopticSegmentation]:
    regime = Regime("silent", "demo clips", things=errors, tracks=tracks)
    # A mask that never was of its thing can't be lost.
    regime = regime if masks is None else replace(regime, masks=masks)
    pipeline = regime.pipeline(frames)
    pipeline.settings = pipeline.settings.changed(changes or {})
    pipeline.things = FindsAllAtFirst(Truths(frames), errors, settings=pipeline.settings.detector)
    session = pipeline.video_session(asked(frames, demo_vocabulary(), 12, 0))
    results = labelled(session, (frame.image for frame in frames))
    return [replace(result.segmentation, image=None) for result in results]


def _is_held(result: PanopticSegmentation, frame: TrueFrame, thing: int, id: int) -> bool:
    """Whether a label still is on a true thing. The mask that it began with may be a part of it."""
    there = frame.truth.ids == thing
    return bool(there.any()) and float((result.ids[there] == id).mean()) >= _PART


def _label_on(result: PanopticSegmentation, frame: TrueFrame, thing: int) -> int | None:
    """The id of the thing that most of a true thing's pixels are labelled as."""
    if thing not in {segment.id for segment in frame.truth}:
        return None
    ids, counts = np.unique(result.ids[frame.truth.ids == thing], return_counts=True)
    most = int(ids[counts.argmax()])
    return most if most in {segment.id for segment in result.things} else None
