"""Compact looks for what is hidden in every second frame."""

from __future__ import annotations

import pytest
import torch

from sam2core import TrackerSettings, VideoTracker
from tests.sam2core.conftest import moving_square, random_model
from tests.sam2core.test_memory_keys import square


@pytest.fixture
def model():
    return random_model()


def presence_is(model, value):
    """From now on the model says so of all objects."""
    model.mask_decoder.presence_head.layers[-1].weight.data.zero_()
    model.mask_decoder.presence_head.layers[-1].bias.data.fill_(value)


def looks(model, tracker, frames):
    """How many objects were looked for in each frame, and the frames' answers."""
    counted, found = [], []
    decode = model.mask_decoder.forward

    def counting(*arguments):
        prediction = decode(*arguments)
        counted[-1] += len(prediction)
        return prediction

    model.mask_decoder.forward = counting
    try:
        for frame in frames:
            counted.append(0)
            found.append(tracker.step(frame))
    finally:
        model.mask_decoder.forward = decode
    return counted, found


def begun(model, mode, frames):
    tracker = VideoTracker(model, settings=TrackerSettings(mode=mode))
    tracker.step(frames[0], masks={i: square(5 + 6 * i, 8) for i in (1, 2, 3)})
    return tracker


def test_hidden_objects_have_their_turns(model):
    frames = moving_square(12)
    tracker = begun(model, "compact", frames)
    presence_is(model, -5.0)
    counted, found = looks(model, tracker, frames[1:])
    assert counted == [3, 3, 2, 1, 2, 1, 2, 1, 2, 1, 2]  # the first and third in odd ones
    for shown in found:
        assert shown.object_ids == (1, 2, 3)
        assert (shown.presence < 0).all()
        assert not shown.masks().any()
    exact = begun(model, "exact", frames)
    assert looks(model, exact, frames[1:])[0] == 11 * [3]


def test_what_comes_back_is_found_within_two_frames(model):
    frames = moving_square(12)
    tracker = begun(model, "compact", frames)
    presence_is(model, -5.0)
    looks(model, tracker, frames[1:6])
    presence_is(model, 5.0)
    counted, found = looks(model, tracker, frames[6:12])
    assert counted == [1, 3, 3, 3, 3, 3]
    assert [(shown.presence > 0).sum().item() for shown in found] == counted


def test_rest_goes_on_from_a_state_and_leaves_memories(model):
    frames = moving_square(12)
    tracker = begun(model, "compact", frames)
    presence_is(model, -5.0)
    looks(model, tracker, frames[1:7])
    other = VideoTracker(model, settings=TrackerSettings(mode="compact"))
    other.load_state(tracker.state())
    [one, first], [two, second] = (looks(model, t, frames[7:9]) for t in (tracker, other))
    assert one == two
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.logits, b.logits)
        assert torch.equal(a.presence, b.presence)
    [known, *_] = tracker.state()["objects"]
    assert {memory["frame_index"] for memory in known["recent"]} >= {6, 7, 8}
    assert all(m["features"] is not None for m in known["recent"] if m["frame_index"] >= 6)


def test_a_prompt_wakes_an_object_up(model):
    frames = moving_square(12)
    tracker = begun(model, "compact", frames)
    presence_is(model, -5.0)
    looks(model, tracker, frames[1:6])
    presence_is(model, 5.0)
    for object_id in (1, 2, 3):
        tracker.prompt(object_id, mask=square(5, 7))
    assert looks(model, tracker, frames[6:7])[0] == [3]
