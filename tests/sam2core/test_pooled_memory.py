"""Memories of fewer tokens: which are pooled, and that a pooled key counts for four."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from sam2core import Memory, TrackerSettings, VideoTracker, memory_attention, pooled_memory
from sam2core import model as model_module
from sam2core.attention_kernels import attend_in_pieces
from sam2core.kept_keys import KeptKeys
from sam2core.memory import Selection
from sam2core.pooled_memory import choose_places, pool_cells, pooled_count, with_pooled
from tests.sam2core.conftest import moving_square, random_model
from tests.sam2core.test_memory_keys import square

COMPACT = TrackerSettings(mode="compact")


def test_a_pooled_key_attends_as_the_four_that_it_stands_for():
    generator = torch.Generator().manual_seed(0)
    q, pooled, rest = (torch.randn(1, n, 16, generator=generator) for n in (30, 5, 7))
    value, others = (torch.randn(1, n, 8, generator=generator) for n in (5, 7))
    keys = torch.cat((pooled.repeat_interleave(4, dim=1), rest), dim=1)
    values = torch.cat((value.repeat_interleave(4, dim=1), others), dim=1)
    exact = F.scaled_dot_product_attention(q, keys, values)
    few = torch.cat((pooled, rest), dim=1), torch.cat((value, others), dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(attend_in_pieces(q, *few, 5, math.log(4)), exact)
        assert not torch.allclose(attend_in_pieces(q, *few), exact, atol=0.01)


def test_blocks_that_differ_within_stay_whole(monkeypatch):
    monkeypatch.setattr(pooled_memory, "WHOLE", 8)
    side = 8
    grid = torch.zeros(side, side, 3)
    grid[2:4, 4:6] = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    grid[5, 1] = 9.0
    features = grid.view(1, side * side, 3)
    [places] = choose_places(features[:, None], side)
    pooled = pooled_count(side)
    assert pooled == 14  # of 16 blocks an eighth is whole
    blocks, cells = places[:pooled].tolist(), (places[pooled:] - 16).tolist()
    assert set(blocks) == set(range(16)) - {6, 8}
    assert sorted(cells) == sorted([20, 21, 28, 29, 32, 33, 40, 41])
    tokens = with_pooled(features, side)[0, places]
    # Together they are the whole memory, without loss, for all that differs is whole.
    assert torch.allclose(4 * tokens[:pooled].sum(0) + tokens[pooled:].sum(0), grid.sum((0, 1)))
    assert torch.equal(tokens[pooled:], features[0, cells])


def test_no_layer_outweighs_another_in_what_stays_whole(monkeypatch):
    monkeypatch.setattr(pooled_memory, "WHOLE", 8)
    keys = torch.zeros(1, 2, 8, 8, 3)
    keys[0, 0, 0, 1], keys[0, 1, 6, 6] = 100.0, 1.0  # a block each, in layers of other sizes
    keys[0, 0, 2:4, 2] = 20.0
    [places] = choose_places(keys.view(1, 2, 64, 3), 8)
    assert set(range(16)) - set(places[:14].tolist()) == {0, 15}


def test_a_mean_is_that_of_neighbours():
    x = torch.arange(16.0).view(1, 16, 1)
    assert pool_cells(x, 4).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


@pytest.fixture(scope="module")
def model():
    return random_model()


def recalled(model, features, pooled, fold, monkeypatch):
    monkeypatch.setattr(memory_attention, "folds_values", lambda x, masked=False: fold)
    side = model.config.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))
    pointer = torch.randn(64, generator=torch.Generator().manual_seed(3))
    memories = [Memory(i, pointer, 1.0, 1.0, each) for i, each in enumerate(features)]
    seen = Selection(tuple((m, i) for i, m in enumerate(memories)), ((memories[1], 1),), 15)
    with torch.inference_mode():
        image = model.encode_image(pixels)
        return model.recall(image, [seen, seen], KeptKeys(), pooled).features


@pytest.mark.parametrize("fold", [True, False])
def test_memories_that_are_alike_all_over_lose_nothing_but_place(model, monkeypatch, fold):
    """With keys that aren't turned and have no place, pooling even features changes nothing."""
    monkeypatch.setattr(model_module, "merged_frame", lambda features, selections: None)
    monkeypatch.setattr(memory_attention, "rotate", lambda x, cos, sin: x)
    monkeypatch.setattr(
        memory_attention, "sine_map", lambda c, h, w, device: torch.zeros(1, c, h, w)
    )
    generator = torch.Generator().manual_seed(1)
    blocks = torch.randn(3, 4, 32, generator=generator)
    features = blocks.view(3, 2, 1, 2, 1, 32).expand(3, 2, 2, 2, 2, 32).reshape(3, 16, 32)
    exact = recalled(model, features, False, fold, monkeypatch)
    torch.testing.assert_close(recalled(model, features, True, fold, monkeypatch), exact)
    uneven = features + torch.randn(3, 16, 32, generator=generator)
    assert not torch.allclose(
        recalled(model, uneven, True, fold, monkeypatch),
        recalled(model, uneven, False, fold, monkeypatch),
    )


def test_both_kernels_say_the_same_of_fewer_tokens(model, monkeypatch):
    features = torch.randn(3, 16, 32, generator=torch.Generator().manual_seed(1))
    one, other = (recalled(model, features, True, fold, monkeypatch) for fold in (True, False))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_compact_follows_and_goes_on_from_exact(model):
    frames = moving_square(6)

    def tracker(settings):
        found = VideoTracker(model, settings=settings)
        found.step(frames[0], masks={1: square(5, 7), 2: square(25, 8)})
        return found

    compact, exact = tracker(COMPACT), tracker(TrackerSettings())
    other = [compact.step(frame).logits for frame in frames[1:5]]
    plain = [exact.step(frame).logits for frame in frames[1:5]]
    assert all(each.shape == whole.shape for each, whole in zip(other, plain, strict=True))
    assert not torch.equal(other[-1], plain[-1])
    # What is remembered is the same, so either mode goes on with the other's state.
    gone_on = VideoTracker(model, settings=COMPACT)
    gone_on.load_state(compact.state())
    assert torch.equal(gone_on.step(frames[5]).logits, compact.step(frames[5]).logits)
    exact.load_state(gone_on.state())
    assert exact.step(frames[5]).logits.isfinite().all()


def test_what_is_kept_of_a_memory_is_less_than_half(model):
    kept = KeptKeys(2**20)
    features = [torch.randn(16, 32)]
    seen = Selection(((Memory(0, torch.randn(64), 1.0, 1.0, features[0]), 0),), (), 15)
    with torch.inference_mode():
        side = model.config.image_size
        model.recall(model.encode_image(torch.zeros(1, 3, side, side)), [seen], kept, True)
    [made] = kept._kept.values()
    assert made.keys.shape[2] == len(made.places) == 3 + 4  # of 16 cells
    assert pooled_count(64) + 4 * (1024 - pooled_count(64)) == 1792  # at 1024 pixels, of 4096


def test_a_mode_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="mode must be one of"):
        TrackerSettings(mode="small")  # type: ignore[arg-type]
