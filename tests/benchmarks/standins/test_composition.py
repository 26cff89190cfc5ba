"""What the composition makes of models that err, whatever the scale of their scores."""

import numpy as np
import pytest

from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.heatmaps import HeatErrors, StandinHeatmaps
from benchmarks.standins.masks import MaskErrors, StandinSegmenter
from panoptic import PanopticPipeline, Vocabulary
from tests.benchmarks.standins.small_worlds import still, truths

WORDS = Vocabulary(things=["cat", "dog"], stuff=["sky", "grass"])
MORE = Vocabulary(things=["cat", "dog", "car"], stuff=["sky", "grass"])


def labelled(things=None, heat=None, masks=None, words=WORDS, level=0.1):
    frame = still()
    known = truths([frame])
    pipeline = PanopticPipeline(
        StandinDetector(known, things),
        StandinHeatmaps(known, heat),
        StandinSegmenter(known, masks),
        {"detector.box_threshold": level},
    )
    return pipeline.segment(frame.image, words), frame.truth


def ious(found, truth):
    """Of each true segment with the best of its word."""
    return {
        true.id: max(
            (
                (found.mask(s.id) & truth.mask(true.id)).sum()
                / ((found.mask(s.id) & (truth.ids > 0)) | truth.mask(true.id)).sum()
                for s in found
                if s.category == true.category
            ),
            default=0.0,
        )
        for true in truth
    }


@pytest.mark.parametrize("scores", [(0.1, 0.15), (0.3, 0.8), (0.9, 0.99)])
def test_a_thing_has_its_pixels_at_every_scale_of_scores(scores):
    found, truth = labelled(DetectorErrors(scores=scores), HeatErrors(leak=0.9))
    assert min(ious(found, truth).values()) > 0.85


def test_a_lower_threshold_helps_as_is_advised():
    weak = DetectorErrors(scores=(0.15, 0.15))
    lost, _ = labelled(weak, level=0.2)
    assert "a lower box threshold" in lost.explain().text()
    assert {s.category for s in lost} == {"sky", "grass"}
    found, _ = labelled(weak, level=0.1)
    assert sorted(s.category for s in found) == ["cat", "cat", "dog", "grass", "sky"]


@pytest.mark.parametrize("score", [0.15, 0.9])
def test_a_box_of_the_whole_picture_does_not_swallow_the_stuff(score):
    errors = DetectorErrors(absent=1.0, absent_score=score, scores=(0.0, 1.0))
    found, truth = labelled(errors, words=MORE)
    assert "car" not in {s.category for s in found}
    assert min(ious(found, truth).values()) > 0.85
    assert "its mask is the area of" in found.explain().text()


@pytest.mark.parametrize(
    "heat",
    [
        HeatErrors(side=352, patch=16, blur=0.02, leak=0.2, flatness=0.2, peak=(0.2, 0.5)),
        HeatErrors(rivals=1.0, rival_heat=0.6),
        HeatErrors(leak=0.3),
    ],
)
def test_stuff_is_found_where_heat_is_low_blurred_or_leaks(heat):
    found, truth = labelled(DetectorErrors(scores=(0.3, 0.8)), heat)
    assert min(ious(found, truth).values()) > 0.8


def test_parts_and_unsure_masks_are_outweighed_by_the_heat():
    found, truth = labelled(masks=MaskErrors(part=1.0, edge=2.0, height=2.5))
    stuff = {i: iou for i, iou in ious(found, truth).items() if not truth.segment(i).is_thing}
    assert min(stuff.values()) > 0.8


def test_duplicates_leave_no_segments_of_their_own():
    errors = DetectorErrors(duplicates=1.0, duplicate_off=0.2, scores=(0.2, 0.6))
    found, _ = labelled(errors)
    assert sorted(s.category for s in found) == ["cat", "cat", "dog", "grass", "sky"]
    assert np.unique(found.ids).tolist()[-1] == 5
