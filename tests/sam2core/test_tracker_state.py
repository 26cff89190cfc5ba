"""A tracker that goes on from its saved state gives the same bytes as one that never stopped."""

import io

import numpy as np
import pytest
import torch

from sam2core import BankSettings, TrackerSettings, VideoTracker
from sam2core.errors import PromptError
from tests.sam2core.conftest import moving_square

FRAMES = moving_square(14)
SETTINGS = TrackerSettings(
    bank=BankSettings(keep_prompted=2, max_pointers=5), corrections_are_prompts=True
)


def mask(x):
    found = np.zeros(FRAMES[0].shape[:2], bool)
    found[6:20, x : x + 14] = True
    return found


def run(tracker, frames):
    """Objects come, are corrected and go; every answer, as bytes."""
    said = []
    for frame in frames:
        index = tracker.frame_index + 1
        answer = tracker.step(frame)
        if index == 0:
            answer = tracker.prompt_masks([4, 9], np.stack([mask(2), mask(30)]))
        if index in (2, 5, 8):
            tracker.prompt(9, mask=mask(20 + index))
        if index == 3:
            tracker.prompt(6, points=[[10, 10]])
        if index == 6:
            tracker.prompt(6, points=[[40, 30]], labels=[0])
        if index == 10:
            tracker.remove(4)
        answer = tracker.current()
        numbers = (answer.logits, answer.iou, answer.presence)
        said.append((answer.object_ids, *(n.numpy().tobytes() for n in numbers)))
    return said


def through_a_file(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.mark.parametrize("stop", [1, 3, 7, 11])
def test_going_on_from_a_state_is_never_having_stopped(model, stop):
    whole = run(VideoTracker(model, settings=SETTINGS), FRAMES)
    first = VideoTracker(model, settings=SETTINGS)
    head = run(first, FRAMES[:stop])
    second = VideoTracker(model, settings=SETTINGS)
    second.load_state(through_a_file(first.state()))
    assert second.frame_index == stop - 1
    assert second.object_ids == first.object_ids
    assert head + run(second, FRAMES[stop:]) == whole


def test_a_memory_less_shows(model):
    """The comparison above would see that a single memory is missing."""
    whole = run(VideoTracker(model, settings=SETTINGS), FRAMES)
    first = VideoTracker(model, settings=SETTINGS)
    run(first, FRAMES[:7])
    state = first.state()
    state["objects"][0]["recent"].pop()
    second = VideoTracker(model, settings=SETTINGS)
    second.load_state(state)
    assert run(second, FRAMES[7:]) != whole[7:]


def test_the_frame_itself_is_not_in_the_state(model):
    first = VideoTracker(model, settings=SETTINGS)
    run(first, FRAMES[:2])
    stream = VideoTracker(model, settings=SETTINGS)
    stream.load_state(first.state())
    with pytest.raises(PromptError, match="no frame at hand"):
        stream.prompt(4, points=[[10, 10]])
    with_frames = VideoTracker(model, FRAMES, settings=SETTINGS)
    with_frames.load_state(first.state())
    assert with_frames.prompt(4, points=[[10, 10]]).object_ids == (4,)  # it is read again


def test_what_is_no_state_is_refused(model):
    tracker = VideoTracker(model, settings=SETTINGS)
    state = VideoTracker(model, settings=SETTINGS).state()
    with pytest.raises(ValueError, match="'prompted' and 'recent'"):
        tracker.load_state({**state, "objects": [{"id": 1, "clicks": []}]})
    memory = {"frame_index": 0}
    broken = {"id": 1, "clicks": [], "prompted": [memory], "recent": []}
    with pytest.raises(ValueError, match="a memory has the fields"):
        tracker.load_state({**state, "objects": [broken]})
