"""Which memories each policy chooses, worked out by hand, and that none is undone by forgetting."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from sam2core import BankSettings, Memory, MemoryBank, TrackerSettings, VideoTracker
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory_policies import POLICIES, is_anchor, quality
from sam2core.rivals import areas_of, rivals_of
from tests.sam2core.conftest import moving_square

SURE, GONE = 6.0, -6.0
NAMES = list(POLICIES)


def memory(index: int, presence=SURE, iou=0.9, area=0.1, rival=1.0, **more) -> Memory:
    tensors = torch.zeros(4), presence, iou, torch.zeros(4, 2), torch.zeros(2, 2)
    return Memory(index, *tensors, reverse=False, area=area, rival=rival, **more)


def hidden(index: int, **more) -> Memory:
    return memory(index, presence=GONE, area=0.0, **more)


def bank(*tracked: Memory, policy="filtered", prompted=(0,), **settings) -> MemoryBank:
    result = MemoryBank(BankSettings(policy=policy, **settings))
    for index in prompted:
        result.add(replace(memory(index, given=True), reverse=None), prompted=True)
    for each in tracked:
        result.add(each)
    return result


def spatial(selection) -> list[tuple[int, int]]:
    return [(m.frame_index, age) for m, age in selection.spatial]


def pointers(selection) -> list[tuple[int, int]]:
    return [(m.frame_index, distance) for m, distance in selection.pointers]


# --- filtered ---


def test_quality_is_the_predicted_iou_times_presence():
    assert quality(memory(1, presence=100.0, iou=0.8)) == pytest.approx(0.8)
    assert quality(memory(1, presence=1.0, iou=0.5)) == pytest.approx(0.5 * 0.4621, rel=1e-3)
    assert quality(memory(1, presence=0.0)) == quality(memory(1, presence=-3.0)) == 0.0


def test_where_all_is_seen_well_filtered_is_what_sam2_sees():
    seen = [memory(t) for t in range(1, 30)]
    for now in (5, 10, 30):
        past = [m for m in seen if m.frame_index < now]
        one = bank(*past, policy="filtered").select(now)
        other = bank(*past, policy="sam2").select(now)
        assert spatial(one) == spatial(other)
        assert sorted(pointers(one)) == sorted(pointers(other))
        assert one.pointer_scale == other.pointer_scale


def test_hidden_frames_are_passed_over_but_for_the_last():
    selection = bank(*(memory(t) for t in range(1, 8)), hidden(8), memory(9), hidden(10)).select(11)
    assert spatial(selection) == [(0, 0), (4, 6), (5, 5), (6, 4), (7, 3), (9, 2), (10, 1)]
    # There are fewer than 15 frames: frame 8 fills up, so that no batch is split.
    assert pointers(selection) == [(0, 11), *((11 - d, d) for d in range(1, 11))]
    longer = (*(memory(t) for t in range(1, 20)), hidden(20), memory(21))
    assert [i for i, _ in pointers(bank(*longer).select(22))[1:]] == [21, *range(19, 5, -1)]
    fewer = bank(memory(1), hidden(2), hidden(3), memory(4), hidden(5), hidden(6), hidden(7))
    assert spatial(fewer.select(8)) == [(0, 0), (1, 6), (3, 5), (4, 4), (5, 3), (6, 2), (7, 1)]


@pytest.mark.parametrize("gone", [7, 30, 400])
def test_after_any_number_of_hidden_frames_five_of_six_memories_show_the_thing(gone):
    """Under sam2 none does after seven."""
    for policy, shown in (("filtered", 5), ("sam2", 0), ("distractor_aware", 5)):
        kept = bank(policy=policy)
        for t in range(1, 31):
            kept.add(memory(t))
        for t in range(31, 31 + gone):
            kept.add(hidden(t))
        recent = [m for m, age in kept.select(31 + gone).spatial if age > 0]
        assert sum(m.presence > 0 for m in recent) == shown
        assert all(m.features is not None for m in recent)
        assert len(recent) == 6
        assert len(kept.recent) <= 31


def test_backward_the_past_lies_ahead():
    frames = [replace(memory(t), reverse=True) for t in range(28, 20, -1)]
    frames[2] = replace(frames[2], presence=GONE)
    selection = bank(*frames, prompted=(29,), policy="filtered").select(20, reverse=True)
    assert spatial(selection) == [(29, 0), (27, 6), (25, 5), (24, 4), (23, 3), (22, 2), (21, 1)]


def test_prompts_that_are_not_selected_take_part():
    kept = bank(memory(9), hidden(10), prompted=(0, 7, 8), policy="filtered", max_prompted=1)
    assert spatial(kept.select(11)) == [(8, 0), (0, 4), (7, 3), (9, 2), (10, 1)]


# --- distractor_aware ---


def anchor(index: int, **more) -> Memory:
    return memory(index, rival=0.5, **more)


def test_a_sure_steady_mask_beside_a_rival_is_an_anchor():
    kept = bank(*(memory(t) for t in range(1, 10)), policy="distractor_aware")
    assert is_anchor(kept, anchor(10))
    for wrong in (
        {"iou": 0.8},
        {"area": 0.121},
        {"area": 0.079},
        {"presence": GONE},
        {"given": True},
    ):
        assert not is_anchor(kept, anchor(10, **wrong)), wrong
    assert not is_anchor(kept, memory(10, rival=0.71))
    assert not is_anchor(kept, replace(anchor(10), rival=None))
    # Not within five frames of another one, or of a prompt.
    assert not is_anchor(bank(policy="distractor_aware"), anchor(5))
    assert is_anchor(bank(policy="distractor_aware"), anchor(6))
    kept.add(anchor(10))
    assert kept.recent[10].anchor
    assert not is_anchor(kept, anchor(15))
    assert is_anchor(kept, anchor(16))


def test_what_is_steady_is_told_by_the_last_ten_frames_that_show_it():
    grown = [memory(t, area=0.01 if t < 10 else 0.1) for t in range(1, 20)]
    kept = bank(*grown, *(hidden(t) for t in range(20, 60)), policy="distractor_aware")
    assert is_anchor(kept, anchor(60))
    assert not is_anchor(kept, anchor(60, area=0.01))


def test_three_anchors_are_seen_without_age_and_the_last_and_every_fifth_of_the_rest():
    frames = [anchor(t) if t in (6, 12, 18, 24) else memory(t) for t in range(1, 38)]
    selection = bank(*frames, policy="distractor_aware").select(38)
    assert spatial(selection) == [(0, 0), (24, 0), (18, 0), (12, 0), (30, 3), (35, 2), (37, 1)]
    assert pointers(selection)[:4] == [(0, 38), (24, 14), (18, 20), (12, 26)]
    assert [d for _, d in pointers(selection)[4:]] == [d for d in range(1, 16) if d != 14]


def test_frames_without_the_object_are_skipped_but_for_the_last():
    frames = [hidden(t) if t in (30, 35, 36, 37) else memory(t) for t in range(1, 38)]
    selection = bank(*frames, policy="distractor_aware").select(38)
    assert spatial(selection) == [(0, 0), (5, 6), (10, 5), (15, 4), (20, 3), (25, 2), (37, 1)]


# --- all of them ---


def random_frames(seed: int, count: int) -> list[Memory]:
    rng = np.random.default_rng(seed)
    frames = []
    for t in range(1, count):
        gone = (t // 20) % 3 == 2 or rng.random() < 0.2
        more = {"iou": float(rng.uniform(0, 1)), "rival": float(rng.uniform(0.3, 1))}
        frames.append(hidden(t, **more) if gone else memory(t, area=0.1, **more))
    return frames


@pytest.mark.parametrize("policy", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_a_bank_that_forgets_sees_what_one_that_keeps_everything_does(policy, seed):
    settings = {"max_pointers": 7} if seed == 2 else {}
    small = bank(policy=policy, **settings)
    full = bank(policy=policy, keep_all=True, **settings)
    sizes = []
    for each in random_frames(seed, 150):
        one, other = (b.select(each.frame_index) for b in (small, full))
        assert spatial(one) == spatial(other)
        assert pointers(one) == pointers(other)
        for kept in (small, full):
            kept.add(each)
        # A correction of this frame sees as much.
        one, other = (b.select(each.frame_index) for b in (small, full))
        assert spatial(one) == spatial(other)
        sizes.append(len(small.recent))
    assert max(sizes) <= 31
    assert sum(m.features is not None for m in small.recent.values()) <= 12


def test_policies_go_by_their_names():
    with pytest.raises(ValueError, match=r"policy must be one of .*'filtered'.* got 'best'"):
        BankSettings(policy="best")
    with pytest.raises(ValueError, match="stride is one of the policy 'sam2'"):
        BankSettings(policy="filtered", stride=2)


# --- in the tracker ---

FRAMES = moving_square(22)
MASKS = np.zeros((2, 48, 80), dtype=bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True


def begun(model, policy, frames=None, **settings) -> VideoTracker:
    settings = TrackerSettings(BankSettings(policy=policy, **settings), memory_dtype=torch.float32)
    tracker = VideoTracker(model, frames, settings)
    if frames is None:
        tracker.step(FRAMES[0], {1: MASKS[0], 2: MASKS[1]})
    else:
        tracker.prompt_masks([1, 2], MASKS, frame_index=0)
    return tracker


@pytest.mark.parametrize("policy", NAMES)
def test_going_back_is_exact_under_every_policy(model, policy):
    answers = []
    for keep_all in (False, True):
        tracker = begun(model, policy, FRAMES, keep_all=keep_all)
        frames = list(tracker.propagate())
        tracker.prompt(2, frame_index=7, points=[[60, 30]])
        frames += tracker.propagate(8, 14)
        frames += tracker.propagate(6, 2, reverse=True)
        answers.append(frames)
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("policy", NAMES)
def test_a_state_goes_on_under_every_policy(model, policy):
    whole = begun(model, policy)
    for frame in FRAMES[1:12]:
        whole.step(frame)
    stream = io.BytesIO()
    torch.save(whole.state(), stream)
    stream.seek(0)
    again = VideoTracker(model, settings=whole.settings)
    again.load_state(torch.load(stream, weights_only=True))
    for frame in FRAMES[12:16]:
        assert torch.equal(whole.step(frame).logits, again.step(frame).logits)


def test_the_policy_makes_a_difference_where_something_is_hidden(model):
    """A stream that is told in some frames that nothing is there."""

    def last(policy):
        tracker = begun(model, policy)
        for i, frame in enumerate(FRAMES[1:16]):
            tracker.follow(frame)
            gone = {1: np.zeros((48, 80), bool)} if i >= 8 else {}
            tracker.remember({j: m for j, m in gone.items() if tracker.current().presence[0] > 0})
        return tracker.step(FRAMES[16]).logits

    sam2, filtered, aware = (last(policy) for policy in NAMES)
    assert not torch.allclose(sam2[0], filtered[0], atol=1e-2)
    assert not torch.allclose(sam2[0], aware[0], atol=1e-2)
    torch.testing.assert_close(sam2[1], filtered[1], atol=1e-3, rtol=1e-3)


# --- rivals ---


def prediction(*masks: torch.Tensor, iou) -> MaskPrediction:
    logits = torch.stack(masks)[None].float() * 2 - 1
    return MaskPrediction(logits, torch.tensor([iou]), torch.zeros(1, len(masks), 2), torch.ones(1))


def box(top, left, bottom, right):
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_rival_is_told_by_how_far_it_reaches():
    chosen, inside, beside = box(2, 2, 6, 4), box(3, 2, 4, 3), box(2, 6, 6, 8)
    assert rivals_of(prediction(chosen, inside, inside, iou=[0.9, 0.1, 0.2])).tolist() == [1.0]
    # 4 x 2 cells, joined to the other 4 x 6.
    found = rivals_of(prediction(inside, chosen, beside, iou=[0.1, 0.9, 0.2]))
    assert found.tolist() == pytest.approx([8 / 24])
    nothing = torch.zeros(8, 8, dtype=torch.bool)
    assert rivals_of(prediction(nothing, chosen, beside, iou=[0.9, 0.1, 0.2])).tolist() == [1.0]
    assert rivals_of(prediction(chosen, nothing, nothing, iou=[0.9, 0.1, 0.2])).tolist() == [1.0]
    assert areas_of(torch.stack([chosen, nothing]).float() - 0.5) == [8 / 64, 0.0]
