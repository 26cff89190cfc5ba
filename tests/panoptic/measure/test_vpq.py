import numpy as np
import pytest

from panoptic.measure.frame_pairs import FramePair, pair_frames
from panoptic.measure.pq import Label, Overlaps, tally
from panoptic.measure.vpq import VpqMeter
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from tests.panoptic.video.frames import frame, random_video


def vpq(predictions, truths, windows=(1, 2)):
    meter = VpqMeter(windows)
    for pair in pair_frames(predictions, truths):
        meter.add(pair)
    return meter.result()


TRUTH = frame("1177 1177 1177 1177", {1: 1, 7: 7})


def test_perfect_tubes_reach_one_whatever_their_ids():
    other = frame("5599 5599 5599 5599", {5: 1, 9: 7})
    result = vpq([other] * 3, [TRUTH] * 3)
    assert (result.vpq(), result.vpq(True), result.vpq(False)) == (1, 1, 1)
    # 3 windows of one frame and 2 of two frames, each with a cat and a lawn.
    assert [result.tallies[k][1].tp for k in (1, 2)] == [3, 2]


def test_an_id_that_changes_costs_the_longer_tubes():
    before = frame("3399 3399 3399 3399", {3: 1, 9: 7})
    after = frame("4499 4499 4499 4499", {4: 1, 9: 7})
    result = vpq([before, after], [TRUTH, TRUTH])
    assert result.quality(1).pq == 1
    # Over both frames the cat has 16 pixels, ids 3 and 4 have 8 each: IoU 0.5 is no match.
    cat = result.tallies[2][1]
    assert (cat.tp, cat.fp, cat.fn) == (0, 2, 1)
    assert result.quality(2).pq == pytest.approx((0 + 1) / 2)
    assert result.vpq() == pytest.approx(0.75)
    assert result.vpq(things=True) == pytest.approx(0.5)
    assert {c.name: v for c, v in result.per_class().items()} == {"cat": 0.5, "grass": 1.0}


def test_iou_is_that_of_the_tube_not_of_its_frames():
    # Frame 0: all 8 of the cat. Frame 1: 2 of its 8 pixels, no match alone.
    # Over both frames: shared 10, cat 16, found 10: IoU 10 / 16.
    full = frame("3377 3377 3377 3377", {3: 1, 7: 7})
    rest = frame("3377 7777 7777 7777", {3: 1, 7: 7})
    result = vpq([full, rest], [TRUTH, TRUTH])
    assert (result.tallies[1][1].tp, result.tallies[1][1].fn) == (1, 1)
    assert result.tallies[2][1].iou == pytest.approx(10 / 16)
    # Grass: 8 + 8 shared of 16, found 8 + 14.
    assert result.tallies[2][7].iou == pytest.approx(16 / 22)


def test_void_is_taken_out_of_the_whole_tube():
    void = frame("1100 1100 1100 1100", {1: 1})
    wide = frame("3333 3333 3333 3333", {3: 1})
    result = vpq([wide, wide], [void, TRUTH])
    # Found 32 pixels less 8 on void; shared 16, cat 16: IoU 16 / 24.
    assert result.tallies[2][1].iou == pytest.approx(16 / 24)


def test_predictions_that_lie_on_void_or_crowd_are_forgiven():
    truth = frame("1100 1100 2222 2222", {1: 1, 2: 2}, crowd=[2])
    found = frame("3344 3344 5555 5555", {3: 1, 4: 1, 5: 2})
    result = vpq([found, found], [truth, truth])
    assert [(t.tp, t.fp, t.fn) for t in result.tallies[2].values()] == [(1, 0, 0)]


def test_a_video_shorter_than_the_window_has_no_such_tubes():
    result = vpq([TRUTH], [TRUTH], windows=(1, 4))
    assert result.tallies[4] == {}
    assert result.quality(4).classes == 0
    assert result.vpq() == 1
    assert vpq([], [], windows=(2,)).vpq() == 0


@pytest.mark.parametrize("seed", range(6))
def test_windows_count_what_the_stacked_frames_count(seed):
    predictions, truths = random_video(seed)
    result = vpq(predictions, truths, windows=(1, 2, 4, 6))
    for k in result.windows:
        expected = {}
        for start in range(len(truths) - k + 1):
            tube = slice(start, start + k)
            labels = [
                {s.id: Label(s.category_id, s.is_crowd) for f in side[tube] for s in f}
                for side in (truths, predictions)
            ]
            ids = [np.stack([f.ids for f in side[tube]]) for side in (truths, predictions)]
            for category, counts in tally(Overlaps(*ids), *labels).items():
                expected.setdefault(category, []).append(counts)
        assert set(result.tallies[k]) == set(expected)
        for category, each in expected.items():
            counted = result.tallies[k][category]
            assert counted.tp == sum(t.tp for t in each)
            assert counted.fp == sum(t.fp for t in each)
            assert counted.fn == sum(t.fn for t in each)
            assert counted.iou == pytest.approx(sum(t.iou for t in each))


def test_videos_add_up():
    one, two = random_video(1), random_video(2)
    total = vpq(*one) + vpq(*two)
    assert total.tallies[2][1].tp == sum(vpq(*v).tallies[2][1].tp for v in (one, two))
    with pytest.raises(ValueError, match="same windows"):
        vpq(*one) + vpq(*two, windows=(1,))


def test_categories_that_do_not_count_are_neither_missed_nor_void():
    truth = frame("1177 1177 2277 2277", {1: 1, 2: 2, 7: 7})
    found = frame("3399 3399 3399 3399", {3: 1, 9: 7})
    (pair,) = pair_frames([found], [truth], counted=(1, 7))
    meter = VpqMeter((1,))
    meter.add(pair)
    tallies = meter.result().tallies[1]
    assert tallies.keys() == {1, 7}  # the dog isn't missed
    assert (tallies[1].tp, tallies[1].fp) == (0, 1)  # and what lies on it counts: IoU 4 / 8
    assert tallies[7].tp == 1


def test_errors_are_clear():
    with pytest.raises(ValueError, match="windows are lengths"):
        VpqMeter(())
    with pytest.raises(ValueError, match="the prediction ends after 1 frames"):
        list(pair_frames([TRUTH], [TRUTH, TRUTH]))
    with pytest.raises(ValueError, match="evaluate at the size"):
        FramePair(frame("11 11", {1: 1}), TRUTH)


def test_one_category_id_cannot_mean_two_things():
    ids = np.ones((4, 4), int)
    car = PanopticSegmentation.from_ids(ids, [Segment(1, 1, "car", True, 1.0)])
    with pytest.raises(ValueError, match=r"'cat' \(thing\) here and 'car' \(thing\) there"):
        vpq([car], [TRUTH])


def test_an_id_counts_as_what_it_was_first_in_the_window():
    cat = frame("3377 3377 3377 3377", {3: 1, 7: 7})
    dog = frame("3377 3377 3377 3377", {3: 2, 7: 7})
    assert vpq([cat, dog], [TRUTH, TRUTH]).tallies[2][1].tp == 1
    turned = vpq([dog, cat], [TRUTH, TRUTH]).tallies[2]
    assert (turned[1].fn, turned[2].fp) == (1, 1)
