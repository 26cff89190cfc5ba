from dataclasses import replace

import pytest
import torch

from sam2core import ImageEmbedding, Memory, MemoryBank, Prompt, Sam2Config
from sam2core.mask_decoder import MaskPrediction, single_mask
from tests.sam2core.conftest import TINY, random_model


@pytest.fixture(scope="module")
def embedding(model) -> ImageEmbedding:
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    return model.encode_image(pixels)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    scale = float(b.abs().mean())
    torch.testing.assert_close(a, b, atol=2e-5 * scale + 1e-6, rtol=1e-4)


def points(*rows) -> Prompt:
    """One row a prompt, of (x, y, label)."""
    table = torch.tensor(rows, dtype=torch.float32)
    return Prompt(table[..., :2], table[..., 2].long())


PROMPTS = points([(10, 12, 1), (50, 9, 0)], [(33, 40, 1), (3, 3, 1)], [(5, 6, 2), (40, 44, 3)])


def test_a_batch_of_images_equals_single_images(model):
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    batch = model.encode_image(pixels)
    for i in range(3):
        single = model.encode_image(pixels[i : i + 1])
        close(batch.features[i : i + 1], single.features)
        for a, b in zip(batch[i : i + 1].fine, single.fine, strict=True):
            close(a, b)


@pytest.mark.parametrize("multimask", [False, True])
def test_a_batch_of_prompts_equals_single_prompts(model, embedding, multimask):
    conditioned = model.recall(embedding)
    batch = model.segment(conditioned, PROMPTS, multimask)
    assert batch.logits.shape == (3, 3 if multimask else 1, 16, 16)
    assert batch.pointer.shape == (3, 3 if multimask else 1, 64)
    for i in range(3):
        single = model.segment(conditioned, PROMPTS[i : i + 1], multimask)
        for name in ("logits", "iou", "pointer", "presence"):
            close(getattr(batch, name)[i : i + 1], getattr(single, name))
    assert float((batch.logits[0] - batch.logits[1]).std()) > 0.01 * float(batch.logits.std())


def test_padding_has_no_influence(model, embedding):
    conditioned = model.recall(embedding)
    padded = points([(10, 12, 1), (0, 0, -1), (60, 60, -1)], [(1, 2, 1), (9, 9, 0), (7, 30, 1)])
    batch = model.segment(conditioned, padded)
    close(batch.logits[:1], model.segment(conditioned, points([(10, 12, 1)])).logits)
    full = points([(1, 2, 1), (9, 9, 0), (7, 30, 1)])
    close(batch.logits[1:], model.segment(conditioned, full).logits)


def test_a_row_of_padding_is_an_empty_prompt(model, embedding):
    mixed = points([(10, 12, 1)], [(0, 0, -1)])
    empty = Prompt.empty(1, torch.device("cpu"))
    answer = model.segment(embedding, mixed)
    close(answer.logits[1:], model.segment(embedding, empty).logits)


def test_earlier_logits_matter(model, embedding):
    prompt = points([(10, 12, 1)])
    logits = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(4)) * 5
    plain = model.segment(embedding, prompt).logits
    refined = model.segment(embedding, Prompt(prompt.points, prompt.labels, logits)).logits
    assert float((plain - refined).std()) > 0.05 * float(plain.std())


def banks(model, embedding, count: int, frames: int = 3) -> list[MemoryBank]:
    generator = torch.Generator().manual_seed(7)
    result = []
    for _ in range(count):
        bank = MemoryBank()
        for t in range(frames):
            logits = torch.randn(1, 1, 16, 16, generator=generator) * 4
            presence = torch.ones(1, 1)
            features = model.remember(embedding, logits, presence)[0]
            pointer = torch.randn(64, generator=generator)
            bank.add(Memory(t, pointer, 1.0, 1.0, features), prompted=t == 0)
        result.append(bank)
    return result


def test_a_batch_of_objects_is_recalled_like_single_objects(model, embedding):
    selections = [b.select(3) for b in banks(model, embedding, 3)]
    batch = model.recall(embedding, selections)
    assert batch.features.shape == (3, 64, 4, 4)
    for i, selection in enumerate(selections):
        close(batch.features[i : i + 1], model.recall(embedding, [selection]).features)
    assert float((batch.features[0] - batch.features[1]).std()) > 0.01


def test_objects_of_different_extent_are_refused(model, embedding):
    long, short = banks(model, embedding, 1)[0], banks(model, embedding, 1, frames=2)[0]
    with pytest.raises(ValueError, match="group them by Selection"):
        model.recall(embedding, [long.select(3), short.select(3)])


def test_2_0_has_neither_pointer_time_nor_a_mark_of_absence(embedding):
    old = random_model(
        Sam2Config(**{**TINY.__dict__, "version": Sam2Config.preset("tiny", "2.0").version})
    )
    assert not hasattr(old, "pointer_time")
    assert not hasattr(old, "absent")
    selections = [b.select(3) for b in banks(old, embedding, 1)]
    assert old.recall(embedding, selections).features.isfinite().all()


def test_an_absent_object_leaves_its_mark_in_memory(model, embedding):
    logits = torch.full((1, 1, 16, 16), -1024.0)
    present = model.remember(embedding, logits, torch.tensor([[1.0]]))
    absent = model.remember(embedding, logits, torch.tensor([[-1.0]]))
    torch.testing.assert_close(absent - present, model.absent.expand_as(present[0])[None])


def test_gate_empties_absent_objects():
    model = random_model()
    prediction = MaskPrediction(
        torch.ones(2, 1, 4, 4),
        torch.ones(2, 1),
        torch.ones(2, 1, 64),
        torch.tensor([[1.0], [-1.0]]),
    )
    gated = model.gate(prediction)
    assert bool((gated.logits[0] == 1).all())
    assert bool((gated.logits[1] == -1024).all())
    torch.testing.assert_close(gated.pointer[1], model.no_pointer)


def test_adopted_masks_are_the_answer(model, embedding):
    masks = torch.zeros(2, 1, 64, 64)
    masks[0, 0, 16:48, 8:40] = 1
    prediction = model.adopt(embedding, masks)
    assert bool(((prediction.logits[0, 0] > 0) == (masks[0, 0, ::4, ::4] > 0)).all())
    assert prediction.presence.flatten().tolist() == [10.0, -10.0]
    torch.testing.assert_close(prediction.pointer[1], model.no_pointer)
    with pytest.raises(ValueError, match=r"masks must be \(N, 1, 64, 64\)"):
        model.adopt(embedding, masks[:, 0])


def test_an_unstable_single_mask_gives_way_to_the_best_of_three():
    logits = torch.full((1, 4, 4, 4), -1.0)
    logits[0, :, :2] = 1.0
    logits[0, 2] = 3.0  # the second of the three, all foreground
    iou = torch.tensor([[0.9, 0.1, 0.8, 0.3]])
    pointer = torch.arange(4.0).view(1, 4, 1)
    prediction = MaskPrediction(logits, iou, pointer, torch.ones(1, 1))
    assert torch.equal(single_mask(prediction).logits, logits[:, :1])
    logits[0, 0, 0, 0] = 0.01  # one of eight cells depends on the threshold
    answer = single_mask(prediction)
    assert torch.equal(answer.logits, logits[:, 2:3])
    assert answer.iou.tolist() == [[pytest.approx(0.8)]]
    assert answer.pointer.item() == 0.0
    assert torch.equal(single_mask(prediction, dynamic=False).logits, logits[:, :1])


def test_gradients_reach_every_trained_part(embedding):
    model = random_model().requires_grad_(True)
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    image = model.encode_image(pixels)
    first = model.segment(model.recall(image), PROMPTS, multimask_output=True)
    features = model.remember(image, first.logits[:, :1], -torch.ones(3, 1))
    memories = [Memory(0, first.pointer[i, 0], 1.0, 1.0, features[i]) for i in range(3)]
    seen = []
    for m in memories:
        bank = MemoryBank()
        bank.add(m, prompted=True)
        seen.append(bank.select(1))
    second = model.segment(model.recall(image, seen), PROMPTS, dynamic=False)
    loss = first.logits.square().mean() + first.iou.sum()
    loss = loss + second.logits.square().mean() + second.iou.sum() + second.presence.sum()
    masks = model.adopt(image, torch.ones(1, 1, 64, 64)).pointer.sum()
    (loss + masks).backward()
    untouched = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert untouched <= {"no_memory_position", "no_pointer"}


def test_shapes_are_checked(model):
    with pytest.raises(ValueError, match=r"pixels must be \(B, 3, 64, 64\)"):
        model.encode_image(torch.zeros(1, 3, 32, 64))
    with pytest.raises(ValueError, match=r"points must be \(N, K, 2\)"):
        Prompt(torch.zeros(3, 2), torch.zeros(3))
    with pytest.raises(ValueError, match=r"labels must be \(N, K\)"):
        Prompt(torch.zeros(3, 2, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="image_size must be a positive multiple of 32"):
        Sam2Config(image_size=100)
    with pytest.raises(ValueError, match="size must be one of"):
        Sam2Config.preset("huge")


def test_a_block_that_pools_cannot_be_global():
    with pytest.raises(ValueError, match="must attend in windows"):
        replace(TINY, global_blocks=(sum(TINY.blocks[:3]),))
