import math

import numpy as np
import pytest

from panoptic.measure.contour import Contour, boundary_f, region_j, tolerance_in_pixels
from panoptic.measure.frame_pairs import pair_frames
from panoptic.measure.jf import FoundIdsMeter, GivenIdsMeter, Similarity
from tests.panoptic.video.frames import frame, random_video

EMPTY = np.zeros((8, 8), bool)


def square(top, left, size=2, side=8):
    mask = np.zeros((side, side), bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_region_is_iou():
    assert region_j(square(2, 2), square(2, 3)) == pytest.approx(2 / 6)
    assert (region_j(EMPTY, EMPTY), region_j(EMPTY, square(2, 2))) == (1, 0)


def test_a_contour_lies_on_pixels_that_differ_from_right_below_or_both():
    points = {tuple(p) for p in Contour.of(square(2, 2)).points.tolist()}
    assert points == {(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (2, 3), (3, 2), (3, 3)}


def test_the_border_of_the_picture_is_no_contour():
    # The upper left quarter: to the right and below of it are its own pixels.
    quarter = {tuple(p) for p in Contour.of(square(0, 0, 4)).points.tolist()}
    assert quarter == {(0, 3), (1, 3), (2, 3), (3, 3), (3, 0), (3, 1), (3, 2)}
    # The lower right one: only what lies up and left of it.
    other = {tuple(p) for p in Contour.of(square(4, 4, 4)).points.tolist()}
    assert other == {(3, 3), *((3, x) for x in range(4, 8)), *((y, 3) for y in range(4, 8))}
    assert len(Contour.of(~EMPTY).points) == 0


def test_the_tolerance_is_a_share_of_the_diagonal_rounded_up():
    assert tolerance_in_pixels((480, 854)) == 8
    assert tolerance_in_pixels((8, 8)) == 1


def test_contours_match_within_the_tolerance():
    truth = square(2, 2)
    assert boundary_f(square(2, 3), truth) == 1
    # Three columns over: 3 of the 8 pixels of either contour lie next to one of the other.
    assert boundary_f(square(2, 5), truth) == pytest.approx(3 / 8)
    assert boundary_f(square(5, 5), square(0, 0)) == 0


def test_precision_and_recall_weigh_the_same():
    found, truth = square(2, 2, 4, 16), square(2, 2, 4, 16) | square(10, 10, 4, 16)
    # Precision 1, recall 1 / 2.
    assert boundary_f(found, truth) == pytest.approx(2 / 3)
    assert boundary_f(truth, found) == pytest.approx(2 / 3)


def test_empty_and_full_masks():
    assert boundary_f(EMPTY, EMPTY) == 1
    assert boundary_f(EMPTY, square(2, 2)) == boundary_f(square(2, 2), EMPTY) == 0
    assert boundary_f(~EMPTY, ~EMPTY) == 1
    assert boundary_f(~EMPTY, EMPTY) == 0


def test_mean_recall_and_decay():
    values = np.array([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    s = Similarity.of(values)
    # Quarters as in DAVIS: frames 0 to 2 and 5 to 7.
    assert (s.mean, s.recall, s.decay) == pytest.approx((0.65, 5 / 8, 0.9 - 0.4))
    longer = Similarity.of(np.linspace(1.1, 0, 12))  # frames 0 to 3 and 8 to 11
    assert longer.decay == pytest.approx(0.95 - 0.15)
    assert math.isnan(Similarity.of(np.empty(0)).mean)


def test_given_ids_are_compared_one_by_one():
    meter = GivenIdsMeter("clip")
    truth = {1: square(2, 2), 2: square(5, 5)}
    meter.add({1: square(2, 2), 2: square(5, 5)}, truth)
    meter.add({1: square(2, 3)}, truth)  # the second is lost
    first, second = meter.result().objects
    assert (first.j.mean, first.f.mean) == pytest.approx(((1 + 1 / 3) / 2, 1))
    assert (second.j.mean, second.f.mean) == (0.5, 0.5)
    assert meter.result().jf == pytest.approx(((2 / 3 + 0.5) / 2 + 0.75) / 2)


def test_frames_before_an_object_is_seen_count_or_not():
    def score(from_first_seen):
        meter = GivenIdsMeter(from_first_seen=from_first_seen)
        for true, found in ((EMPTY, EMPTY), (square(2, 2), EMPTY), (EMPTY, EMPTY)):
            meter.add({1: found, 2: EMPTY}, {1: true, 2: EMPTY})
        return [o.j.mean for o in meter.result().objects]

    assert score(False) == [pytest.approx(2 / 3), 1]
    assert score(True) == [0.5]  # and one that is never there isn't counted


def found_ids(predictions, truths):
    meter = FoundIdsMeter()
    for pair in pair_frames(predictions, truths):
        meter.add_pair(pair)
    return meter.result()


def test_found_ids_are_assigned_over_the_whole_video():
    truth = frame("1122 1122 7777 7777", {1: 1, 2: 1, 7: 7})
    same = frame("5566 5566 9999 9999", {5: 1, 6: 1, 9: 7})
    swapped = frame("6655 6655 9999 9999", {5: 1, 6: 1, 9: 7})
    assert found_ids([same] * 2, [truth] * 2).jf == 1
    result = found_ids([same, same, swapped], [truth] * 3)
    assert {o.id: o.found_id for o in result.objects} == {1: 5, 2: 6, 7: 9}
    assert [o.j.mean for o in result.objects] == [pytest.approx(2 / 3), pytest.approx(2 / 3), 1]
    assert result.things.j.mean == pytest.approx(2 / 3)


def test_an_object_left_without_a_partner_scores_where_it_is_absent():
    both = frame("1122 1122 7777 7777", {1: 1, 2: 1, 7: 7})
    one = frame("1177 1177 7777 7777", {1: 1, 7: 7})
    result = found_ids([one, one], [both, one])
    assert {o.id: (o.found_id, o.j.mean) for o in result.objects}[2] == (None, 0.5)


def test_what_is_void_or_crowd_in_the_truth_does_not_count():
    truth = frame("1100 1100 2222 2222", {1: 1, 2: 1}, crowd=[2])
    wide = frame("3333 3333 3333 4444", {3: 1, 4: 1})
    result = found_ids([wide], [truth])
    assert [(o.id, o.found_id, o.j.mean) for o in result.objects] == [(1, 3, 1)]


def test_masks_that_do_not_overlap_count_as_their_id_map_does():
    predictions, truths = random_video(5)
    by_map, by_mask = FoundIdsMeter("v"), FoundIdsMeter("v")
    for found, true in zip(predictions, truths, strict=True):
        ids = [s.id for s in found], [s.id for s in true]
        by_map.add(found.ids, true.ids, *ids, true.ids < 0)
        masks = (
            {i: side.ids == i for i in each} for side, each in zip((found, true), ids, strict=True)
        )
        by_mask.add_masks(*masks)
    assert by_mask.result() == by_map.result()
    with pytest.raises(ValueError, match="v: masks of one frame are of the sizes"):
        by_mask.add_masks({1: np.ones((2, 2), bool)}, {1: np.ones((3, 2), bool)})
