"""What stands out, on looks written by hand; and the looks themselves, of drawn things."""

import numpy as np
import pytest

from panoptic.video.appearance import (
    Looks,
    distances,
    look_at,
    margins,
    rival_pieces,
    with_view,
)
from panoptic.video.identities import Roster
from panoptic.video.reidentification import refresh_appearances, sought, standing_out
from sam2core import ImageSegmenter
from tests.panoptic.video.frames import frame

CAT, DOG = 1, 2
EAST, NORTH, UP = np.eye(3, dtype=np.float32)


def between(one, other, far):
    """On the way from one look to another, at this distance from the first."""
    likeness = 1 - far**2
    return (likeness * one + np.sqrt(1 - likeness**2) * other).astype(np.float32)


def margin(known, found, around=()):
    return margins(
        [k if k.ndim == 2 else k[None] for k in known],
        found,
        [np.array(list(around), np.float32).reshape(-1, 3)] * len(found),
    )


def test_the_margin_is_by_how_much_the_nearest_else_is_farther():
    now = between(EAST, NORTH, 0.3)
    assert distances(EAST[None], now[None])[0, 0] == pytest.approx(0.3)
    # a piece of the frame that is 0.6 away from what is remembered, and farther from the other
    piece = between(EAST, UP, 0.6)
    assert margin([EAST], [now], [piece])[0, 0] == pytest.approx(0.5, abs=1e-4)
    nearer = between(now, UP, 0.4)  # 0.4 away from what is looked at
    assert margin([EAST], [now], [piece, nearer])[0, 0] == pytest.approx(0.25, abs=1e-4)
    assert margin([EAST], [now], [EAST])[0, 0] == 0
    assert margin([EAST], [now], [between(EAST, UP, 0.1)])[0, 0] == pytest.approx(-2, abs=1e-3)


def test_others_that_are_known_or_found_are_rivals_too():
    now = between(EAST, NORTH, 0.2)
    alone = margin([EAST], [now], [UP])[0, 0]
    assert alone > 0.7
    beside = margin([EAST, between(EAST, UP, 0.3)], [now], [UP])
    assert beside[0, 0] < 0.5
    assert beside[1, 0] < 0
    two = margin([EAST], [now, between(EAST, UP, 0.3)], [UP])
    assert two[0, 0] == pytest.approx(1 - 0.2 / 0.3, abs=1e-4)


def test_with_nothing_to_compare_with_a_look_says_nothing():
    assert margin([EAST], [EAST]).tolist() == [[0.0]]
    assert margins([], [EAST], []).shape == (0, 1)
    assert margins([EAST[None]], [], []).shape == (1, 0)


def test_the_nearest_view_of_a_thing_counts():
    views = np.stack([UP, EAST])
    assert margin([views], [EAST], [NORTH])[0, 0] == pytest.approx(1)


def test_four_views_are_kept_as_different_as_they_come():
    views = None
    for look in (EAST, NORTH, UP):
        views = with_view(views, look)
    views = with_view(views, -EAST)
    assert len(views) == 4
    near = between(NORTH, UP, 0.2)
    again = with_view(views, near)
    assert len(again) == 4
    assert distances(again, near[None]).min() == pytest.approx(0, abs=1e-3)
    assert not (again == NORTH).all(axis=1).any()


def test_a_frame_is_looked_at_in_sixteen_pieces_besides_a_thing():
    mask = np.zeros((40, 60), bool)
    assert len(rival_pieces(mask)) == 16
    assert sum(p.sum() for p in rival_pieces(mask)) == mask.size
    mask[:10, :9] = True  # 60 % of the first piece: what is left shows something else
    assert [int(p.sum()) for p in rival_pieces(mask)][:2] == [60, 150]
    mask[:10, :11] = True  # 73 %
    assert len(rival_pieces(mask)) == 15
    assert not any((p & mask).any() for p in rival_pieces(mask))
    assert rival_pieces(np.ones((40, 60), bool)) == []
    assert len(rival_pieces(np.zeros((1, 2), bool))) == 2


def roster_of(**looks):
    """Cats that are known, by what they look like."""
    roster = Roster(8)
    for look in looks.values():
        roster.enter(CAT, True, 0.9, 0).appearance = look[None]
    return roster


def test_who_is_in_sight_is_a_rival_but_no_candidate():
    roster = roster_of(gone=EAST, here=between(EAST, UP, 0.5))
    tracked = frame("2200", {2: CAT})
    found = frame("1144", {1: CAT, 4: CAT})
    assert sought(roster, tracked) == {CAT}
    assert sought(roster, frame("2211", {2: CAT, 1: CAT})) == set()
    here = between(EAST, UP, 0.5)
    looks = Looks({1: here, 4: EAST}, {1: NORTH[None], 4: NORTH[None]})
    out = standing_out(roster, tracked, found, looks)
    assert set(out) == {(1, 1), (1, 4)}
    assert out[1, 4] == pytest.approx(1)
    assert out[1, 1] <= 0
    dogs = frame("1144", {1: DOG, 4: DOG})
    assert standing_out(roster, tracked, dogs, looks) == {}, (
        "a dog is no cat, whatever it looks like"
    )


def test_what_was_found_of_whom_is_remembered():
    roster = roster_of(one=EAST)
    refresh_appearances(roster, Looks({7: NORTH}), {1: 7, 9: 7})
    assert np.array_equal(roster.live[1].appearance, [EAST, NORTH])
    assert roster.copy().live[1].appearance is roster.live[1].appearance
    restored = Roster(8)
    restored.load_state(roster.state())
    assert np.array_equal(restored.live[1].appearance, [EAST, NORTH])
    assert restored.live[1].appearance.dtype == np.float32


def test_a_drawn_thing_is_known_again_and_no_other_is_taken_for_it(demo_clip, demo_sam2):
    clip = demo_clip("leave-and-return")
    tracker = ImageSegmenter(demo_sam2).tracker()
    looks = {}
    for index in (0, len(clip.frames) - 1):
        tracker.step(clip.frames[index])
        truth = clip.truth[index]
        looks[index] = look_at(tracker, truth, {s.category_id for s in truth.things})
    first, last = looks.values()
    both = [id for id in first.things if id in last.things]
    assert both
    assert all(len(last.around[id]) > 8 for id in both)
    for id in both:
        others = [i for i in first.things if i != id]
        views = [first.things[i][None] for i in (id, *others)]
        out = margins(views, [last.things[id]], [last.around[id]])[:, 0]
        assert out[0] > 0.3
        assert all(other < 0.3 for other in out[1:])


def test_only_around_what_is_sought_is_looked(demo_clip, demo_sam2):
    clip = demo_clip("leave-and-return")
    tracker = ImageSegmenter(demo_sam2).tracker()
    tracker.step(clip.frames[0])
    looks = look_at(tracker, clip.truth[0], set())
    assert set(looks.things) == {s.id for s in clip.truth[0].things}
    assert not looks.around
