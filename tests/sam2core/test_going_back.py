"""A tracker over frames answers at any of them, at any time, as one that had kept everything."""

import io

import numpy as np
import pytest
import torch

from sam2core import BankSettings, TrackerSettings, VideoTracker
from tests.sam2core.conftest import moving_square

LENGTH = 26
FRAMES = moving_square(LENGTH)
MASKS = np.zeros((3, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True
MASKS[2, :10, 50:] = True
CLICK = {"points": [[60, 30]]}
KEEP_ALL = BankSettings(keep_all=True)


def begun(model, bank=None, frames=FRAMES, at=0, **settings) -> VideoTracker:
    """In float32, so that what differs is a mistake."""
    settings = TrackerSettings(bank=bank or BankSettings(), memory_dtype=torch.float32, **settings)
    tracker = VideoTracker(model, frames, settings)
    tracker.prompt_masks([1, 2, 3], MASKS, frame_index=at)
    return tracker


def go(tracker, *args, **kwargs) -> dict[int, torch.Tensor]:
    return {f.frame_index: f.logits for f in tracker.propagate(*args, **kwargs)}


def close(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for index in one:
        torch.testing.assert_close(one[index], other[index], atol=1e-3, rtol=1e-3)


def differ(one: dict, other: dict) -> bool:
    return any(not torch.allclose(one[t], other[t], atol=1e-2) for t in one)


def on_device(tracker) -> int:
    """Bytes of what would be on a GPU for the first object."""
    bank = tracker._objects[1].bank
    return sum(
        tensor.numel() * tensor.element_size()
        for memory in (*bank.prompted.values(), *bank.recent.values())
        for tensor in (memory.features, memory.logits, memory.pointer)
        if tensor is not None
    )


@pytest.mark.parametrize("settings", [{}, {"stride": 3}, {"max_prompted": 1}])
def test_a_frame_asked_for_again_is_answered_as_if_all_had_been_kept(model, settings):
    small = begun(model, BankSettings(**settings))
    all_kept = begun(model, BankSettings(keep_all=True, **settings))
    first = go(small)
    close(first, go(all_kept))
    for start, stop, reverse in ((5, 12, False), (20, 8, True), (22, None, False), (3, 4, False)):
        again = go(small, start, stop, reverse)
        close(again, go(all_kept, start, stop, reverse))
        if start == 5:
            close(again, {t: first[t] for t in again})


@pytest.mark.parametrize("corrections_are_prompts", [False, True])
def test_a_click_in_the_middle_goes_both_ways_as_if_all_had_been_kept(
    model, corrections_are_prompts
):
    small, all_kept, before = (
        begun(model, bank, corrections_are_prompts=corrections_are_prompts)
        for bank in (None, KEEP_ALL, KEEP_ALL)
    )
    found = []
    for tracker in (small, all_kept):
        go(tracker)
        clicked = tracker.prompt(2, frame_index=9, **CLICK)
        again = tracker.prompt(2, points=[[20, 20]], labels=[0])
        onward = go(tracker, 10)
        back = go(tracker, 8, reverse=True)
        found.append({-1: clicked.logits, -2: again.logits, **back, **onward})
    close(*found)
    first = go(before)
    changed = {t: logits[1] for t, logits in found[0].items() if t > 0}
    assert differ(changed, {t: first[t][1] for t in changed})  # the click made a difference


def test_a_click_sees_what_was_tracked_in_the_direction_of_its_frame(model):
    """Frames before the prompt were tracked backward, whatever was tracked last."""
    one, other = begun(model, at=15), begun(model, at=15)
    for tracker in (one, other):
        go(tracker, 15)
        go(tracker, 14, reverse=True)
    other.follow(frame_index=LENGTH - 1)
    for index in (8, 24):
        answers = [t.prompt(2, frame_index=index, **CLICK).logits for t in (one, other)]
        torch.testing.assert_close(*answers, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("corrections_are_prompts", [False, True])
@pytest.mark.parametrize("gone", [12, LENGTH])
def test_a_corrected_frame_keeps_its_answer(model, corrections_are_prompts, gone):
    """However far tracking had gone, and through whatever is tracked then."""
    tracker = begun(model, corrections_are_prompts=corrections_are_prompts)
    go(tracker, stop=gone)
    answer = tracker.prompt(2, frame_index=9, **CLICK).logits[0]
    masked = tracker.prompt(1, mask=MASKS[2], frame_index=11).logits[0]
    for way in ({"stop": 20}, {"start": 14, "stop": 5, "reverse": True}, {"start": 9, "stop": 13}):
        shown = go(tracker, **way)
        assert torch.equal(shown[9][1], answer)
        if 11 in shown:
            assert torch.equal(shown[11][0], masked)
    assert not torch.equal(shown[9][0], tracker.prompt(1, frame_index=9, **CLICK).logits[0])


@pytest.mark.parametrize("corrections_are_prompts", [False, True])
def test_the_result_does_not_depend_on_how_far_tracking_had_gone(model, corrections_are_prompts):
    results = []
    for gone in (12, LENGTH):
        tracker = begun(model, corrections_are_prompts=corrections_are_prompts)
        go(tracker, stop=gone)
        tracker.prompt(2, frame_index=9, **CLICK)
        results.append(go(tracker))
    close(*results)


@pytest.mark.parametrize("corrections_are_prompts", [False, True])
def test_corrections_of_several_frames_work_together_in_any_order(model, corrections_are_prompts):
    given = [(9, MASKS[0]), (20, MASKS[2]), (14, MASKS[1])]
    results, kept = [], []
    for order in ((0, 1, 2), (2, 0, 1)):
        tracker = begun(model, corrections_are_prompts=corrections_are_prompts)
        go(tracker)
        answers = {}
        for k in order:
            index, mask = given[k]
            answers[index] = tracker.prompt(2, frame_index=index, mask=mask).logits[0]
            if order[0]:  # also with tracking in between
                go(tracker, 12, 18)
        results.append(go(tracker))
        kept.append(answers)
        for index, answer in answers.items():
            assert torch.equal(results[-1][index][1], answer)
    for one, other in (results, kept):
        assert all(torch.equal(one[t], other[t]) for t in one)


def test_what_is_on_the_device_does_not_grow(model):
    tracker = begun(model)
    sizes = []
    for way in (
        {}, {"start": 20, "reverse": True}, {"start": 3, "stop": 9}, {"start": 22}, {"start": 12}
    ):  # fmt: skip
        go(tracker, **way)
        sizes.append(on_device(tracker))
    for index in (4, 24, 15, 9, 20, 23, 7):
        tracker.follow(frame_index=index)
        tracker.remember(without=[1])
    assert on_device(tracker) <= 2 * max(sizes)
    assert max(sizes) <= sizes[0]
    assert len(tracker._objects[1].bank.recent) <= 30


def test_the_answer_of_any_frame_can_be_seen_again(model):
    tracker = begun(model, fill_hole_area=8)
    first = go(tracker)
    assert tracker.frame_index == LENGTH - 1
    for index in (0, 2, 17, 25):
        shown = tracker.answer(index)
        assert shown.frame_index == index
        assert shown.object_ids == (1, 2, 3)
        assert shown.size == (48, 80)
        assert torch.equal(shown.logits, first[index])
    assert tracker.frame_index == LENGTH - 1
    late = begun(model, at=20)
    assert len(late.answer(4)) == 0
    clicked = tracker.prompt(2, frame_index=17, **CLICK)
    assert torch.equal(tracker.answer(17).logits[1], clicked.logits[0])
    assert torch.equal(tracker.current().logits, tracker.answer(17).logits)


def test_a_state_goes_on_in_the_middle(model):
    whole = begun(model)
    go(whole)
    stream = io.BytesIO()
    torch.save(whole.state(), stream)
    stream.seek(0)
    again = VideoTracker(model, FRAMES, whole.settings)
    again.load_state(torch.load(stream, weights_only=True))
    for tracker in (whole, again):
        tracker.prompt(2, frame_index=9, **CLICK)
    close(go(whole, 10, 16), go(again, 10, 16))
    close(go(whole, 8, 3, reverse=True), go(again, 8, 3, reverse=True))


def test_a_copy_goes_back_by_itself(model):
    tracker = begun(model)
    first = go(tracker)
    copy = tracker.copy()
    copy.prompt(2, frame_index=9, **CLICK)
    go(copy, 10)
    close(go(tracker, 9, 15), {t: first[t] for t in range(9, 15)})


def test_backward_begins_at_the_last_frame_that_was_corrected(model):
    tracker = begun(model)
    go(tracker)
    tracker.prompt(2, frame_index=9, **CLICK)
    assert list(go(tracker, reverse=True)) == list(range(9, -1, -1))
