import pytest

from panoptic.measure.frame_pairs import pair_frames
from panoptic.measure.stq import NO_CLASS, StqMeter
from tests.panoptic.video.frames import frame


def stq(predictions, truths):
    meter = StqMeter()
    for pair in pair_frames(predictions, truths):
        meter.add(pair)
    return meter.result()


TRUTH = frame("1177 1177 1177 1177", {1: 1, 7: 7})


def test_perfect_is_one():
    result = stq([frame("5599 5599 5599 5599", {5: 1, 9: 7})] * 2, [TRUTH] * 2)
    assert (result.stq, result.aq, result.sq) == (1, 1, 1)
    assert result.tubes == 1  # grass isn't tracked


def test_an_id_that_changes_halfway_costs_half_the_association():
    before = frame("3399 3399 3399 3399", {3: 1, 9: 7})
    after = frame("4499 4499 4499 4499", {4: 1, 9: 7})
    result = stq([before, after], [TRUTH, TRUTH])
    # The cat has 16 pixels; ids 3 and 4 share 8 each: (8 * 8 / 16 + 8 * 8 / 16) / 16.
    assert result.aq == pytest.approx(0.5)
    assert result.sq == 1
    assert result.stq == pytest.approx(0.5**0.5)


def test_association_and_segmentation_by_hand():
    truth = frame("1122 1122 7777 7777", {1: 1, 2: 2, 7: 7})
    # Id 3 covers the cat (4 pixels) and half of the dog (2); the dog's other half is called grass.
    found = frame("3337 3337 7777 7777", {3: 1, 7: 7})
    result = stq([found], [truth])
    # Cat: 4 * (4 / (4 + 6 - 4)) / 4 = 2 / 3; dog: 2 * (2 / (4 + 6 - 2)) / 4 = 1 / 8.
    assert result.tubes == 2
    assert result.association == pytest.approx(2 / 3 + 1 / 8)
    assert result.aq == pytest.approx((2 / 3 + 1 / 8) / 2)
    # Cat 4 / 6, dog 0 / 4, grass 8 / 10.
    assert result.class_ious() == pytest.approx({1: 4 / 6, 2: 0, 7: 8 / 10})
    assert result.sq == pytest.approx((4 / 6 + 0 + 8 / 10) / 3)


def test_association_asks_for_no_class_but_another_class_is_another_tube():
    as_dog = frame("3377 3377 3377 3377", {3: 2, 7: 7})
    assert stq([as_dog, as_dog], [TRUTH, TRUTH]).aq == 1
    as_cat = frame("3377 3377 3377 3377", {3: 1, 7: 7})
    assert stq([as_dog, as_cat], [TRUTH, TRUTH]).aq == pytest.approx(0.5)


def test_void_of_the_truth_counts_to_tubes_and_to_no_class():
    truth = frame("1100 1100 1100 1100", {1: 1})
    wide = frame("3333 3333 3333 3333", {3: 1})
    result = stq([wide], [truth])
    assert result.sq == 1
    assert result.aq == pytest.approx(8 / 16)


def test_predicted_void_is_missed_and_can_be_a_class():
    found = frame("3300 3300 3300 3300", {3: 1})
    result = stq([found], [TRUTH])
    assert result.confusion == {(1, 1): 8, (7, NO_CLASS): 8}
    assert result.sq == pytest.approx((1 + 0) / 2)
    assert result.sq_void_as_class == pytest.approx((1 + 0 + 0) / 3)
    assert stq([TRUTH], [TRUTH]).sq_void_as_class == 1


def test_crowd_of_things_has_no_track():
    truth = frame("1122 1122 1122 1122", {1: 1, 2: 1}, crowd=[2])
    found = frame("3333 3333 3333 3333", {3: 1})
    result = stq([found], [truth])
    assert (result.tubes, result.aq, result.sq) == (1, 1, 1)


def test_videos_add_up_by_their_counts():
    good = stq([TRUTH], [TRUTH])
    bad = stq([frame("7777 7777 7777 7777", {7: 7})], [TRUTH])
    total = good + bad
    assert total.aq == pytest.approx(0.5)
    # Cat 8 / 16, grass 16 / 24.
    assert total.class_ious() == pytest.approx({1: 0.5, 7: 16 / 24})


def test_nothing_to_track_is_zero():
    lawn = frame("7777 7777 7777 7777", {7: 7})
    result = stq([lawn], [lawn])
    assert (result.aq, result.sq, result.stq) == (0, 1, 0)
