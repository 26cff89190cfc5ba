"""What memory attention takes a shortcut for: kept keys, ages by linearity, values folded out."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sam2core import TrackerSettings, VideoTracker, attention_kernels, memory_attention
from sam2core.attention_kernels import attend, attend_in_pieces
from sam2core.kept_keys import KeptKeys
from sam2core.memory import Memory, Selection
from sam2core.position import rotate, sine_map
from tests.sam2core.conftest import moving_square, random_model

SIDE, CELLS, WIDTH, POINTERS = 4, 16, 32, 2


@pytest.fixture(scope="module")
def model():
    model = random_model()
    torch.nn.init.normal_(model.memory_time)
    return model


@pytest.fixture(scope="module")
def selections(model):
    generator = torch.Generator().manual_seed(1)

    def memory(index):
        features = torch.randn(CELLS, WIDTH, generator=generator).bfloat16()
        return Memory(index, torch.randn(64, generator=generator), 1.0, 1.0, features)

    return [
        Selection(
            tuple((memory(i), age) for i, age in enumerate((0, 2, 1))),
            tuple((memory(i), 1 + i) for i in range(POINTERS)),
            15,
        )
        for _ in range(2)
    ]


@pytest.fixture
def embedding(model):
    with torch.inference_mode():
        side = model.config.image_size
        pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))
        return model.encode_image(pixels)


def plain_cross_attention(layer, x, model, selection, rope):
    """As the paper has it: every key and value projected from the memory with its place and age."""
    place = sine_map(WIDTH, SIDE, SIDE, x.device).flatten(2).transpose(1, 2)[0]
    keys, values = [], []
    for memory, age in selection.spatial:
        features = memory.features.float()
        keys.append(rotate(layer.k(features + place + model.memory_time[age - 1]), *rope))
        values.append(layer.v(features))
    times = model._pointer_times([selection], x.device)[0]
    for (memory, _), time in zip(selection.pointers, times, strict=True):
        tokens = memory.pointer.view(-1, WIDTH)
        keys.append(layer.k(tokens + time))
        values.append(layer.v(tokens))
    q, k, v = rotate(layer.q(x), *rope), torch.cat(keys)[None], torch.cat(values)[None]
    return layer.out(F.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize(("folded", "batched"), [(True, False), (True, True), (False, True)])
def test_cross_attention_is_that_of_the_paper(
    monkeypatch, model, selections, embedding, folded, batched
):
    """Ages by linearity, and values folded out or not, change nothing."""
    monkeypatch.setattr(memory_attention, "folds_values", lambda x, masked=False: folded)
    x = torch.randn(1, CELLS, 64, generator=torch.Generator().manual_seed(3))
    rope = model.memory_attention.rope.rotation(SIDE, SIDE)
    with torch.inference_mode():
        memory = model._memory_tokens(embedding.features, selections, KeptKeys())
        assert memory.folded == folded
        batches = list(model.memory_attention.batches(memory)) if batched else []
        for i, layer in enumerate(model.memory_attention.layers):
            seen = batches[i] if batched else memory_attention.FoldedMemories(i, memory)
            found = layer.cross_attention(x, seen, rope)
            assert len(found) == len(selections)
            for row, selection in zip(found, selections, strict=True):
                plain = plain_cross_attention(layer.cross_attention, x, model, selection, rope)
                torch.testing.assert_close(row, plain[0], atol=1e-5, rtol=1e-4)


def test_kept_keys_are_those_that_are_made_anew(model, selections, embedding):
    with torch.inference_mode():
        anew = model.recall(embedding, selections).features
        kept = KeptKeys(2**20)
        assert torch.equal(model.recall(embedding, selections, kept).features, anew)
        assert len(kept) == 6
        # The second time from what is kept: other keys there are other answers.
        assert torch.equal(model.recall(embedding, selections, kept).features, anew)
        for keys in kept._kept.values():
            keys.keys.zero_()
        assert not torch.allclose(model.recall(embedding, selections, kept).features, anew)


def test_keys_go_with_the_memories_they_are_of(model, embedding):
    features = [torch.randn(CELLS, WIDTH) for _ in range(3)]
    memories = [Memory(i, torch.randn(64), 1.0, 1.0, each) for i, each in enumerate(features)]
    kept = KeptKeys(2**20)
    with torch.inference_mode():
        seen = Selection(tuple((m, i) for i, m in enumerate(memories)), (), 15)
        model.recall(embedding, [seen], kept)
        assert len(kept) == 3
        del seen, memories
        features.pop()
        gc.collect()
        assert len(kept) == 2


def test_no_more_is_kept_than_there_is_room_for(model, selections, embedding):
    with torch.inference_mode():
        anew = model.recall(embedding, selections).features
        one = 4 * 2 * CELLS * 64  # float32, two layers
        kept = KeptKeys(one * (model.config.num_memories + 4))  # all ages, and four memories
        assert torch.equal(model.recall(embedding, selections, kept).features, anew)
        assert len(kept) == 4
        assert torch.equal(model.recall(embedding, selections, kept).features, anew)


def test_keys_of_another_dtype_are_not_taken(model, selections, embedding):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        kept, half = KeptKeys(2**20), model.recall(embedding, selections).features
        assert torch.equal(model.recall(embedding, selections, kept).features, half)
    with torch.inference_mode():
        exact = model.recall(embedding, selections).features
        assert torch.equal(model.recall(embedding, selections, kept).features, exact)


@pytest.mark.parametrize("budget", [0, 1, None])
def test_masks_do_not_depend_on_what_is_kept(model, budget):
    def logits(**settings) -> torch.Tensor:
        tracker = VideoTracker(model, settings=TrackerSettings(**settings))
        frames = moving_square(5)
        tracker.step(frames[0], masks={1: square(5, 7), 2: square(25, 8)})
        return torch.stack([tracker.step(frame).logits for frame in frames[1:]])

    assert torch.equal(logits(keys_budget_mb=budget), logits(keys_budget_mb=16))


def square(x: int, y: int) -> np.ndarray:
    mask = np.zeros((48, 80), bool)
    mask[y : y + 12, x : x + 12] = True
    return mask


def test_a_budget_below_zero_is_refused():
    with pytest.raises(ValueError, match="keys_budget_mb and fill_hole_area at least 0"):
        TrackerSettings(keys_budget_mb=-1)


@pytest.mark.parametrize("shape", [(1, 4, 600, 600), (5, 2, 49, 196), (3, 1, 16, 64)])
def test_attention_in_bfloat16_is_torchs_but_for_rounding(monkeypatch, shape):
    monkeypatch.setattr(attention_kernels, "cpu_has_amx", lambda: False)
    monkeypatch.setattr(attention_kernels, "SCORES_AT_ONCE", 2**16)
    generator = torch.Generator().manual_seed(0)
    count, heads, queries, keys = shape
    q, k, v = (
        torch.randn(count, n, heads, 24, generator=generator).transpose(1, 2)
        for n in (queries, keys, keys)
    )
    exact = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attend(q, k, v), exact)
    with torch.no_grad():
        found = attend(*(t.bfloat16() for t in (q, k, v)))
    assert found.dtype == torch.bfloat16
    theirs = F.scaled_dot_product_attention(*(t.bfloat16() for t in (q, k, v)))
    error, usual = ((t.float() - exact).abs().mean() for t in (found, theirs))
    assert error < 1.5 * usual


def test_pieces_of_any_size_make_up_the_whole(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, n, 24, generator=generator) for n in (50, 70))
    v = torch.randn(2, 70, 8, generator=generator)
    exact = (q @ k.transpose(1, 2) / 24**0.5).softmax(-1) @ v
    for rows in (1, 7, 50, 1000):
        monkeypatch.setattr(attention_kernels, "ROWS_AT_ONCE", rows)
        with torch.inference_mode():
            torch.testing.assert_close(attend_in_pieces(q, k, v), exact)


def test_gradients_pass_through_all_of_it(model, selections, embedding):
    trained = random_model().requires_grad_(True)
    image = type(embedding)(*(torch.randn(1, 64, SIDE, SIDE), embedding.fine))
    trained.recall(image, selections).features.sum().backward()
    for layer in trained.memory_attention.layers:
        for name, weight in layer.cross_attention.named_parameters():
            assert name == "k.bias" or weight.grad.abs().sum() > 0
    assert trained.memory_time.grad.abs().sum() > 0
