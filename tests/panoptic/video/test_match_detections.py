"""What a look at a frame says, on maps written by hand."""

from dataclasses import replace

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.match_detections import match_detections
from tests.panoptic.video.frames import frame

S = VideoSettings()
CAT, DOG, GRASS, SKY = 1, 2, 7, 8


def pairs(matches):
    return [(m.id, m.found) for m in matches]


def scored(found, score):
    """The same segments, each with this score."""
    return PanopticSegmentation(found.ids, [replace(s, score=score) for s in found])


def look(tracked, found, stuff=None, margins=None, settings=S):
    return match_detections(tracked, found, stuff or {}, margins or {}, settings)


NOTHING = frame("000000 000000", {})


def test_everything_is_new_at_the_start():
    found = frame("112233 112233", {1: CAT, 2: CAT, 3: GRASS})
    plan = look(NOTHING, found)
    assert set(plan.new) == {1, 2, 3}
    assert not plan.same
    assert not plan.doubts


def test_masks_in_one_place_are_the_same_whatever_their_numbers():
    tracked = frame("445566 445566", {4: CAT, 5: CAT, 6: GRASS})
    found = frame("221133 221133", {1: CAT, 2: CAT, 3: GRASS})
    plan = look(tracked, found, stuff={GRASS: 6})
    assert sorted(pairs(plan.same)) == [(4, 2), (5, 1), (6, 3)]
    assert [m.worth for m in plan.same] == [1.0, 1.0, 1.0]
    assert not plan.new
    assert not plan.doubts


def test_the_assignment_is_the_best_over_all_and_not_the_first_that_fits():
    # Found 1 overlaps 4 with IoU 4/6 and 5 with 3/6; found 2 only overlaps 4, with 3/5.
    tracked = frame("44445555", {4: CAT, 5: CAT})
    found = frame("22211111", {1: CAT, 2: CAT})
    plan = look(tracked, found)
    assert sorted(pairs(plan.same)) == [(4, 2), (5, 1)]


def test_another_name_for_one_mask_is_no_new_thing_but_a_vote():
    tracked = frame("4444", {4: CAT})
    found = frame("1111", {1: DOG})
    assert pairs(look(tracked, found).same) == [(4, 1)]
    half = frame("1100", {1: DOG})
    plan = look(tracked, half)
    assert not plan.same  # IoU 0.5 is enough for one name, not for two
    assert not plan.new  # but it is on something that is followed


def test_a_part_of_what_is_confirmed_is_not_new():
    tracked = frame("444444 444444", {4: CAT})
    found = frame("111112 111110", {1: CAT, 2: CAT})
    plan = look(tracked, found)
    assert pairs(plan.same) == [(4, 1)]
    assert plan.new == ()


def test_what_is_lost_is_found_again_and_not_new():
    found = frame("1122", {1: CAT, 2: CAT})
    margins = {(4, 1): 0.7, (4, 2): 0.9}
    plan = look(NOTHING_4, found, margins=margins)
    assert pairs(plan.again) == [(4, 2)]
    assert plan.new == (1,)
    off = VideoSettings(reidentify=False)
    assert look(NOTHING_4, found, margins=margins, settings=off).new == (1, 2)


NOTHING_4 = frame("0000", {})


def test_what_stands_out_too_little_is_new():
    found = frame("1100", {1: CAT})
    for margin, again, new in ((0.29, [], (1,)), (0.31, [(4, 1)], ())):
        plan = look(NOTHING_4, found, margins={(4, 1): margin})
        assert (pairs(plan.again), plan.new) == (again, new)


def test_what_was_not_detected_is_doubted_only_where_stuff_has_its_place():
    tracked = frame("444466", {4: CAT, 6: SKY})
    plan = look(tracked, frame("111122", {1: GRASS, 2: SKY}), stuff={SKY: 6})
    assert [(m.id, m.found, m.worth) for m in plan.doubts] == [(4, 1, 1.0)]
    # one that merely wasn't detected stands before a region, and has little of it
    small = frame("440066", {4: CAT, 6: SKY})
    assert look(small, frame("111122", {1: GRASS, 2: SKY}), stuff={SKY: 6}).doubts == ()
    # or there is nothing else
    assert look(tracked, frame("000022", {2: SKY}), stuff={SKY: 6}).doubts == ()
    # and one that was detected is what it is, whatever it covers
    found = frame("111322", {1: CAT, 3: GRASS, 2: SKY})
    assert look(tracked, found, stuff={SKY: 6}).doubts == ()
    # stuff may be other stuff
    plan = look(frame("666600", {6: SKY}), frame("111100", {1: GRASS}), stuff={SKY: 6})
    assert pairs(plan.doubts) == [(6, 1)]


def test_stuff_goes_by_its_word():
    tracked = frame("666600", {6: GRASS})
    found = frame("000012", {1: GRASS, 2: SKY})
    plan = look(tracked, found, stuff={GRASS: 6, SKY: 9})
    assert [(m.id, m.found, m.worth) for m in plan.same] == [(6, 1, 0.0)]  # lost, not new
    assert pairs(plan.again) == [(9, 2)]
    assert look(tracked, found, stuff={GRASS: 6}).new == (2,)
