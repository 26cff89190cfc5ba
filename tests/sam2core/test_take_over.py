"""A tracker that takes over what was said before stands where that one did."""

import numpy as np
import pytest
import torch

from sam2core import BankSettings, TrackerSettings, VideoTracker
from sam2core.errors import PromptError
from tests.sam2core.conftest import moving_square

LENGTH = 12
FRAMES = moving_square(LENGTH)
MASKS = np.zeros((2, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True


def begun(model, **settings) -> VideoTracker:
    settings = TrackerSettings(memory_dtype=torch.float32, **settings)
    tracker = VideoTracker(model, FRAMES, settings)
    tracker.prompt_masks([1, 2], MASKS, frame_index=0)
    return tracker


def rows(tracker, index) -> dict[int, torch.Tensor]:
    answer = tracker.answer(index)
    return dict(zip(answer.object_ids, answer.logits, strict=True))


def test_it_sees_the_same_memories(model):
    """Pointers are derived anew, the features that masks were encoded to are the same."""
    whole = begun(model, bank=BankSettings(keep_all=True), fill_hole_area=0)
    list(whole.propagate())
    other = VideoTracker(model, FRAMES, whole.settings)
    other.take_over(rows(whole, 0), 0, given=True, reverse=None)
    for index in range(1, LENGTH - 1):
        other.take_over(rows(whole, index), index)
    for object_id in (1, 2):
        banks = (t._objects[object_id].bank.select(LENGTH - 1) for t in (whole, other))
        one, two = (selection.spatial for selection in banks)
        assert [(m.frame_index, age, m.given) for m, age in one] == [
            (m.frame_index, age, m.given) for m, age in two
        ]
        for (mine, _), (theirs, _) in zip(one, two, strict=True):
            torch.testing.assert_close(mine.features, theirs.features, atol=1e-4, rtol=1e-4)


def test_what_is_given_is_kept_and_followed(model):
    one, other = begun(model), VideoTracker(model, FRAMES)
    other.take_over(rows(one, 0), 0, given=True, reverse=None)
    assert other.object_ids == (1, 2)
    found = {f.frame_index: f.logits for f in other.propagate(0, 4)}
    assert torch.equal(found[0], one.answer(0).logits)
    assert list(found) == [0, 1, 2, 3]


def test_one_pass_keeps_nothing_on_the_host(model):
    tracker = begun(model, keep_on_host=False)
    expected = {f.frame_index: f.logits for f in begun(model).propagate()}
    for frame in tracker.propagate():
        assert torch.equal(frame.logits, expected[frame.frame_index])
    bank = tracker._objects[1].bank
    assert not bank.aside
    assert all(m.encoded is None for m in (*bank.prompted.values(), *bank.recent.values()))


def test_what_is_no_mask_is_refused(model):
    with pytest.raises(PromptError, match="logits of object 1 must be numbers"):
        begun(model).take_over({1: np.zeros((3, 3), np.float32)}, 2)
    with pytest.raises(PromptError, match="frame_index must be in"):
        begun(model).take_over({1: np.zeros((16, 16), np.float32)}, LENGTH)
