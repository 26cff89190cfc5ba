"""Each dial does what it says, and without any the detector is perfect."""

import math

import numpy as np
import pytest

from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.truth import TrueFrame, Truths
from detectors.base import Boxes, ThingDetector, ThingSettings, lead
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

WORDS = Vocabulary(things={"car": ["auto"], "bus": [], "dog": []}, stuff=["road"])
ALL = ThingSettings(
    box_threshold=0.0, same_category_iou=1.0, cross_category_iou=1.0, max_boxes=1000
)
SIDES = (4, 8, 12, 16, 20)


def frame(number, clip="", index=0, gap=4):
    """25 cars of five sizes on a road, numbered by row from 1 on; with ``gap`` 0 those of 20
    pixels touch."""
    ids = np.full((120, 120), 99, np.int32)
    step = 20 + gap
    for row in range(5):
        for column in range(5):
            top, left, side = row * step, column * step, SIDES[row]
            ids[top : top + side, left : left + side] = row * 5 + column + 1
    segments = [Segment(i + 1, 11, "car", True, 1.0) for i in range(25)]
    segments.append(Segment(99, 12, "road", False, 1.0))
    image = np.random.default_rng(number).integers(0, 256, (120, 120, 3), np.uint8)
    hidden = {1 + 5 * row + column: column / 4 for row in range(5) for column in range(5)}
    truth = PanopticSegmentation.from_ids(ids, segments)
    return TrueFrame(image, truth, clip or f"picture {number}", index, hidden)


STILLS = [frame(number) for number in range(30)]
CLIP = [frame(100 + index, "clip", index) for index in range(40)]


def look(frames, words=WORDS, settings=ALL, seed=0, **errors):
    detector = StandinDetector(Truths(frames), DetectorErrors(**errors), seed, settings)
    return detector.detect_batch([each.image for each in frames], words)


def found(boxes, frames):
    """Whether each true thing (frames, 25) has its box, to the pixel."""
    return np.array(
        [
            [tuple(s.box) in {tuple(b) for b in each.xyxy.tolist()} for s in f.truth.things]
            for each, f in zip(boxes, frames, strict=True)
        ]
    )


def share_found(frames=STILLS, **errors):
    return found(look(frames, **errors), frames)


def ious(boxes, others):
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = (high - low).clip(0).prod(-1)
    sides = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (boxes, others)]
    return common / (sides[0][:, None] + sides[1][None] - common)


def test_without_errors_every_true_thing_has_its_box_and_nothing_else():
    detector = StandinDetector(Truths(STILLS))
    assert isinstance(detector, ThingDetector)
    boxes = detector.detect(STILLS[0].image, WORDS)
    assert {tuple(b) for b in boxes.xyxy} == {tuple(s.box) for s in STILLS[0].truth.things}
    assert len(boxes) == 25
    assert (boxes.scores == 1).all()
    assert (boxes.category_ids == WORDS.by_name("car").id).all()


def test_only_what_is_asked_is_found_by_its_name_or_a_synonym():
    assert len(look(STILLS[:1], Vocabulary(things=["bus"]))[0]) == 0
    assert len(look(STILLS[:1], Vocabulary(stuff=["car"]))[0]) == 0
    other = Vocabulary(things={"bus": [], "vehicle": ["car"]})
    assert (look(STILLS[:1], other)[0].category_ids == 2).all()


def test_the_order_of_the_calls_changes_nothing():
    errors = {"flicker": 0.4, "jitter": 0.1, "calibration": 0.3, "held": 4.0}
    forward, backward = look(CLIP, **errors), look(CLIP[::-1], **errors)[::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.xyxy, other.xyxy)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert not np.array_equal(look(CLIP[:1], seed=1, **errors)[0].xyxy, forward[0].xyxy)


def test_what_is_missed_is_missed_in_the_whole_clip():
    seen = share_found(CLIP, miss=0.5)
    assert (seen == seen[0]).all()
    assert share_found(miss=0.3).mean() == pytest.approx(0.7, abs=0.04)


def test_flicker_is_drawn_in_each_frame_anew():
    seen = share_found(CLIP, flicker=0.7)
    assert seen.mean() == pytest.approx(0.3, abs=0.04)
    after_found, after_missed = seen[1:][seen[:-1]].mean(), seen[1:][~seen[:-1]].mean()
    assert after_found == pytest.approx(after_missed, abs=0.08)


def test_flicker_that_holds_comes_in_runs():
    seen = share_found(CLIP, flicker=0.5, held=10.0)
    changes = (seen[1:] != seen[:-1]).mean()
    assert changes == pytest.approx(0.5 / 10, abs=0.02)  # half of what is drawn anew is the same
    forever = share_found(CLIP, flicker=0.5, held=math.inf)
    assert (forever == forever[0]).all()


def test_small_things_are_missed_more():
    seen = share_found(small_miss=1.0, small_side=16 / 120).reshape(-1, 5, 5).mean((0, 2))
    assert seen == pytest.approx([4 / 16, 8 / 16, 12 / 16, 1, 1], abs=0.09)


def test_hidden_things_are_missed_more():
    seen = share_found(hidden_miss=0.8).reshape(-1, 5, 5).mean((0, 1))
    assert seen == pytest.approx([1, 0.8, 0.6, 0.4, 0.2], abs=0.09)


def test_nothing_is_found_after_the_detector_fell_silent():
    seen = share_found(CLIP, silent_after=3)
    assert seen[:4].all()
    assert not seen[4:].any()


def test_edges_are_off_by_a_share_of_the_side():
    largest = [s for s in STILLS[0].truth.things if s.area == 400]
    off = []
    for boxes in look(STILLS, jitter=0.1, calibration=0.0):
        for segment in largest:
            nearest = np.abs(boxes.xyxy - np.array(segment.box)).sum(1).argmin()
            off.append((boxes.xyxy[nearest] - segment.box) / 20)
    # Those at the picture's edges are cut off there; medians don't see it.
    assert np.median(np.abs(off)) == pytest.approx(0.0674, abs=0.01)
    assert len(np.unique(off)) > 100


def test_two_that_touch_come_in_one_box():
    close = [frame(number, gap=0) for number in range(30)]
    assert all(len(each) == 25 for each in look(STILLS, merged=1.0))  # none touch
    together = look(close, merged=1.0)
    wide = [((b.xyxy[:, 2:] - b.xyxy[:, :2]) > 20).any(1) for b in together]
    assert all(len(each) < 25 for each in together)
    assert all(flags.sum() == 25 - len(each) for flags, each in zip(wide, together, strict=True))
    half = [25 - len(each) for each in look(close, merged=0.3)]
    assert 0 < np.mean(half) < np.mean([25 - len(each) for each in together])


def test_duplicates_score_lower_and_are_slightly_off():
    for boxes, each in zip(look(STILLS, duplicates=1.0), STILLS, strict=True):
        assert len(boxes) == 50
        first, second = boxes[:25], boxes[25:]
        assert found([first], [each]).all()
        assert second.scores.max() < first.scores.min()
        assert 0.4 < np.median(ious(second.xyxy, first.xyxy).max(1)) < 0.95
    rate = np.mean([len(b) - 25 for b in look(STILLS, duplicates=0.2)]) / 25
    assert rate == pytest.approx(0.2, abs=0.04)


def test_duplicates_go_where_the_settings_take_them_out():
    levels = ThingSettings(box_threshold=0.0, same_category_iou=0.1)
    assert all(
        len(b) == 25 for b in look(STILLS, settings=levels, duplicates=1.0, duplicate_off=0.05)
    )


def test_a_word_is_taken_for_always_the_same_other():
    car = WORDS.by_name("car").id
    named = np.concatenate([b.category_ids for b in look(STILLS, wrong_word=0.25)])
    assert len(named) == 25 * len(STILLS)
    assert np.mean(named != car) == pytest.approx(0.25, abs=0.04)
    assert len(set(named.tolist())) == 2
    assert (look(STILLS[:1], Vocabulary(things=["car"]), wrong_word=1.0)[0].category_ids == 1).all()


def test_a_thing_comes_under_both_words():
    boxes = look(STILLS, two_words=0.4)
    assert np.mean([len(b) for b in boxes]) == pytest.approx(25 * 1.4, abs=1.5)
    assert found(boxes, STILLS).all()
    once = look(STILLS, settings=ThingSettings(box_threshold=0.0), two_words=0.4)
    assert all(len(b) == 25 for b in once)  # one box for an object, whatever its names


def test_absent_words_get_the_whole_picture():
    boxes = look(STILLS, absent=0.5, absent_score=0.25)
    whole = np.concatenate([(b.xyxy == [0, 0, 120, 120]).all(1) for b in boxes])
    names, scores = (np.concatenate([getattr(b, n) for b in boxes])[whole] for n in _COLUMNS)
    assert whole.sum() / len(STILLS) == pytest.approx(0.5 * 2, abs=0.25)  # bus and dog
    assert set(names) == {WORDS.by_name("bus").id, WORDS.by_name("dog").id}
    assert scores == pytest.approx(0.25)


_COLUMNS = ("category_ids", "scores")


@pytest.mark.parametrize("told", [0.0, 0.5, 1.0])
def test_scores_keep_to_their_scale_and_tell_as_much_as_they_should(told):
    errors = {"jitter": 0.2, "absent": 1.0, "absent_score": 0.0, "calibration": told}
    boxes = look(STILLS, scores=(0.1, 0.3), **errors)
    scores = np.concatenate([b.scores for b in boxes])
    assert 0.1 <= scores.min() < scores.max() <= 0.3
    true = np.array([s.box for s in STILLS[0].truth.things], float)
    right = np.concatenate([ious(b.xyxy.astype(float), true).max(1) for b in boxes])
    correlation = np.corrcoef(scores, right)[0, 1]
    low, high = {0.0: (-0.1, 0.1), 0.5: (0.5, 0.9), 1.0: (0.97, 1.0)}[told]
    assert low < correlation <= high


def test_confidences_are_above_the_level_at_which_scores_begin():
    boxes = Boxes.concatenate(look(STILLS, scores=(0.1, 0.3), calibration=0.0))
    np.testing.assert_allclose(boxes.confidences, lead(boxes.scores, 0.1), atol=1e-6)
    assert 0.5 <= boxes.confidences.min() < boxes.confidences.max() < 0.8
    perfect = look(STILLS[:1])[0]
    assert (perfect.confidences == 1).all()


def test_the_runner_up_is_near_where_the_word_is_wrong():
    car = WORDS.by_name("car").id
    boxes = Boxes.concatenate(look(STILLS, wrong_word=0.5, scores=(0.35, 0.8), calibration=0.6))
    right, wrong = (
        boxes.margins[boxes.category_ids == car],
        boxes.margins[boxes.category_ids != car],
    )
    assert 0.5 < wrong.min() < wrong.max() < np.median(right) < right.max() < 1
    assert np.isnan(look(STILLS[:1], alone=True)[0].margins).all()
    assert np.isnan(look(STILLS[:1], Vocabulary(things=["car"]))[0].margins).all()


def test_boxes_below_the_threshold_are_dropped():
    levels = ThingSettings(box_threshold=0.6)
    boxes = look(STILLS, settings=levels, calibration=0.0)
    assert np.mean([len(b) for b in boxes]) == pytest.approx(25 * 0.4, abs=1.5)
    assert min(b.scores.min() for b in boxes) >= 0.6


def test_what_cant_be_is_refused():
    for name in ("miss", "merged", "calibration", "absent_score"):
        with pytest.raises(ValueError, match=name):
            DetectorErrors(**{name: 1.5})
    for wrong in ({"held": 0.5}, {"jitter": -0.1}, {"scores": (0.5, 0.1)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DetectorErrors(**wrong)
    with pytest.raises(ValueError, match="truth isn't known"):
        StandinDetector(Truths()).detect(STILLS[0].image, WORDS)
