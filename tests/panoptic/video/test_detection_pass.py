"""What follows from a look: who is prompted, who forgets what it saw, who is dropped."""

import numpy as np
import pytest

from panoptic.settings.video import VideoSettings
from panoptic.video.appearance import Looks
from panoptic.video.detection_pass import DetectionPass
from panoptic.video.identities import Roster
from prompts import Category, Vocabulary
from tests.panoptic.video.frames import NAMES, frame

CAT, DOG, GRASS, SKY = 1, 2, 7, 8
WORDS = Vocabulary.from_categories(Category(i, *of) for i, of in NAMES.items())


def followed():
    """Cat 1 and sky 2, since the first frame."""
    roster = Roster(8)
    for category, is_thing in ((CAT, True), (SKY, False)):
        member = roster.enter(category, is_thing, 0.9, 0)
        member.visible = True
        member.vote(category, 0.9)
    return roster


def looked(tracked, found, settings=None, looks=1, roster=None):
    """So many looks at a frame, a second apart, in which cat 1 and sky 2 are followed."""
    roster = roster or followed()
    for number in range(looks):
        look = DetectionPass(roster, WORDS, settings or VideoSettings(), 5 + number, 1.0)
        look.compare(tracked, found, Looks())
    return look


def kinds(look):
    return [(e.kind, e.segment_id) for e in look.events]


CAT_AND_SKY = frame("111122", {1: CAT, 2: SKY})
GRASS_AND_SKY = frame("111122", {1: GRASS, 2: SKY})


def test_what_a_detector_doesnt_see_is_kept_however_long_it_is_silent():
    for found in (frame("000000", {}), frame("000022", {2: SKY}), frame("000222", {2: SKY})):
        look = looked(CAT_AND_SKY, found, looks=50)
        assert look.dropped == []
        assert 1 in look.roster.live


def test_what_looks_on_end_say_is_something_else_is_dropped_after_a_while():
    settings = VideoSettings(doubt_for=3.0)
    assert looked(CAT_AND_SKY, GRASS_AND_SKY, settings, looks=2).dropped == []
    look = looked(CAT_AND_SKY, GRASS_AND_SKY, settings, looks=3)
    assert look.dropped == [1]
    (lost,) = look.events
    assert (lost.kind, lost.segment_id, lost.detail) == ("lost", 1, "cat is grass")
    off = VideoSettings(doubt_for=3.0, correction=False)
    assert looked(CAT_AND_SKY, GRASS_AND_SKY, off, looks=9).dropped == []


def test_a_look_that_finds_it_ends_all_doubt():
    settings = VideoSettings(doubt_for=3.0)
    doubted = looked(CAT_AND_SKY, GRASS_AND_SKY, settings, looks=2)
    for found, dropped in ((CAT_AND_SKY, []), (GRASS_AND_SKY, []), (GRASS_AND_SKY, [])):
        look = looked(CAT_AND_SKY, found, settings, roster=doubted.roster)
        assert look.dropped == dropped
    assert looked(CAT_AND_SKY, GRASS_AND_SKY, settings, roster=doubted.roster).dropped == [1]


def test_a_thing_in_the_place_of_stuff_is_doubted_and_not_new():
    settings = VideoSettings(doubt_for=3.0)
    look = looked(CAT_AND_SKY, frame("111133", {1: CAT, 3: DOG}), settings)
    assert set(look.prompts) == {1}
    assert look.dropped == []
    assert look.roster.live[2].doubted == 1.0
    assert set(look.roster.live) == {1, 2}
    now = frame("111122 002222", {1: CAT, 2: SKY})
    beside = looked(now, frame("111133 002222", {1: CAT, 2: SKY, 3: DOG}))
    assert set(beside.prompts) == {1, 2, 3}


@pytest.mark.parametrize("found", ["111122", "110022", "111112"])
def test_what_was_found_is_prompted_on_top_of_what_is_remembered(found):
    there = frame(found, {int(i): {1: CAT, 2: SKY}[int(i)] for i in set(found) - {"0"}})
    look = looked(CAT_AND_SKY, there)
    assert set(look.prompts) == look.refreshed == {1, 2}
    assert look.anew == set()
    for id, mask in look.prompts.items():
        assert np.array_equal(mask, there.ids == id)


@pytest.mark.parametrize(
    ("found", "id", "looks"),
    [("110022", 1, 1), ("100022", 1, 1), ("111112", 2, 1), ("011111 000002", 2, 2)],
)
def test_stuff_that_agrees_by_less_than_half_has_to_be_found_twice_and_things_once(
    found, id, looks
):
    tracked = CAT_AND_SKY if " " not in found else frame("111122 000022", {1: CAT, 2: SKY})
    there = frame(found, {1: CAT, 2: SKY})
    roster = followed()
    for number in range(1, looks + 1):
        assert (id in looked(tracked, there, roster=roster).prompts) == (number == looks)
    # What agrees in between was no error.
    if looks == 2:
        looked(tracked, tracked, roster=roster)
        assert id not in looked(tracked, there, roster=roster).prompts


def test_without_correction_things_stay_as_they_are_followed_and_without_reanchor_stuff_does():
    there = frame("110022", {1: CAT, 2: SKY})
    assert set(looked(CAT_AND_SKY, there, VideoSettings(correction=False)).prompts) == {2}
    assert set(looked(CAT_AND_SKY, there, VideoSettings(reanchor=False)).prompts) == {1}


def test_stuff_that_was_something_else_forgets_what_it_saw():
    tracked = frame("122222 222222", {1: CAT, 2: SKY})
    look = looked(tracked, frame("133333 333332", {1: CAT, 3: GRASS, 2: SKY}), looks=2)
    assert 2 in look.anew
    assert set(look.prompts) == {1, 2, 3}
    assert np.array_equal(look.prompts[2], frame("000000 000002", {2: SKY}).ids == 2)
