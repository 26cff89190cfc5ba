import numpy as np
import pytest
import torch

from training.data import REUSE_STRIDE, Recipe, batches, sample_seeds, to_device
from training.scenes import LabelledScene


def collate(samples, rng, step):
    return {"samples": torch.tensor(samples), "draw": rng.random(), "step": step}


def recipe(**changes):
    return Recipe(**{"draw": lambda seed: seed, "collate": collate, "batch_size": 4} | changes)


def take(stream, count):
    return [next(stream) for _ in range(count)]


def same(a, b):
    return all(
        x["step"] == y["step"]
        and x["draw"] == y["draw"]
        and torch.equal(x["samples"], y["samples"])
        for x, y in zip(a, b, strict=True)
    )


def test_a_stream_that_starts_later_is_the_rest_of_the_stream():
    whole = take(batches(recipe(reuse=2), workers=0), 8)
    assert same(whole[5:], take(batches(recipe(reuse=2), start=5, workers=0), 3))


def test_the_number_of_workers_changes_nothing():
    alone = take(batches(recipe(reuse=2), workers=0), 7)
    assert same(alone, take(batches(recipe(reuse=2), workers=2), 7))
    assert [batch["step"] for batch in alone] == list(range(7))


def test_without_reuse_every_sample_is_new_and_seeds_make_other_samples():
    seeds = [seed for step in range(50) for seed in sample_seeds(recipe(), step)]
    assert len(set(seeds)) == 200
    assert not set(seeds) & {s for step in range(50) for s in sample_seeds(recipe(seed=1), step)}


def test_with_reuse_samples_come_back_after_the_stride():
    some = recipe(reuse=2)
    first = sample_seeds(some, 100)
    later = sample_seeds(some, 100 + REUSE_STRIDE)
    assert first[:2] == later[2:]
    assert len({*first, *later}) == 6


def test_reused_samples_are_drawn_once():
    drawn = []

    def draw(seed):
        drawn.append(seed)
        return seed

    seen = take(batches(recipe(draw=draw, reuse=4), workers=0), 4 * REUSE_STRIDE)
    assert len(drawn) == len(set(drawn)) == len({int(s) for b in seen for s in b["samples"]})


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="reuse=3"):
        recipe(reuse=3)


def test_to_device_keeps_the_nest():
    batch = {"a": [torch.ones(1), (torch.zeros(2), "x")], "b": 3}
    moved = to_device(batch, torch.device("meta"))
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == "meta"
    assert moved["a"][1][1] == "x"
    assert moved["b"] == 3


def test_generators_differ_between_steps():
    draws = {b["draw"] for b in take(batches(recipe(), workers=0), 20)}
    assert len(draws) == 20
    assert np.isfinite(list(draws)).all()


def test_a_crop_enlarges_picture_and_ids_alike_and_forgets_what_is_cut_off():
    ids = np.zeros((160, 160), np.int32)
    ids[60:100, 60:100] = 1
    ids[0:20, 0:20] = 2
    image = np.zeros((160, 160, 3), np.uint8)
    image[ids == 1] = 255
    scene = LabelledScene(image, ids, {1: "cat", 2: "dog"}, {})
    forgotten = 0
    for seed in range(20):
        part = scene.cropped(np.random.default_rng(seed), 0.5)
        assert part.image.shape == (160, 160, 3)
        assert part.ids.shape == (160, 160)
        white = part.image[..., 0] > 127
        cat = part.ids == 1
        assert (white & cat).sum() > 0.9 * (white | cat).sum()
        forgotten += 2 not in part.things
        if 2 in part.things:
            assert (part.ids == 2).any()
    assert 0 < forgotten < 20
