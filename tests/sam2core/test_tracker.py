from dataclasses import replace

import numpy as np
import pytest
import torch

from sam2core import BankSettings, TrackerSettings, VideoTracker
from sam2core.errors import PromptError, UnknownObjectError
from tests.sam2core.conftest import moving_square

FRAMES = moving_square(12)
MASKS = np.zeros((3, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True
MASKS[2, :10, 50:] = True


@pytest.fixture
def tracker(model) -> VideoTracker:
    return VideoTracker(model, FRAMES)


# In half precision a difference in the last bit can grow from frame to frame.
EXACT = TrackerSettings(memory_dtype=torch.float32)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_objects_tracked_together_equal_objects_tracked_alone(model):
    together = VideoTracker(model, FRAMES, EXACT)
    together.prompt_masks([5, 7, 9], MASKS, frame_index=0)
    frames = list(together.propagate())
    assert [f.frame_index for f in frames] == list(range(12))
    assert all(f.object_ids == (5, 7, 9) for f in frames)
    for i, object_id in enumerate((5, 7, 9)):
        alone = VideoTracker(model, FRAMES, EXACT)
        alone.prompt(object_id, mask=MASKS[i], frame_index=0)
        for a, b in zip(frames, alone.propagate(), strict=True):
            close(a.logits[i], b.logits[0])
            close(a.presence[i], b.presence[0])


def test_objects_of_different_age_share_a_batch_and_keep_their_own_times(model):
    """Three objects prompted one after the other, in the end in one cohort."""
    together = VideoTracker(model, settings=EXACT)
    alone = [VideoTracker(model, settings=EXACT) for _ in range(3)]
    frames = moving_square(24)
    for index, frame in enumerate(frames):
        together.step(frame)
        for i, tracker in enumerate(alone):
            tracker.step(frame)
            if index == 2 * i:
                together.prompt(i, mask=MASKS[i])
                tracker.prompt(i, mask=MASKS[i])
    assert len(list(together._cohorts())) == 1
    all_three = together.step(frames[0])
    for i, tracker in enumerate(alone):
        one = tracker.step(frames[0])
        close(all_three.logits[i], one.logits[0])
        close(all_three.presence[i], one.presence[0])


def test_the_result_does_not_depend_on_chunking(model):
    masks = np.concatenate([MASKS, MASKS[:, ::-1]])
    results = []
    for budget in (1, 1000):
        settings = replace(EXACT, memory_budget_mb=budget)
        tracker = VideoTracker(model, FRAMES, settings)
        tracker.prompt_masks(range(6), masks, frame_index=0)
        results.append(list(tracker.propagate()))
    assert replace(EXACT, memory_budget_mb=1).objects_per_batch(model.config, model.device) < 6
    assert EXACT.objects_per_batch(model.config, model.device) > 6
    for a, b in zip(*results, strict=True):
        close(a.logits, b.logits)


def test_the_same_input_gives_the_same_bytes(model):
    def run() -> list[bytes]:
        tracker = VideoTracker(model, FRAMES)
        tracker.prompt_masks([1, 2, 3], MASKS, frame_index=0)
        return [f.logits.numpy().tobytes() for f in tracker.propagate()]

    assert run() == run()


def test_a_stream_gives_what_the_video_gives(model):
    video = VideoTracker(model, FRAMES * 2)  # 24 frames: the length does not matter any more
    video.prompt_masks([1, 2, 3], MASKS, frame_index=0)
    stream = VideoTracker(model)
    for i, expected in enumerate(video.propagate()):
        masks = dict(zip((1, 2, 3), MASKS, strict=True)) if i == 0 else None
        answer = stream.step((FRAMES * 2)[i], masks)
        assert answer.frame_index == i
        close(answer.logits, expected.logits)


def test_an_iterator_is_streamed_and_prompted_on_the_way(model):
    stepped = VideoTracker(model)
    expected = []
    for i, frame in enumerate(FRAMES[:6]):
        expected.append(stepped.step(frame))
        if i in (1, 3):
            stepped.prompt(i, mask=MASKS[i // 2])
    streamed = VideoTracker(model)
    for i, answer in enumerate(streamed.stream(iter(FRAMES[:6]))):
        assert (
            answer.object_ids == expected[i].object_ids == ((), (), (1,), (1,), (1, 3), (1, 3))[i]
        )
        assert torch.equal(answer.logits, expected[i].logits)
        if i in (1, 3):
            streamed.prompt(i, mask=MASKS[i // 2])
    assert i == 5


def test_a_prompted_mask_is_the_answer_of_its_frame(tracker):
    answer = tracker.prompt(4, mask=MASKS[1], frame_index=3)
    overlap = (answer.mask(4) & MASKS[1]).sum() / (answer.mask(4) | MASKS[1]).sum()
    assert overlap > 0.75  # 16 x 16 cells for 48 x 80 pixels
    assert answer.presence.tolist() == [10.0]
    shown = next(iter(tracker.propagate()))
    assert shown.frame_index == 3
    assert torch.equal(shown.logits, answer.logits)


def test_an_empty_mask_says_that_the_object_is_not_there(tracker):
    answer = tracker.prompt(4, mask=np.zeros((48, 80)), frame_index=0)
    assert not answer.mask(4).any()
    assert answer.presence.tolist() == [-10.0]


def test_every_kind_of_prompt_gives_another_mask(model):
    def ask(**prompt) -> torch.Tensor:
        return VideoTracker(model, FRAMES).prompt(1, frame_index=0, **prompt).logits

    answers = [
        ask(points=[[10, 12]]),
        ask(points=[[60, 30]]),
        ask(points=[[10, 12], [60, 30]], labels=[1, 0]),
        ask(box=[4, 6, 18, 20]),
        ask(box=[4, 6, 18, 20], points=[[10, 12]]),
        ask(mask=MASKS[0]),
    ]
    for i, a in enumerate(answers):
        for b in answers[:i]:
            assert not torch.allclose(a, b, atol=1e-2)


def test_a_late_object_does_not_change_the_others(model):
    plain = VideoTracker(model, FRAMES)
    plain.prompt(1, mask=MASKS[0], frame_index=0)
    expected = list(plain.propagate())
    tracker = VideoTracker(model, FRAMES)
    tracker.prompt(1, mask=MASKS[0], frame_index=0)
    first = list(tracker.propagate(stop=5))
    tracker.prompt(2, points=[[50, 30]], frame_index=5)
    rest = list(tracker.propagate(start=5))
    assert [f.object_ids for f in first + rest] == [(1,)] * 5 + [(1, 2)] * 7
    for a, b in zip(first + rest, expected, strict=True):
        close(a.logits[0], b.logits[0])


def test_a_removed_object_is_gone_and_the_others_stay(model):
    stream = VideoTracker(model)
    stream.step(FRAMES[0], {1: MASKS[0], 2: MASKS[1]})
    stream.remove(1)
    assert stream.step(FRAMES[1]).object_ids == (2,)
    with pytest.raises(UnknownObjectError, match="no object 1 is tracked; there are \\[2\\]"):
        stream.remove(1)


def test_a_second_click_refines_the_first_answer(model):
    once = VideoTracker(model, FRAMES)
    first = once.prompt(1, points=[[10, 12]], frame_index=0)
    refined = once.prompt(1, points=[[30, 30]], labels=[0])
    both = VideoTracker(model, FRAMES)
    fresh = both.prompt(1, points=[[10, 12], [30, 30]], labels=[1, 0], frame_index=0)
    assert not torch.allclose(refined.logits, first.logits, atol=1e-3)
    assert not torch.allclose(refined.logits, fresh.logits, atol=1e-3)  # earlier logits were used
    again = once.prompt(1, points=[[10, 12], [30, 30]], labels=[1, 0], replace=True)
    close(again.logits, fresh.logits)


def test_a_correction_of_a_tracked_frame_uses_memory(model):
    def corrected(**settings) -> VideoTracker:
        tracker = VideoTracker(model, FRAMES, TrackerSettings(**settings))
        tracker.prompt(1, mask=MASKS[0], frame_index=0)
        list(tracker.propagate(stop=6))
        tracker.prompt(1, points=[[60, 30]], frame_index=5)
        return tracker

    fresh = VideoTracker(model, FRAMES).prompt(1, points=[[60, 30]], frame_index=5)
    tracker = corrected()
    answer = tracker._show([1])
    assert not torch.allclose(answer.logits, fresh.logits, atol=1e-3)
    bank = tracker._objects[1].bank
    assert sorted(bank.prompted) == [0]
    assert 5 in bank.recent
    assert sorted(corrected(corrections_are_prompts=True)._objects[1].bank.prompted) == [0, 5]


def test_backward_propagation_mirrors_forward_on_a_mirrored_video(model):
    forward = VideoTracker(model, FRAMES)
    forward.prompt(1, mask=MASKS[0], frame_index=0)
    backward = VideoTracker(model, FRAMES[::-1])
    backward.prompt(1, mask=MASKS[0], frame_index=11)
    answers = list(backward.propagate(reverse=True))
    assert [f.frame_index for f in answers] == list(range(11, -1, -1))
    for a, b in zip(forward.propagate(), answers, strict=True):
        close(a.logits, b.logits)


def test_memory_is_bounded_by_the_bank(model):
    stream = VideoTracker(model)
    stream.step(FRAMES[0], {1: MASKS[0]})
    for _ in range(40):
        stream.step(FRAMES[1])
    bank = stream._objects[1].bank
    assert len(bank.recent) == 15
    assert sum(m.features is not None for m in bank.recent.values()) == 7
    kept_all = VideoTracker(model, settings=TrackerSettings(bank=BankSettings(keep_all=True)))
    kept_all.step(FRAMES[0], {1: MASKS[0]})
    for _ in range(20):
        kept_all.step(FRAMES[1])
    assert len(kept_all._objects[1].bank.recent) == 20


@pytest.mark.parametrize(
    "bank", [BankSettings(recent=0), BankSettings(recent=2), BankSettings(stride=3)]
)
def test_the_settings_of_the_bank_change_what_is_seen(model, bank):
    def last(settings: BankSettings) -> torch.Tensor:
        stream = VideoTracker(model, settings=TrackerSettings(bank=settings))
        stream.step(FRAMES[0], {1: MASKS[0]})
        return [stream.step(f) for f in FRAMES[1:]][-1].logits

    assert not torch.allclose(last(bank), last(BankSettings()), atol=1e-3)


def test_small_holes_are_filled_in_what_is_shown(model):
    from sam2core.holes import fill_holes

    logits = torch.full((1, 6, 6), 2.0)
    logits[0, 2, 2] = logits[0, 3, 3] = -1.0  # connected over the corner: a hole of two cells
    logits[0, :, 5] = -1.0
    assert int((fill_holes(logits, 1) > 0).sum()) == 28
    filled = fill_holes(logits, 2)
    assert filled[0, 2, 2] == pytest.approx(0.1)
    assert int((filled > 0).sum()) == 30
    assert torch.equal(fill_holes(logits, 0), logits)


def test_frames_of_odd_sizes_and_a_single_frame(model):
    for height, width in ((1, 1), (3, 200), (65, 33)):
        frame = np.full((height, width, 3), 90, dtype=np.uint8)
        tracker = VideoTracker(model, [frame])
        tracker.prompt(1, points=[[0, 0]], frame_index=0)
        (only,) = tracker.propagate()
        assert only.masks().shape == (1, height, width)


def test_a_stream_without_objects_is_empty(model):
    answer = VideoTracker(model).step(FRAMES[0])
    assert len(answer) == 0
    assert answer.masks().shape == (0, 48, 80)


def test_wrong_use_is_a_clear_error(model, tracker):
    with pytest.raises(ValueError, match="prompt an object first"):
        next(tracker.propagate())
    with pytest.raises(PromptError, match="no frame at hand yet"):
        tracker.prompt(1, points=[[1, 1]])
    with pytest.raises(PromptError, match="frame_index must be in 0 to 11, got 12"):
        tracker.prompt(1, points=[[1, 1]], frame_index=12)
    with pytest.raises(PromptError, match="points must lie in the picture of 80 x 48"):
        tracker.prompt(1, points=[[81, 1]], frame_index=0)
    with pytest.raises(PromptError, match="needs points, boxes or mask_logits"):
        tracker.prompt(1, frame_index=0)
    with pytest.raises(PromptError, match="either a mask, or points"):
        tracker.prompt(1, mask=MASKS[0], box=[0, 0, 5, 5], frame_index=0)
    with pytest.raises(PromptError, match=r"masks must have the frame's size \(48, 80\)"):
        tracker.prompt(1, mask=MASKS[0][:10], frame_index=0)
    with pytest.raises(PromptError, match="stands twice"):
        tracker.prompt_masks([1, 1], MASKS[:2], frame_index=0)
    assert tracker.object_ids == ()  # nothing was half done
    with pytest.raises(ValueError, match="a stream uses step"):
        next(VideoTracker(model).propagate())
    with pytest.raises(UnknownObjectError, match="no object 9"):
        tracker.prompt(1, points=[[1, 1]], frame_index=0).mask(9)
    with pytest.raises(ValueError, match="recent memories apart"):
        VideoTracker(model, settings=TrackerSettings(bank=BankSettings(recent=9)))
    with pytest.raises(ValueError, match="memory_budget_mb"):
        replace(TrackerSettings(), memory_budget_mb=0)
