"""Frames of fewer tokens: which blocks are merged, and that nothing else is lost."""

from __future__ import annotations

import math

import torch

from sam2core import Memory, memory_attention
from sam2core.kept_keys import KeptKeys
from sam2core.memory import Selection
from sam2core.merged_frame import merged_frame
from sam2core.pooled_memory import with_pooled
from sam2core.position import AxialRope
from tests.sam2core.conftest import random_model

SIDE = 8  # cells, so blocks of 4 x 4
PIXELS = 4 * SIDE  # of a mask


def seen(*masks, presence=1.0):
    """What is seen of an object whose last masks these are, the latest first."""
    memories = [
        Memory(9 - age, torch.zeros(4), presence, 1.0, logits=2.0 * mask.float() - 1)
        for age, mask in enumerate(masks)
    ]
    return Selection(tuple((m, age + 1) for age, m in enumerate(memories)), (), 15)


def mask_at(y, x):
    mask = torch.zeros(PIXELS, PIXELS, dtype=torch.bool)
    mask[y : y + 8, x : x + 8] = True  # one block
    return mask


def whole_blocks(merged, row=0):
    return sorted(set(range(16)) - set(merged.places[row, : merged.merged].tolist()))


def even_noise():
    """Blocks that all differ as much within."""
    cells = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(2, 2).repeat(SIDE // 2, SIDE // 2)
    return cells[None, None].expand(1, 3, -1, -1)


def test_what_is_near_the_outline_stays_whole():
    corner, middle = seen(mask_at(0, 0)), seen(mask_at(8, 8))
    found = merged_frame(even_noise(), [corner, middle])
    assert found.places.shape == (2, 8 + 4 * 8)
    assert found.merged == 8
    near_corner, near_middle = whole_blocks(found), whole_blocks(found, 1)
    assert {0, 1, 4, 5} <= set(near_corner)
    assert 15 not in near_corner
    assert {5, 6, 9} <= set(near_middle)
    assert 15 not in near_middle


def test_the_last_mask_counts_that_is_not_empty():
    empty, last = torch.zeros(PIXELS, PIXELS), mask_at(24, 24)
    hidden = seen(empty, presence=-1.0).spatial + seen(last, mask_at(0, 0)).spatial
    found = merged_frame(even_noise(), [Selection(hidden, (), 15)])
    assert {10, 11, 14, 15} <= set(whole_blocks(found))
    never = merged_frame(even_noise(), [seen(empty, presence=-1.0)])
    assert len(whole_blocks(never)) == 8


def test_even_blocks_are_merged_first():
    features = torch.zeros(1, 3, SIDE, SIDE)
    features[..., 4:, 4:] = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = merged_frame(features, [seen(mask_at(0, 0))])
    assert {10, 11, 14, 15} <= set(whole_blocks(found))


def test_tokens_and_back():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, SIDE * SIDE, 3, generator=generator)
    found = merged_frame(x.transpose(1, 2).view(1, 3, SIDE, SIDE), [seen(mask_at(0, 0))] * 2)
    tokens = found.tokens(x)
    for row, places in zip(tokens, found.places, strict=True):
        assert torch.equal(row, with_pooled(x, SIDE)[0, places])
    # Every cell gets what was added to the token that stands for it.
    added = torch.randn(tokens.shape, generator=generator)
    back = (found.spread(x, added) - x)[1].view(SIDE // 2, 2, SIDE // 2, 2, 3)
    for rank, place in enumerate(found.places[1].tolist()):
        if rank < found.merged:
            cells = back[place // 4, :, place % 4].reshape(4, 3)
        else:
            y, x_ = divmod(place - 16, SIDE)
            cells = back[y // 2, y % 2, x_ // 2, x_ % 2][None]
        torch.testing.assert_close(cells, added[1, rank].expand(len(cells), 3))


def test_a_block_turns_by_its_centre():
    rope = AxialRope(8)
    cos, _ = rope.rotation_with_blocks(SIDE)
    whole, _ = rope.rotation(SIDE, SIDE)
    assert torch.equal(cos[16:], whole)
    # The second block of the first row: x = 2.5, y = 0.5, at the frequency of the first pair, 1.
    assert math.isclose(cos[1, 0].item(), math.cos(2.5), abs_tol=1e-6)
    assert math.isclose(cos[1, 2].item(), math.cos(0.5), abs_tol=1e-6)


def test_a_frame_that_is_even_within_blocks_loses_nothing_but_place(monkeypatch):
    """With queries and keys that aren't turned and have no place, merging changes nothing."""
    monkeypatch.setattr(memory_attention, "rotate", lambda x, cos, sin: x)
    monkeypatch.setattr(
        memory_attention, "sine_map", lambda c, h, w, device: torch.zeros(1, c, h, w)
    )
    model, generator = random_model(), torch.Generator().manual_seed(1)
    attention, config = model.memory_attention, model.config
    side = config.embedding_size
    half = torch.randn(1, config.dim, side // 2, side // 2, generator=generator)
    features = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    rows = torch.randn(side * side, config.memory_dim, generator=generator)
    memory = Memory(3, torch.randn(config.dim, generator=generator), 1.0, 1.0, rows)
    selection = Selection(((memory, 1),), ((memory, 1),), 15)
    with torch.inference_mode():
        tokens = model._memory_tokens(features, [selection], KeptKeys())
        merged = merged_frame(features, [selection])
        exact = attention(features, tokens)
        torch.testing.assert_close(attention(features, tokens, merged), exact, atol=1e-5, rtol=1e-4)
        uneven = features + torch.randn(features.shape, generator=generator)
        assert not torch.allclose(attention(uneven, tokens, merged), attention(uneven, tokens))
