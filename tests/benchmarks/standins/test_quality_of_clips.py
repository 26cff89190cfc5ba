"""What is followed keeps the quality that it had when it was last looked for."""

from dataclasses import replace

from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.heatmaps import StandinHeatmaps
from benchmarks.standins.masks import StandinSegmenter
from benchmarks.standins.tracker import TrackErrors
from panoptic.pipeline import PanopticPipeline
from prompts import Vocabulary
from tests.benchmarks.standins.small_worlds import clip, truths

WORDS = Vocabulary(things=["cat", "dog"], stuff=["sky", "grass"])
UNSURE = DetectorErrors(scores=(0.3, 0.9), calibration=0.0)


def qualities(errors, every=4, frames=9):
    shown = clip(frames)
    pipeline = PanopticPipeline(
        StandinDetector(truths(shown), errors),
        StandinHeatmaps(truths(shown)),
        StandinSegmenter(truths(shown), tracks=TrackErrors(iou_bias=-0.3, iou_noise=0.1)),
        {"video.detect_every": every / 25, "detector.box_threshold": 0.3},
    )
    session = pipeline.video_session(WORDS)
    looks = [
        {s.quality for s in pipeline.segment(frame.image, WORDS)} if i % every == 0 else None
        for i, frame in enumerate(shown)
    ]
    steps = [session.step(frame.image).segmentation for frame in shown]
    things = {s.id for s in steps[0].things}
    return [{s.id: s.quality for s in step} for step in steps], looks, things


def test_it_is_that_of_the_look_until_the_next_one():
    found, looks, _ = qualities(UNSURE)
    for first in (0, 4):
        assert set(found[first].values()) == looks[first]
        # The tracker's own estimates are off by 0.3 here, and move nothing.
        assert all(found[index] == found[first] for index in range(first, first + 4))
    assert found[4] != found[0]  # another look, other scores


def test_what_a_look_missed_keeps_what_it_had():
    found, _, things = qualities(replace(UNSURE, silent_after=0))
    assert things
    assert all(found[5][id] == found[0][id] for id in things)
