"""What a frame sees, worked out by hand."""

import pytest
import torch

from sam2core import BankSettings, Memory, MemoryBank


def memory(index: int) -> Memory:
    return Memory(index, torch.zeros(4), 1.0, 0.5, torch.zeros(4, 2), torch.zeros(2, 2))


def bank(tracked=(), prompted=(), **settings) -> MemoryBank:
    result = MemoryBank(BankSettings(keep_all=True, **settings))
    for index in prompted:
        result.add(memory(index), prompted=True)
    for index in tracked:
        result.add(memory(index))
    return result


def spatial(selection) -> list[tuple[int, int]]:
    return [(m.frame_index, age) for m, age in selection.spatial]


def pointers(selection) -> list[tuple[int, int]]:
    return [(m.frame_index, distance) for m, distance in selection.pointers]


def test_a_frame_sees_the_prompt_and_the_six_frames_before_it():
    selection = bank(range(1, 10), prompted=[0]).select(10)
    assert spatial(selection) == [(0, 0), (4, 6), (5, 5), (6, 4), (7, 3), (8, 2), (9, 1)]
    assert pointers(selection) == [(0, 10)] + [(10 - d, d) for d in range(1, 10)]
    assert selection.pointer_scale == 15


def test_a_skipped_frame_leaves_a_gap():
    selection = bank([7, 9], prompted=[0]).select(10)
    assert spatial(selection) == [(0, 0), (7, 3), (9, 1)]
    assert pointers(selection) == [(0, 10), (9, 1), (7, 3)]


def test_backward_sees_the_frames_after_it_and_pointers_of_later_prompts_only():
    selection = bank([11, 12], prompted=[2, 20]).select(10, reverse=True)
    assert spatial(selection) == [(2, 0), (20, 0), (12, 2), (11, 1)]
    assert pointers(selection) == [(20, 10), (11, 1), (12, 2)]


def test_pointers_of_later_prompts_are_not_seen_forward():
    assert pointers(bank([9], prompted=[0, 30]).select(10)) == [(0, 10), (9, 1)]


def test_the_closest_prompts_are_selected_one_of_each_side_first():
    selection = bank(prompted=[0, 4, 8, 30], max_prompted=2).select(10)
    assert {i for i, age in spatial(selection) if age == 0} == {8, 30}
    selection = bank(prompted=[0, 4, 8, 30], max_prompted=3).select(10)
    assert {i for i, age in spatial(selection) if age == 0} == {8, 30, 4}


def test_an_unselected_prompt_comes_back_as_a_recent_memory():
    selection = bank([9], prompted=[0, 7, 8], max_prompted=1).select(10)
    assert spatial(selection) == [(8, 0), (7, 3), (9, 1)]
    assert pointers(selection) == [(8, 2), (9, 1), (7, 3), (0, 10)]


@pytest.mark.parametrize(
    ("now", "reverse", "expected"),
    [
        (10, False, [(0, 4), (3, 3), (6, 2), (9, 1)]),
        (11, False, [(3, 4), (6, 3), (9, 2), (10, 1)]),
        (10, True, [(18, 4), (15, 3), (12, 2), (11, 1)]),
        (11, True, [(21, 4), (18, 3), (15, 2), (12, 1)]),
    ],
)
def test_with_a_stride_the_last_frame_and_multiples_of_the_stride_are_seen(now, reverse, expected):
    strided = bank(range(30), prompted=[40], recent=4, stride=3)
    assert spatial(strided.select(now, reverse))[1:] == expected


def test_the_length_of_the_video_scales_pointers_and_limits_them():
    selection = bank(range(1, 10), prompted=[0]).select(9, num_frames=5)
    assert selection.pointer_scale == 4
    assert pointers(selection) == [(0, 9), (8, 1), (7, 2), (6, 3), (5, 4)]
    assert bank(prompted=[0]).select(0, num_frames=1).pointer_scale == 1


def test_a_bank_stays_small_and_keeps_what_the_next_frame_sees():
    full, small = bank(prompted=[0]), MemoryBank()
    small.add(memory(0), prompted=True)
    for index in range(1, 100):
        assert small.select(index).extent == full.select(index).extent
        full.add(memory(index))
        small.add(memory(index))
    assert len(small.recent) == 15
    assert sum(m.features is not None for m in small.recent.values()) == 7
    assert sum(m.logits is not None for m in small.recent.values()) == 7


def test_old_prompts_are_dropped_but_not_the_first():
    kept = bank(prompted=[0, 10, 20, 30, 40], keep_prompted=3)
    assert sorted(kept.prompted) == [0, 30, 40]


def test_a_memory_replaces_the_one_of_the_same_frame():
    both = bank([5], prompted=[0])
    both.add(memory(5), prompted=True)
    assert 5 in both.prompted
    assert 5 not in both.recent
    both.forget(5)
    assert 5 not in both


def test_extent_tells_which_objects_can_share_a_batch():
    a, b = bank([8, 9], prompted=[0]).select(10), bank([8, 9], prompted=[0]).select(10)
    late = bank([9], prompted=[8]).select(10)
    assert a.extent == b.extent != late.extent
    # How old the memories are makes no difference.
    assert bank([7, 8], prompted=[2]).select(10).extent == a.extent


def test_errors_name_the_settings():
    with pytest.raises(ValueError, match="needs a prompt on some frame first"):
        MemoryBank().select(3)
    with pytest.raises(ValueError, match="stride >= 1"):
        BankSettings(stride=0)
    with pytest.raises(ValueError, match="max_prompted must be at least 1"):
        BankSettings(max_prompted=0)
