"""What a look at a frame says, on maps written by hand."""

from dataclasses import replace

import pytest

from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.match_detections import Recognisable, match_detections
from tests.panoptic.video.frames import frame

S = VideoSettings()
CAT, DOG, GRASS, SKY = 1, 2, 7, 8


def pairs(matches):
    return [(m.id, m.found) for m in matches]


def scored(found, score):
    """The same segments, each with this score."""
    return PanopticSegmentation(found.ids, [replace(s, score=score) for s in found])


def look(tracked, found, stuff=None, hidden=(), in_sight=(), alike=None, settings=S):
    return match_detections(
        tracked,
        found,
        stuff or {},
        {c.id: c for c in hidden},
        {c.id: c for c in in_sight},
        alike or {},
        settings,
    )


NOTHING = frame("000000 000000", {})


def test_everything_is_new_at_the_start():
    found = frame("112233 112233", {1: CAT, 2: CAT, 3: GRASS})
    plan = look(NOTHING, found)
    assert set(plan.new) == {1, 2, 3}
    assert not plan.same
    assert not plan.missed


def test_masks_in_one_place_are_the_same_whatever_their_numbers():
    tracked = frame("445566 445566", {4: CAT, 5: CAT, 6: GRASS})
    found = frame("221133 221133", {1: CAT, 2: CAT, 3: GRASS})
    plan = look(tracked, found, stuff={GRASS: 6})
    assert sorted(pairs(plan.same)) == [(4, 2), (5, 1), (6, 3)]
    assert [m.worth for m in plan.same] == [1.0, 1.0, 1.0]
    assert not plan.new
    assert not plan.missed


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
    assert plan.missed == (4,)


def test_a_part_of_what_is_confirmed_is_not_new():
    tracked = frame("444444 444444", {4: CAT})
    found = frame("111112 111110", {1: CAT, 2: CAT})
    plan = look(tracked, found)
    assert pairs(plan.same) == [(4, 1)]
    assert plan.new == ()


def test_what_is_lost_is_found_again_and_not_new():
    hidden = [Recognisable(4, CAT, 0.6), Recognisable(5, DOG, 0.6)]
    found = frame("1122", {1: CAT, 2: CAT})
    alike = {(4, 1): 0.7, (4, 2): 0.9, (5, 1): 1.0}
    plan = look(NOTHING_4, found, hidden=hidden, alike=alike)
    assert pairs(plan.again) == [(4, 2)]
    assert plan.new == (1,)  # a dog is no cat, however much it looks like it
    off = VideoSettings(reidentify=False)
    assert look(NOTHING_4, found, hidden=hidden, alike=alike, settings=off).new == (1, 2)


NOTHING_4 = frame("0000", {})


def test_the_level_of_evidence_is_the_candidates_own():
    found = frame("1100", {1: CAT})
    for level, again in ((0.6, [(4, 1)]), (0.8, [])):
        hidden = [Recognisable(4, CAT, level)]
        plan = look(NOTHING_4, found, hidden=hidden, alike={(4, 1): 0.7})
        assert pairs(plan.again) == again


def test_what_is_followed_to_a_wrong_place_is_brought_back():
    tracked = frame("440000", {4: CAT})
    found = frame("000011", {1: CAT})
    in_sight = [Recognisable(4, CAT, 0.6)]
    plan = look(tracked, found, in_sight=in_sight, alike={(4, 1): 0.9})
    assert pairs(plan.again) == [(4, 1)]
    assert not plan.missed
    plan = look(tracked, found, in_sight=in_sight, alike={(4, 1): 0.5})
    assert plan.new == (1,)
    assert plan.missed == (4,)


def test_a_thing_that_took_most_of_a_stuff_region_has_spilled_into_it():
    tracked = frame("444466", {4: CAT, 6: SKY})
    plan = look(tracked, frame("111122", {1: GRASS, 2: SKY}), stuff={SKY: 6})
    assert plan.missed == plan.spilled == (4,)
    # one that merely wasn't detected stands before a region, and takes little of it
    small = frame("400066", {4: CAT, 6: SKY})
    plan = look(small, frame("111122", {1: GRASS, 2: SKY}), stuff={SKY: 6})
    assert plan.missed == (4,)
    assert plan.spilled == ()
    # and one that was detected has not spilled, whatever it covers
    assert look(tracked, frame("111322", {1: CAT, 3: GRASS, 2: SKY})).spilled == ()


def test_what_is_confirmed_is_not_taken_away():
    tracked = frame("440000", {4: CAT})
    found = frame("220011", {1: CAT, 2: CAT})
    in_sight = [Recognisable(4, CAT, 0.6)]
    plan = look(tracked, found, in_sight=in_sight, alike={(4, 1): 1.0, (4, 2): 0.7})
    assert pairs(plan.same) == [(4, 2)]
    assert plan.new == (1,)


def test_stuff_goes_by_its_word():
    tracked = frame("666600", {6: GRASS})
    found = frame("000012", {1: GRASS, 2: SKY})
    plan = look(tracked, found, stuff={GRASS: 6, SKY: 9})
    assert [(m.id, m.found, m.worth) for m in plan.same] == [(6, 1, 0.0)]  # lost, not new
    assert pairs(plan.again) == [(9, 2)]
    assert look(tracked, found, stuff={GRASS: 6}).new == (2,)


@pytest.mark.parametrize(("level", "new"), [(0.0, (1,)), (0.6, (1,)), (0.7, ())])
def test_only_what_is_sure_is_new(level, new):
    found = scored(frame("1100", {1: CAT}), 0.6)
    assert look(NOTHING_4, found, settings=VideoSettings(confident=level)).new == new


def test_what_is_not_confident_is_neither_new_nor_again():
    found = scored(frame("1100", {1: CAT}), 0.3)
    hidden = [Recognisable(4, CAT, 0.6)]
    sure = VideoSettings(confident=0.4)
    plan = look(NOTHING_4, found, hidden=hidden, alike={(4, 1): 1.0}, settings=sure)
    assert plan.new == plan.again == ()
    # but it confirms what is followed there
    assert pairs(look(frame("4400", {4: CAT}), found).same) == [(4, 1)]
