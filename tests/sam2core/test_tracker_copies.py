"""Trackers that stand where another one does, and objects that go by another id."""

import io

import numpy as np
import pytest
import torch

from sam2core import VideoTracker
from sam2core.errors import PromptError
from tests.sam2core.conftest import moving_square

FRAMES = moving_square(4)


@pytest.fixture
def tracker(model):
    tracker = VideoTracker(model)
    mask = np.zeros(FRAMES[0].shape[:2], bool)
    mask[10:30, 10:40] = True
    tracker.step(FRAMES[0], {5: mask, 7: ~mask})
    return tracker


def same(one, other):
    return one.object_ids == other.object_ids and torch.equal(one.logits, other.logits)


def test_going_on_with_a_copy_leaves_the_first_one_as_it_is(tracker):
    copy, again = tracker.copy(), tracker.copy()
    copy.step(FRAMES[2])
    copy.remove(5)
    assert tracker.frame_index == 0
    assert tracker.object_ids == (5, 7)
    assert same(tracker.step(FRAMES[1]), again.step(FRAMES[1]))


def test_a_frame_looked_at_again_can_be_prompted_in(tracker, model):
    stream = io.BytesIO()
    torch.save(tracker.state(), stream)
    stream.seek(0)
    again = VideoTracker(model)
    again.load_state(torch.load(stream, weights_only=True))
    mask = np.zeros(FRAMES[0].shape[:2], bool)
    mask[5:9, 5:60] = True
    with pytest.raises(PromptError, match="latest frame is 0, of size"):
        again.look_again(FRAMES[0][:10])
    again.look_again(FRAMES[0])
    for each in (tracker, again):
        each.prompt(9, mask=mask)
    assert same(tracker.current(), again.current())
    assert same(tracker.step(FRAMES[1]), again.step(FRAMES[1]))
    with pytest.raises(PromptError, match="latest frame is -1"):
        VideoTracker(model).look_again(FRAMES[0])


def test_an_object_by_another_id_is_followed_as_before(tracker):
    other = tracker.copy()
    other.renumber(5, 2)
    assert other.object_ids == (2, 7)
    with pytest.raises(PromptError, match="7 is tracked already"):
        other.renumber(2, 7)
    assert torch.equal(tracker.step(FRAMES[1]).logits, other.step(FRAMES[1]).logits)
