"""What follows from a look: who is prompted, who forgets what it saw, who is dropped."""

import numpy as np
import pytest

from panoptic.settings.video import VideoSettings
from panoptic.video.detection_pass import DetectionPass
from panoptic.video.identities import Roster
from prompts import Category, Vocabulary
from tests.panoptic.video.frames import NAMES, frame

CAT, GRASS, SKY = 1, 7, 8
WORDS = Vocabulary.from_categories(Category(i, *of) for i, of in NAMES.items())


def looked(tracked, found, settings=None):
    """A look at a frame in which cat 1 and sky 2 are followed, since the first."""
    roster = Roster(8)
    for category, is_thing in ((CAT, True), (SKY, False)):
        roster.enter(category, is_thing, 0.9, 0).visible = True
    look = DetectionPass(roster, WORDS, settings or VideoSettings(), 5)
    look.compare(np.zeros((*tracked.ids.shape, 3), np.uint8), tracked, found, None)
    return look


def kinds(look):
    return [(e.kind, e.segment_id) for e in look.events]


def test_a_thing_that_spilled_into_stuff_is_dropped_at_once():
    tracked = frame("111122", {1: CAT, 2: SKY})
    look = looked(tracked, frame("111122", {1: GRASS, 2: SKY}))
    assert look.dropped == [1]
    assert kinds(look) == [("lost", 1)]
    undetected = looked(frame("100022", {1: CAT, 2: SKY}), frame("111122", {1: GRASS, 2: SKY}))
    assert undetected.dropped == []
    assert undetected.roster.live[1].misses == 1
    off = VideoSettings(correction=False)
    assert looked(tracked, frame("111122", {1: GRASS, 2: SKY}), off).dropped == []


@pytest.mark.parametrize(
    ("found", "prompted"),
    [
        ("111122", set()),  # as it is followed
        ("110022", {1}),  # a part of it
        ("111112", {2}),
        ("111111", {1}),
    ],
)
def test_what_disagrees_a_little_is_prompted_on_top_of_what_it_remembers(found, prompted):
    ids = {int(i): {1: CAT, 2: SKY}[int(i)] for i in set(found) - {"0"}}
    look = looked(frame("111122", {1: CAT, 2: SKY}), frame(found, ids))
    assert set(look.prompts) == prompted
    assert look.anew == set()


def test_stuff_that_was_something_else_forgets_what_it_saw():
    tracked = frame("122222 222222", {1: CAT, 2: SKY})
    look = looked(tracked, frame("133333 333332", {1: CAT, 3: GRASS, 2: SKY}))
    assert look.anew == {2}
    assert set(look.prompts) == {2, 3}
    assert np.array_equal(look.prompts[2], frame("000000 000002", {2: SKY}).ids == 2)
