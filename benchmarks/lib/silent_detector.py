"""What becomes of tracked things when the detector is silent, or finds them now and then alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.lib.artwork import PACKAGED
from benchmarks.lib.regime_runs import vpq
from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.regimes import USUAL_TRACKS, Regime
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
        results = _tracked(frames, silent, TrackErrors(), changes)
        for thing in frames[0].truth.things:
            id = _label_on(results[0], frames[0], thing.id)
            if id is None:
                continue
            found_first += 1
            last = max(f.index for f in frames if thing.id in {s.id for s in f.truth})
            # A label may miss a frame in which next to nothing shows.
            final = range(max(0, last - _LATEST), last + 1)
            lost += all(_label_on(results[i], frames[i], thing.id) != id for i in final)
    return found_first, lost


def rare_looks(
    frames_a_clip: int, stories: Sequence[str] = STORIES, changes: Changes | None = None
) -> dict[str, float]:
    """Mean VPQ in percent by detector: one that finds all, and one that, after the first frame,
    finds each thing in a random 30 % of its looks."""
    clips = [_clip(story, frames_a_clip) for story in stories]
    return {
        name: float(
            np.mean([vpq(_tracked(clip, errors, USUAL_TRACKS, changes), clip) for clip in clips])
        )
        for name, errors in (
            ("every look", DetectorErrors(scores=_SURE)),
            ("30 % of looks", DetectorErrors(flicker=0.7, scores=_SURE)),
        )
    }


def _clip(story: str, frames: int) -> list[TrueFrame]:
    world = World(load_artwork(PACKAGED), seed=STANDIN_WORLD)
    clip = make_clip(world, story, 0, frames)
    return [
        TrueFrame(image, truth, f"{story}, {frames} frames", index)
        for index, (image, truth) in enumerate(zip(clip.frames, clip.truth, strict=True))
    ]


def _tracked(
    frames: Sequence[TrueFrame],
    errors: DetectorErrors,
    tracks: TrackErrors,
    changes: Changes | None,
) -> list[PanopticSegmentation]:
    pipeline = Regime("silent", "demo clips", things=errors, tracks=tracks).pipeline(frames)
    pipeline.settings = pipeline.settings.changed(changes or {})
    pipeline.things = FindsAllAtFirst(Truths(frames), errors, settings=pipeline.settings.detector)
    session = pipeline.video_session(asked(frames, demo_vocabulary(), 12, 0))
    results = labelled(session, (frame.image for frame in frames))
    return [replace(result.segmentation, image=None) for result in results]


def _label_on(result: PanopticSegmentation, frame: TrueFrame, thing: int) -> int | None:
    """The id of the thing that most of a true thing's pixels are labelled as."""
    if thing not in {segment.id for segment in frame.truth}:
        return None
    ids, counts = np.unique(result.ids[frame.truth.ids == thing], return_counts=True)
    most = int(ids[counts.argmax()])
    return most if most in {segment.id for segment in result.things} else None
