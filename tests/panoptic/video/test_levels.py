"""The levels of panoptic video, each on both sides of its value."""

import numpy as np
import pytest

from panoptic.settings.compose import MergeSettings
from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layer, Layers, to_steps
from panoptic.video.match_detections import match_detections
from panoptic.video.sight import given_up
from prompts import Category
from tests.panoptic.video.frames import frame

S = VideoSettings()
CAT, GRASS, SKY = 1, 7, 8
CATEGORIES = {
    CAT: Category(CAT, "cat", True),
    GRASS: Category(GRASS, "grass", False),
    SKY: Category(SKY, "sky", False),
}


def composed(size, **layers):
    """By ``_id_category=logits``."""
    made = []
    for name, logits in layers.items():
        id, category = map(int, name[1:].split("_"))
        made.append(Layer(id, category, 0.9, 0.9, to_steps(np.asarray(logits, np.float32))))
    every = Layers(0, size, tuple(made))
    return every.compose(CATEGORIES, S.stuff_logit, S.min_area, MergeSettings())


@pytest.mark.parametrize(("on_it", "new"), [(11, True), (13, False)])
def test_what_lies_by_six_tenths_on_what_is_followed_is_a_part_of_it(on_it, new):
    followed = frame("4" * 70 + "0" * 40, {4: CAT})
    found = frame("0" * (70 - on_it) + "1" * 20 + "0" * (20 + on_it), {1: CAT})
    plan = match_detections(followed, found, {}, {}, S)
    assert bool(plan.new) == new


@pytest.mark.parametrize(("inside", "same"), [(9, False), (11, True)])
def test_masks_of_one_name_that_share_a_quarter_are_one_thing(inside, same):
    followed = frame("4" * 40, {4: CAT})
    found = frame("1" * inside + "0" * (40 - inside), {1: CAT})
    assert bool(match_detections(followed, found, {}, {}, S).same) == same


@pytest.mark.parametrize(("logit", "claimed"), [(-1.5, True), (-2.5, False)])
def test_stuff_claims_what_is_hardly_its_own_where_nothing_else_does(logit, claimed):
    logits = np.full((20, 20), 9.0)
    logits[:, 10:] = logit
    result = composed((20, 20), _7_7=logits)
    assert bool((result.ids[:, 10:] == 7).all()) == claimed


@pytest.mark.parametrize(("pixels", "shown"), [(1, False), (3, True)])
def test_what_has_less_than_two_ten_thousandths_of_a_frame_is_not_shown(pixels, shown):
    logits = np.full((100, 100), -9.0)
    logits[50, 20 : 20 + pixels] = 9.0
    grass = np.full((100, 100), 9.0)
    result = composed((100, 100), _1_1=logits, _7_7=grass)
    assert (1 in {s.id for s in result}) == shown


@pytest.mark.parametrize(("inside", "doubted"), [(18, False), (22, True)])
def test_a_thing_in_more_than_half_of_stuff_is_a_doubt_about_that(inside, doubted):
    followed = frame("7" * 40, {7: SKY})
    found = frame("1" * inside + "0" * (40 - inside), {1: CAT})
    plan = match_detections(followed, found, {SKY: 7}, {}, S)
    assert bool(plan.doubts) == doubted
    assert bool(plan.new) != doubted


@pytest.mark.parametrize(("inside", "doubted"), [(18, False), (22, True)])
def test_stuff_in_more_than_half_of_a_thing_that_was_not_found_is_a_doubt_about_that(
    inside, doubted
):
    followed = frame("4" * 40, {4: CAT})
    found = frame("1" * inside + "0" * (40 - inside), {1: GRASS})
    plan = match_detections(followed, found, {}, {}, S)
    assert bool(plan.doubts) == doubted


@pytest.mark.parametrize(("seconds", "given"), [(4.9, False), (5.1, True)])
def test_what_was_not_seen_for_five_seconds_is_given_up(seconds, given):
    roster = Roster(8)
    roster.enter(CAT, True, 0.9, 0).unseen = seconds
    assert bool(list(given_up(roster, S))) == given
