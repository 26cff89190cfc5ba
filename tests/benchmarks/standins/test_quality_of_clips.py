"""The quality of what is followed, by what stand-ins' looks and trackers say of it."""

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
    steps = [session.step(frame.image).segmentation for frame in shown]
    things = {s.id for s in steps[0].things}
    return [{s.id: s.quality for s in step} for step in steps], things


def test_between_looks_the_tracker_s_own_estimates_count():
    found, things = qualities(UNSURE)
    assert things
    for look in (0, 4):
        for index in range(look + 1, look + 4):  # in which its estimates are off by 0.3
            assert all(found[index][id] < found[look][id] for id in things)


def test_what_looks_miss_is_trusted_less():
    silent, things = qualities(replace(UNSURE, silent_after=0))
    found, _ = qualities(UNSURE)
    assert silent[3] == found[3]
    for index in range(4, 9):
        assert all(silent[index][id] < found[index][id] for id in things)
