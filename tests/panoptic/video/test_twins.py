"""Two tracks on one thing are one."""

import numpy as np
import pytest

from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layer, Layers
from panoptic.video.twins import lasting_twins, twins

SIZE = (10, 20)
CAT, SKY = 1, 8


def masks(**columns):
    """Layers by id, as ``_1=(start, stop)`` in columns of a frame."""
    layers = []
    for name, (start, stop) in columns.items():
        mask = np.zeros(SIZE, bool)
        mask[:, start:stop] = True
        layers.append(Layer.of_mask(int(name[1:]), CAT, 0.9, 0.9, mask))
    return Layers(0, SIZE, tuple(layers))


def roster(*born, thing=True):
    members = Roster(8)
    for frame in born:
        members.enter(CAT if thing else SKY, thing, 0.9, frame)
    return members


def test_the_younger_of_two_in_one_place_is_the_twin():
    here = masks(_1=(0, 10), _2=(0, 9), _3=(12, 20))
    assert twins(here, roster(0, 5, 5)) == {2: 1}
    assert twins(here, roster(5, 0, 5)) == {1: 2}


@pytest.mark.parametrize(("columns", "same"), [(8, True), (7, False)])
def test_four_fifths_are_one_place(columns, same):
    assert bool(twins(masks(_1=(0, 10), _2=(0, columns)), roster(0, 5))) is same


def test_stuff_and_what_is_out_of_sight_or_not_confirmed_has_no_twin():
    here = masks(_1=(0, 10), _2=(0, 10))
    assert twins(here, roster(0, thing=False)) == {}
    assert twins(masks(_1=(0, 0), _2=(0, 0)), roster(0, 5)) == {}
    waiting = roster(0, 5)
    waiting.live[2].confirmed = False
    assert twins(here, waiting) == {}


HERE, APART = masks(_1=(0, 10), _2=(0, 10)), masks(_1=(0, 10), _2=(10, 20))
ONE, OTHER, BOTH, NEITHER = {1}, {2}, {1, 2}, set()


@pytest.mark.parametrize(
    ("looks", "dropped"),
    [
        ([(HERE, ONE), (HERE, OTHER), (HERE, ONE)], True),
        ([(HERE, ONE), (HERE, ONE)], False),
        ([(HERE, ONE), (HERE, ONE), (APART, BOTH), (HERE, ONE)], False),
        ([(HERE, ONE), (HERE, ONE), (HERE, BOTH), (HERE, ONE)], False),
        ([(HERE, ONE), (HERE, NEITHER), (HERE, NEITHER), (HERE, ONE), (HERE, ONE)], True),
        ([(HERE, NEITHER)] * 9, False),
    ],
)
def test_two_are_one_if_looks_on_end_find_one(looks, dropped):
    members, settings = roster(0, 5), VideoSettings(doubt_for=1.0)
    told = [lasting_twins(seen, members, found, 0.4, settings) for seen, found in looks]
    assert told == [{}] * (len(looks) - 1) + [{2: 1} if dropped else {}]


def test_without_correction_nobody_is_dropped():
    members = roster(0, 5)
    members.live[2].doubled = 9.0
    assert lasting_twins(HERE, members, ONE, 0.4, VideoSettings(correction=False)) == {}
