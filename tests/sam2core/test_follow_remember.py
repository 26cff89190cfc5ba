"""A step in two acts: a frame is followed, looked at and changed, and then remembered."""

import io

import numpy as np
import pytest
import torch

from sam2core import TrackerSettings, VideoTracker
from sam2core.errors import PromptError, UnknownObjectError
from tests.sam2core.conftest import moving_square, random_model

FRAMES = moving_square(14)
MASKS = np.zeros((3, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True
MASKS[2, :10, 50:] = True


def begun(model, **settings) -> VideoTracker:
    tracker = VideoTracker(model, settings=TrackerSettings(**settings))
    tracker.step(FRAMES[0], {1: MASKS[0], 2: MASKS[1]})
    for frame in FRAMES[1:4]:
        tracker.step(frame)
    return tracker


def banks(tracker):
    return {
        i: {t: m.features for t, m in {**o.bank.prompted, **o.bank.recent}.items()}
        for i, o in tracker._objects.items()
    }


def same(one, other):
    assert one.object_ids == other.object_ids
    for name in ("logits", "iou", "presence"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def same_memories(one, other):
    first, second = banks(one), banks(other)
    assert first.keys() == second.keys()
    for i, memories in first.items():
        assert memories.keys() == second[i].keys()
        assert all(
            a is b is None or torch.equal(a, b)
            for a, b in ((m, second[i][t]) for t, m in memories.items())
        )


def through_a_file(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.mark.parametrize("budget", [1, None])
def test_the_two_acts_are_a_step(model, budget):
    """Bit for bit, also where objects need several batches."""
    whole, parts = (begun(model, memory_budget_mb=budget) for _ in range(2))
    for frame in FRAMES[4:]:
        stepped = whole.step(frame)
        same(stepped, parts.follow(frame))
        same(stepped, parts.remember())
    same_memories(whole, parts)


def test_to_follow_writes_nothing(model):
    tracker = begun(model)
    before = banks(tracker)
    answer = tracker.follow(FRAMES[4])
    assert answer.frame_index == tracker.frame_index == 4
    same(answer, tracker.current())
    for i, memories in banks(tracker).items():
        assert 4 not in memories
        assert all(memories[t] is features for t, features in before[i].items())


@pytest.mark.parametrize("corrections_are_prompts", [False, True])
def test_a_prompt_in_between_is_one_after_the_step(model, corrections_are_prompts):
    whole, parts = (begun(model, corrections_are_prompts=corrections_are_prompts) for _ in "12")
    whole.step(FRAMES[4])
    parts.follow(FRAMES[4])
    for tracker in (whole, parts):
        tracker.prompt(1, points=[[10, 12]])  # a correction, refined by a second one
        tracker.prompt(1, points=[[30, 30]], labels=[0])
        tracker.prompt(3, points=[[60, 30]])
    parts.remember()
    same(whole.current(), parts.current())
    same_memories(whole, parts)
    same(whole.step(FRAMES[5]), parts.step(FRAMES[5]))


def test_masks_removals_and_other_ids_in_between_count_in_the_frame(model):
    whole, parts = begun(model), begun(model)
    whole.step(FRAMES[4])
    parts.follow(FRAMES[4])
    for tracker in (whole, parts):
        tracker.remove(1)
        tracker.renumber(2, 7)
        tracker.prompt_masks([9], MASKS[2:])
    assert parts.current().object_ids == parts.remember().object_ids == (7, 9)
    same_memories(whole, parts)
    same(whole.step(FRAMES[5]), parts.step(FRAMES[5]))


def test_a_frame_that_was_not_remembered_is_when_the_next_one_comes(model):
    whole, parts = begun(model), begun(model)
    for frame in FRAMES[4:7]:
        whole.step(frame)
        parts.follow(frame)
    same(whole.step(FRAMES[7]), parts.step(FRAMES[7]))
    same_memories(whole, parts)


def test_another_mask_is_remembered_where_the_caller_says_so(model):
    """The same as soft logits and as a mask that is not one of a prompt."""
    plain, other, blank = begun(model), begun(model), begun(model)
    for tracker in (plain, other, blank):
        tracker.follow(FRAMES[4])
    assert plain.current().presence.min() > 0
    logits = plain.current().logits[1].clone()
    logits[:, :8] = -12.0
    shown = other.remember(logits={2: logits})
    found = plain.current().logits
    same_but = [torch.equal(a, b) for a, b in zip(shown.logits, found, strict=True)]
    assert same_but == [True, False]
    kept = other._objects[2].bank.recent[4]
    with torch.inference_mode():
        presence = shown.presence[1].reshape(1, 1)
        features = model.remember(other._look_at(None), logits[None, None], presence)[0]
    # One row of a batch, so but for the last bit of what is kept.
    kept_features = kept.features.float()
    torch.testing.assert_close(kept_features, features, rtol=2**-7, atol=1e-5)
    assert not kept.given

    absent = blank.remember({2: np.zeros((48, 80), bool)})
    assert absent.presence[1] == -10
    assert not absent.mask(2).any()
    assert torch.equal(blank._objects[2].bank.recent[4].pointer, model.no_pointer[0])
    plain.remember()
    next_ones = [t.step(FRAMES[5]).logits for t in (plain, other, blank)]
    assert not torch.allclose(next_ones[0][1], next_ones[1][1], atol=1e-3)
    assert not torch.allclose(next_ones[0][1], next_ones[2][1], atol=1e-3)
    assert torch.allclose(next_ones[0][0], next_ones[1][0], atol=1e-3)


def test_a_mask_handed_in_as_it_was_given_before(model):
    """A mask at the frame's size enters as logits of -10 and 10, as that of a prompt does."""
    tracker, prompted = begun(model), begun(model)
    for each in (tracker, prompted):
        each.follow(FRAMES[4])
    answer = tracker.remember({1: MASKS[2]})
    assert torch.equal(answer.logits[0], prompted.prompt(1, mask=MASKS[2]).logits[0])


def test_nothing_is_remembered_of_what_is_left_out(model):
    tracker, gap = begun(model), begun(model)
    tracker.follow(FRAMES[4])
    shown = gap.follow(FRAMES[4])
    tracker.remember()
    same(shown, gap.remember(without=[2]))  # its answer is still there to see
    assert [4 in gap._objects[i].bank for i in (1, 2)] == [True, False]
    same_memories_of_1 = banks(tracker)[1][4], banks(gap)[1][4]
    torch.testing.assert_close(*same_memories_of_1)
    # What is prompted then is corrected in the light of what came before, as ever.
    assert torch.equal(
        gap.prompt(2, points=[[60, 30]]).logits, tracker.prompt(2, points=[[60, 30]]).logits
    )
    assert 4 in gap._objects[2].bank


def test_a_copy_between_the_acts_goes_its_own_way(model):
    tracker, whole = begun(model), begun(model)
    whole.step(FRAMES[4])
    tracker.follow(FRAMES[4])
    copy = tracker.copy()
    copy.prompt(2, mask=MASKS[2])
    copy.remember(without=[1])
    tracker.remember()
    same_memories(whole, tracker)
    same(whole.step(FRAMES[5]), tracker.step(FRAMES[5]))


def test_a_state_between_the_acts_goes_on_alike(model):
    whole, first = begun(model), begun(model)
    whole.step(FRAMES[4])
    first.follow(FRAMES[4])
    first.prompt(1, points=[[10, 12]])
    whole.prompt(1, points=[[10, 12]])
    second = VideoTracker(model)
    second.load_state(through_a_file(first.state()))
    same(first.current(), second.current())
    for too_early in (second.remember, lambda: second.step(FRAMES[5])):
        with pytest.raises(PromptError, match="look_again at the latest frame"):
            too_early()
    second.look_again(FRAMES[4])
    second.remember()
    same_memories(whole, second)
    same(whole.step(FRAMES[5]), second.step(FRAMES[5]))


def test_with_frames_any_frame_is_followed_by_its_index(model):
    whole, parts = VideoTracker(model, FRAMES), VideoTracker(model, FRAMES)
    for tracker in (whole, parts):
        tracker.prompt_masks([1, 2], MASKS[:2], frame_index=3)
    for shown in whole.propagate(3, 8):
        if shown.frame_index > 3:
            same(shown, parts.follow(frame_index=shown.frame_index))
            parts.remember()
    for shown in whole.propagate(2, 0, reverse=True):
        same(shown, parts.follow(frame_index=shown.frame_index, reverse=True))
    parts.remember()
    same_memories(whole, parts)


def test_wrong_use_is_a_clear_error(model):
    tracker = begun(model)
    with pytest.raises(ValueError, match="no frame to remember: follow one first"):
        tracker.remember()
    for wrong in (
        {},
        {"frame": FRAMES[4], "frame_index": 4},
        {"frame": FRAMES[4], "reverse": True},
    ):
        with pytest.raises(PromptError, match="either a stream's next frame, or a frame_index"):
            tracker.follow(**wrong)
    with pytest.raises(PromptError, match="without frames can't go back"):
        tracker.follow(frame_index=2)
    tracker.follow(FRAMES[4])
    tracker.prompt(1, mask=MASKS[0])
    for wrong in (1, 5):
        with pytest.raises(PromptError, match=f"object {wrong} was not followed into this frame"):
            tracker.remember(without=[wrong])
    with pytest.raises(PromptError, match="stands twice"):
        tracker.remember({2: MASKS[0]}, without=[2])
    with pytest.raises(PromptError, match=r"must have the frame's size \(48, 80\)"):
        tracker.remember({2: MASKS[0][:10]})
    with pytest.raises(PromptError, match=r"must be numbers \(16, 16\)"):
        tracker.remember(logits={2: torch.zeros(8, 8)})
    with pytest.raises(PromptError, match="goes into masks"):
        tracker.remember(logits={2: torch.zeros(16, 16, dtype=torch.bool)})
    with pytest.raises(UnknownObjectError):
        tracker.remove(5)
    tracker.remember()  # nothing was half done


def test_what_was_not_found_has_to_be_prompted():
    model = random_model()
    model.mask_decoder.presence_head.layers[-1].bias.data -= 100.0
    tracker = begun(model)
    assert not tracker.follow(FRAMES[4]).masks().any()
    with pytest.raises(PromptError, match=r"has no pointer to a mask: prompt_masks\(\[2\]"):
        tracker.remember({2: MASKS[1]})
    tracker.remember({1: np.zeros((48, 80), bool)})
