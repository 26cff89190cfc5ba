import json
from pathlib import Path

import numpy as np
import pytest
import torch

from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import World
from sam2core import MaskPrediction, Prompt, Sam2Config, load
from sam2core.prompt_encoder import BOTTOM_RIGHT, NEGATIVE, PADDING, POSITIVE, TOP_LEFT
from training import sam2_images
from training.loop import Settings, Trainer
from training.sam2_clips import ClipTask
from training.sam2_images import ImageTask, answers_loss
from training.sam2_loss import Truth, box_region, mask_loss, prompt_loss, true_iou
from training.sam2_metrics import largest_error, mask_iou
from training.sam2_model import CONFIG, build_model, decode
from training.sam2_prompts import (
    as_prompt,
    box_of,
    box_points,
    correction,
    empty_box,
    jitter_box,
    middle_point,
    spread_points,
    stuff_prompt,
    thing_prompt,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    """Scenes of the one vendor that comes as a package: the others must be fetched first."""
    world = World(load_artwork(("twemoji",)), seed=5, textures=1)
    monkeypatch.setattr(sam2_images, "training_worlds", lambda seed: (world,))
    monkeypatch.setattr("training.sam2_clips.training_worlds", lambda seed: (world,))


def square(side: int, top: int, left: int, size: int) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[top : top + size, left : left + size] = True
    return mask


# --- prompts ---


def test_box_has_exclusive_far_sides():
    assert box_of(square(8, 1, 2, 3)) == (2, 1, 5, 4)
    assert box_points((2, 1, 5, 4)) == [(2, 1, TOP_LEFT), (5, 4, BOTTOM_RIGHT)]


def test_jitter_moves_each_side_by_at_most_twice_its_share(rng):
    moved = np.array([jitter_box((20, 30, 60, 50), rng, 0.1, (100, 100)) for _ in range(200)])
    off = np.abs(moved - (20, 30, 60, 50))
    assert (off.max(0) <= (8, 4, 8, 4)).all()
    assert (off.max(0) > (4, 2, 4, 2)).all()


def test_middle_of_a_square_is_its_centre_and_the_rim_counts_as_edge():
    assert middle_point(square(9, 2, 2, 5)) == (4, 4)
    assert middle_point(np.ones((5, 5), bool)) == (2, 2)


def test_spread_points_lie_inside_and_apart(rng):
    mask = square(64, 10, 10, 40)
    points = spread_points(mask, rng, 6, NEGATIVE)
    assert [label for *_, label in points] == [NEGATIVE] * 6
    assert all(mask[int(y), int(x)] for x, y, _ in points)
    xy = np.array(points)[:, :2]
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 99 * np.eye(6)
    assert gaps.min() > 8


def test_things_get_points_inside_and_stuff_gets_several(rng):
    thing, other = square(32, 4, 4, 8), square(32, 20, 20, 8)
    for _ in range(60):
        for x, y, label in thing_prompt(thing, other, rng):
            if label == POSITIVE:
                assert thing[int(y), int(x)]
            if label == NEGATIVE:
                assert not thing[int(y), int(x)]
        stuff = stuff_prompt(~thing & ~other, rng)
        assert all((~thing & ~other)[int(y), int(x)] for x, y, k in stuff if k == POSITIVE)


def test_empty_box_has_nothing_in_it_or_is_none(rng):
    free = ~square(40, 0, 0, 20)
    (left, top, _), (right, bottom, _) = empty_box(free, rng)
    assert free[int(top) : int(bottom), int(left) : int(right)].all()
    assert empty_box(np.zeros((40, 40), bool), rng) is None


def test_prompts_are_padded_and_scaled():
    prompt = as_prompt([[(3, 4, POSITIVE)], box_points((0, 0, 8, 6))], (2.0, 0.5), 3)
    assert prompt.labels.tolist() == [
        [POSITIVE, PADDING, PADDING],
        [TOP_LEFT, BOTTOM_RIGHT, PADDING],
    ]
    assert prompt.points[0, 0].tolist() == [6.0, 2.0]


def test_correction_clicks_what_is_missing_or_too_much():
    truth = torch.zeros(2, 12, 12)
    truth[0, 2:6, 2:6] = 1  # nothing of it was found
    logits = torch.full((2, 1, 12, 12), -40.0)
    logits[1, 0, 6:10, 6:10] = 40  # all of this is wrong
    corrected = correction(as_prompt([[(0, 0, POSITIVE)]] * 2, (1, 1), 1), logits, truth)
    assert corrected.labels[:, 1].tolist() == [POSITIVE, NEGATIVE]
    cells = ((corrected.points[:, 1] + 0.5) / 4 - 0.5).long()
    assert truth[0, cells[0, 1], cells[0, 0]] == 1
    assert logits[1, 0, cells[1, 1], cells[1, 0]] > 0
    assert corrected.mask_logits.abs().max() == 32


# --- losses ---


def test_box_region_is_the_box_with_a_margin():
    masks = torch.zeros(1, 10, 10)
    masks[0, 4, 3], masks[0, 5, 6] = 1, 1
    expected = torch.zeros(10, 10)
    expected[3:7, 2:8] = 1
    assert torch.equal(box_region(masks, 1)[0], expected)
    assert box_region(torch.zeros(1, 4, 4)).sum() == 0


def test_mask_loss_by_hand():
    # All logits 0: entropy is ln 2 everywhere, and dice is 1 - (2*8+1) / (32+16+1).
    masks = torch.zeros(1, 8, 8)
    masks[0, :4, :4] = 1
    truth = Truth(masks, torch.zeros(1, 8, 8), torch.ones(1))
    loss = mask_loss(torch.zeros(1, 1, 8, 8), truth)
    assert loss.item() == pytest.approx(2 * np.log(2) + 1 - 17 / 49, rel=1e-5)


def test_other_things_cost_more_than_background():
    masks, others = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    masks[0, :4, :4] = 1
    others[0, 10:14, 10:14] = 1
    on_other, on_ground = torch.full((2, 1, 1, 16, 16), -4.0)
    on_other[..., 10:14, 10:14] = 4
    on_ground[..., 10:14, 2:6] = 4
    truth = Truth(masks, others, torch.ones(1))
    assert mask_loss(on_other, truth) > mask_loss(on_ground, truth) + 1


def test_the_best_of_three_learns_and_the_absent_only_learn_presence():
    masks = torch.zeros(2, 8, 8)
    masks[0, 2:6, 2:6] = 1
    logits = torch.zeros(2, 4, 8, 8, requires_grad=True)
    with torch.no_grad():
        logits[0, 2] = masks[0] * 8 - 4
    presence = torch.zeros(2, 1, requires_grad=True)
    prediction = MaskPrediction(logits, torch.full((2, 4), 0.5), torch.zeros(2, 4, 3), presence)
    truth = Truth(masks, torch.zeros(2, 8, 8), torch.tensor([1.0, 0.0]))
    total, parts = prompt_loss(prediction, truth, torch.tensor([True, True]))
    total.backward()
    moved = logits.grad.abs().sum((-2, -1)) > 0
    assert moved.tolist() == [[True, False, True, False], [False] * 4]
    assert presence.grad[0] < 0 < presence.grad[1]
    assert parts["presence"].item() == pytest.approx(np.log(2))
    assert true_iou(logits, masks)[0, 2] == 1


def test_what_shows_too_little_teaches_nothing():
    masks = torch.ones(1, 8, 8)
    presence = torch.zeros(1, 1, requires_grad=True)
    logits = torch.zeros(1, 4, 8, 8, requires_grad=True)
    prediction = MaskPrediction(logits, torch.zeros(1, 4), torch.zeros(1, 4, 3), presence)
    truth = Truth(masks, torch.zeros(1, 8, 8), torch.tensor([-1.0]))
    total, _ = prompt_loss(prediction, truth, torch.tensor([False]))
    total.backward()
    assert presence.grad.abs().sum() == 0
    assert logits.grad.abs().sum() == 0


# --- metrics ---


def test_the_largest_error_is_clicked_in_its_middle():
    truth, found = square(20, 2, 2, 8), square(20, 2, 2, 8)
    found[12:17, 12:17] = True
    assert largest_error(found, truth) == (14, 14, NEGATIVE)
    assert largest_error(np.zeros_like(truth), truth)[2] == POSITIVE
    assert largest_error(truth, truth)[2] == POSITIVE
    assert mask_iou(square(8, 0, 0, 4), square(8, 0, 2, 4)) == pytest.approx(8 / 24)


# --- the model and its training ---


def test_prompt_and_image_start_by_looking_for_equal_places():
    torch.manual_seed(0)
    model = build_model()
    position = model.prompt_encoder.position
    grid = position.grid(12, 12)[0].flatten(1).T
    point = position(torch.tensor([[(4 + 0.5) / 12, (7 + 0.5) / 12]]))
    attention = model.mask_decoder.transformer.blocks[0].token_to_image
    likeness = (attention.q(point) @ attention.k(grid).T)[0]
    assert likeness.argmax() == 7 * 12 + 4


def test_decode_gives_what_segment_gives():
    torch.manual_seed(0)
    model = build_model().eval()
    prompt = Prompt(torch.tensor([[[30.0, 40.0]], [[90.0, 20.0]]]), torch.tensor([[1], [0]]))
    with torch.no_grad():
        embedding = model.recall(model.encode_image(torch.randn(1, 3, 192, 192)))
        every = decode(model, embedding, prompt)
        three = model.segment(embedding, prompt, multimask_output=True)
        one = model.segment(embedding, prompt, dynamic=False)
    assert torch.equal(every.logits[:, 1:], three.logits)
    assert torch.equal(every.logits[:, :1], one.logits)


def test_batches_follow_from_the_seed_and_hold_real_prompts():
    task = ImageTask()
    stills = [task.draw(i) for i in (1, 2)]
    batch = task.collate(stills, np.random.default_rng(3), 10)
    again = task.collate([task.draw(i) for i in (1, 2)], np.random.default_rng(3), 10)
    assert torch.equal(batch["pixels"], again["pixels"])
    assert torch.equal(batch["points"], again["points"])
    assert batch["pixels"].shape == (2, 3, 192, 192)
    assert batch["masks"].shape == batch["others"].shape == (16, 48, 48)
    there = batch["present"] > 0
    assert (batch["masks"][there].flatten(1).max(1).values > 0).all()
    assert (batch["masks"][~there] == 0).all()
    assert (batch["masks"] * batch["others"]).max() <= 0.25 + 1e-6  # they share cells at edges


def test_the_first_steps_ask_for_the_box_itself():
    task = ImageTask(warmup_steps=5)
    batch = task.collate([task.draw(1)], np.random.default_rng(0), 0)
    assert batch["rounds"] == 1
    boxes = batch["labels"][:, 0] == TOP_LEFT
    assert boxes.any()
    for row in torch.where(boxes)[0]:
        (left, top), (right, bottom) = batch["points"][row] / 4
        area = (right - left) * (bottom - top)
        assert batch["masks"][row].sum().item() == pytest.approx(area.item(), rel=0.2, abs=3)


SMALL = {"batch_size": 1, "workers": 0, "warmup_steps": 2, "clip_norm": 1.0}


def test_some_steps_on_one_scene_lower_its_loss():
    torch.manual_seed(0)
    task, model = ImageTask(), build_model()
    batch = task.collate([task.draw(4)], np.random.default_rng(0), 10) | {"rounds": 1}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss, _ = task.loss(model, batch, 0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.85 * losses[0]


@pytest.mark.parametrize("rounds", [1, 3])
def test_every_round_of_answers_gives_a_gradient(rounds):
    torch.manual_seed(0)
    task, model = ImageTask(), build_model()
    batch = task.collate([task.draw(4)], np.random.default_rng(0), 10) | {"rounds": rounds}
    embedding = model.recall(model.encode_image(batch["pixels"]))
    loss, parts = answers_loss(model, embedding, batch)
    loss.backward()
    assert 0 <= parts["found"] <= 1
    embedded = model.prompt_encoder.mask_embedding[0].weight.grad
    assert (embedded is not None) == (rounds > 1)


@pytest.mark.parametrize("kind", ["mask", "box", "point"])
def test_following_a_clip_reaches_the_memory(kind, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr("training.sam2_clips.LENGTHS", (8,))
    task = ClipTask(0, build_model().state_dict())
    excerpt = task.draw(3)
    for seed in range(50):
        batch = task.collate([excerpt], np.random.default_rng(seed), 0)
        if batch["kind"] == kind:
            break
    assert batch["kind"] == kind
    count = batch["pixels"].shape[1]
    assert batch["masks"].shape == (count, 4, 48, 48)
    assert (batch["states"][0] == 1).all()
    assert batch["times"] == sorted(set(batch["times"]))
    model = task.build()
    loss, parts = task.loss(model, batch, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert set(parts) == {"mask", "iou", "presence", "found", "still"}
    # The keys of later memories matter only where there are several; the first of all must learn.
    for parameter in (
        model.memory_encoder.out.weight,
        model.memory_attention.layers[0].cross_attention.k.weight,
        model.memory_time,
    ):
        assert parameter.grad.abs().sum() > 0
    assert (model.mask_to_logits.weight.grad is not None) == (kind == "mask")


def test_a_run_resumes_to_the_same_and_its_export_loads(tmp_path):
    whole = Trainer(ImageTask(), Settings(steps=4, **SMALL), tmp_path / "whole")
    whole.task.evaluate = lambda model: {}
    whole.run()
    halved = Trainer(ImageTask(), Settings(steps=4, **SMALL), tmp_path / "halved")
    halved.task.evaluate = lambda model: {}
    for stream_step in range(2):
        batch = halved.task.collate(
            [halved.task.draw(s) for s in _seeds(stream_step)],
            np.random.default_rng([0, 2, stream_step]),
            stream_step,
        )
        halved._train_step(batch)
    halved.save()
    resumed = Trainer(ImageTask(), Settings(steps=4, **SMALL), tmp_path / "halved")
    resumed.task.evaluate = lambda model: {}
    resumed.resume()
    resumed.run()
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)

    whole.task.export(whole.averaged, tmp_path / "export")
    loaded = load(tmp_path / "export")
    assert loaded.config == CONFIG
    half = build_model()
    half.load_state_dict({k: v.half().float() for k, v in whole.averaged.state_dict().items()})
    prompt = Prompt(torch.tensor([[[30.0, 40.0]]]), torch.tensor([[1]]))
    pixels = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masks = [m.segment(m.recall(m.encode_image(pixels)), prompt) for m in (half.eval(), loaded)]
    assert torch.equal(masks[0].logits, masks[1].logits)


def _seeds(step: int) -> list[int]:
    from training.data import Recipe, sample_seeds

    return sample_seeds(Recipe(lambda seed: seed, lambda *_: {}, 1), step)


WEIGHTS = Path(__file__).parents[2] / "panoptic" / "demo" / "weights" / "sam2"


def test_the_shipped_weights_are_of_this_configuration_and_small():
    assert isinstance(CONFIG, Sam2Config)
    assert load(WEIGHTS).config == CONFIG
    assert (WEIGHTS / "model.safetensors").stat().st_size < 7e6
    assert json.loads((WEIGHTS / "config.json").read_text())["model_type"] == "sam2_video"
