import numpy as np
import pytest
import torch

from training.clipseg import PATCH, ClipSegTask, dice_loss, forward, patch_loss, patch_shares
from training.scenes import LabelledScene
from training.stuff_metrics import stuff_iou


def test_patch_shares_by_hand():
    labels = torch.full((1, PATCH, 2 * PATCH), -1)
    labels[0, : PATCH // 2, :PATCH] = 0
    labels[0, :, PATCH:] = 2
    assert patch_shares(labels, 3).tolist() == [[[0.5, 0, 0], [0, 0, 1]]]


def test_the_patch_loss_counts_patches_that_are_mostly_stuff():
    shares = torch.tensor([[[1.0, 0.0], [0.4, 0.0]]])
    logits = torch.tensor([[[9.0, 0.0], [0.0, 9.0]]])
    assert patch_loss(logits, shares) < 1e-3
    assert patch_loss(logits.flip(1), shares) > 8


def test_dice_by_hand():
    truth = torch.zeros(1, 10, 10)
    truth[0, :5] = 1
    sure = 20 * (2 * truth - 1)
    assert float(dice_loss(sure, truth)) == pytest.approx(0, abs=1e-4)
    assert float(dice_loss(-sure, truth)) == pytest.approx(1 - 20 / 120, abs=1e-4)


def test_stuff_iou_by_hand_ignores_what_is_not_stuff():
    ids = np.array([[1, 1, 2, 2], [1, 1, 2, 3]])
    scene = LabelledScene(np.zeros((2, 4, 3), np.uint8), ids, {3: "cat"}, {1: "sky", 2: "sand"})
    predicted = np.array([[[0, 0, 0, 1], [0, 0, 1, 2]]])
    result = stuff_iou(predicted, [scene], ["sky", "sand", "road"])
    assert result.by_name == {"sky": 0.8, "sand": pytest.approx(2 / 3, abs=1e-4)}
    assert result.mean == pytest.approx((0.8 + 2 / 3) / 2)
    assert result.accuracy == pytest.approx(6 / 7)


def test_the_training_forward_is_the_model_s_own():
    task = ClipSegTask(None, ["cat"], ["sky", "road"])
    torch.manual_seed(0)
    model = task.build().eval()
    pixels = torch.randn(1, 3, 192, 192)
    input_ids, attention_mask = task.table
    with torch.no_grad():
        ours, _ = forward(model, pixels, task.embed_words(model)[None])
        theirs = model(
            pixel_values=pixels.expand(len(input_ids), -1, -1, -1),
            input_ids=input_ids,
            attention_mask=attention_mask,
        ).logits
    assert torch.allclose(ours[0], theirs, atol=1e-5)


def test_both_towers_learn():
    task = ClipSegTask(None, ["cat"], ["sky", "road"])
    model = task.build()
    ids = np.ones((192, 192), np.int32)
    ids[100:] = 2
    scene = LabelledScene(np.zeros((192, 192, 3), np.uint8), ids, {}, {1: "sky", 2: "road"})
    batch = task.collate([scene], np.random.default_rng(0), 0)
    loss, parts = task.loss(model, batch, 0)
    loss.backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Positions of later words, words that aren't in the table, and the class token's last layer.
    assert all("embedding" in name or "position" in name for name in silent), silent
    assert set(parts) == {"pixel", "dice", "patch"}
