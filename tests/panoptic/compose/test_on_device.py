"""What a GPU does in tensors, on CPU tensors: the host's maps, to the pixel, and it says so where
it can't give them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.lib.many_segments import clip
from benchmarks.lib.plain_composing import plain_gaps
from panoptic.compose.cleanup import FREE, drop_fragments, fill_gaps
from panoptic.compose.contest import settle
from panoptic.compose.on_device import (
    compose_on_device,
    pieces_on_device,
    settle_on_device,
    stretch,
)
from panoptic.compose.on_device import fill_on_device as fill_gaps_on_device
from panoptic.results.masks import resize_window
from panoptic.settings.compose import MergeSettings
from panoptic.video.device_maps import steps_and_owner, steps_on_device
from panoptic.video.mask_layers import Levels, to_steps
from sam2core.holes import fill_holes, fill_on_device
from sam2core.pieces import Pieces
from tests.panoptic.compose.test_quick_composing import rough

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[
        pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ]),
]  # fmt: skip


def decoded(owner):
    owner = owner.cpu().numpy()
    return np.where(owner < FREE, -2 - owner, owner)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(25))
def test_a_contest_and_its_cleanup(seed, device):
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(1, 9)), tuple(rng.integers(1, 60, 2).tolist())
    noise = rough(rng, (count, *rng.integers(1, 20, 2)))
    masks = np.clip(noise * rng.choice([20, 80, 300]), -128, 127).astype(np.int8)
    if seed % 3 == 0:
        masks[rng.random(masks.shape) < 0.3] = 127
    masks = masks[(masks > 0).any((1, 2))]
    things = rng.random(len(masks)) < 0.5
    rounds = (
        (np.flatnonzero(things).tolist(), 0.0),
        (np.flatnonzero(~things).tolist(), float(rng.choice([-2.0, -1.3, 0.0]))),
    )
    for least, crumb, seam in ((1, 4, 1), (30, 20, 2), (300, 0, 3)):
        given = 8.0, rounds, size, least
        expected = settle(list(masks), *given)
        tensor = torch.from_numpy(masks).to(device)
        np.testing.assert_array_equal(settle_on_device(tensor, *given).cpu(), expected)
        drop_fragments(expected, range(len(masks)), crumb)
        fill_gaps(expected, seam)
        found = compose_on_device(tensor, *given, crumb, seam)
        assert found.whole
        assert found.filled
        np.testing.assert_array_equal(decoded(found.owner), expected)


def test_what_has_no_cell_inside_takes_no_part():
    """Stuff claims from below 0, but not what is nowhere."""
    steps = torch.tensor([[[-4, -4], [-4, -4]], [[-4, 1], [-4, -4]]], dtype=torch.int8)
    owner = settle_on_device(steps, 8.0, [([0, 1], -2.0)], (2, 2), 1)
    assert (owner == 1).all()


@pytest.mark.parametrize("device", DEVICES)
def test_masks_are_stretched_as_on_the_host(device):
    rng = np.random.default_rng(0)
    for size in ((70, 45), (12, 9), (5, 30)):
        masks = rng.integers(-128, 128, (2, 12, 9)).astype(np.int8)
        found = stretch(torch.from_numpy(masks).to(device), size).cpu()
        whole = slice(0, size[0]), slice(0, size[1])
        for mask, each in zip(masks, found, strict=True):
            np.testing.assert_array_equal(each, resize_window(mask, size, whole))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(10))
def test_holes_are_those_of_the_host(seed, device):
    rng = np.random.default_rng(seed)
    logits = rough(rng, (4, *rng.integers(1, 40, 2)), (0.3, 0.5, 1.0)) - 0.5 * (seed % 3)
    given = torch.from_numpy(logits).float()
    given[0] = -1
    for area in (1, 3, 8):
        found = fill_on_device(given.to(device), area).cpu()
        assert torch.equal(found, fill_holes(given, area))


@pytest.mark.parametrize("seed", range(10))
def test_pieces_are_those_of_the_host(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rng.integers(1, 40, 2)).astype(np.int16)
    pieces = Pieces.of(labels, background=0)
    found, whole = pieces_on_device(torch.from_numpy(labels), 0)
    first = np.arange(labels.size)
    for number in range(len(pieces)):
        places = pieces.pixels(np.arange(len(pieces)) == number)
        first[places] = places[0]
    assert whole
    np.testing.assert_array_equal(found.flatten(), first)


def maze(side):
    """A spiral of one pixel's width, along which numbers have far to go."""
    owner = np.full((side, side), FREE, np.int16)
    y, x, dy, dx = 0, 0, 0, 1
    owner[0, 0] = 0
    for length in [side - 1] * 3 + [n for n in range(side - 3, 0, -2) for _ in (0, 1)]:
        for _ in range(length):
            y, x = y + dy, x + dx
            owner[y, x] = 0
        dy, dx = dx, -dy
    return torch.from_numpy(owner)


def test_too_few_rounds_are_told():
    owner = maze(41)
    assert pieces_on_device(owner, FREE, rounds=30)[1]
    assert not pieces_on_device(owner, FREE, rounds=2)[1]


LEVELS = Levels((True,) * 4 + (False,) * 2, -2.0, 0.0002, MergeSettings(seam=0.01))


def on_host(logits, size, levels):
    steps, pixels = to_steps(logits), size[0] * size[1]
    owner = settle(list(steps), 8.0, levels.rounds(), size, max(levels.min_area * pixels, 1))
    drop_fragments(owner, range(len(steps)), levels.cleanup.min_fragment * pixels)
    fill_gaps(owner, levels.cleanup.seam * pixels**0.5)
    return steps, owner


@pytest.mark.parametrize("device", DEVICES)
def test_steps_and_map_come_together(device):
    size = (90, 160)
    for logits in clip(6, 2, side=64):
        given = torch.from_numpy(logits).to(device)
        steps, owner = steps_and_owner(given, list(range(6)), size, LEVELS)
        expected_steps, expected = on_host(logits, size, LEVELS)
        np.testing.assert_array_equal(steps, expected_steps)
        np.testing.assert_array_equal(np.where(owner < FREE, -2 - owner, owner), expected)


def test_where_rounds_do_not_suffice_the_host_has_to_compose():
    inside = maze(41) != FREE
    logits = torch.where(inside, 4.0, -4.0)[None]
    levels = Levels((True,), -2.0, 0.0002, MergeSettings())
    for rounds, suffice in ((2, False), (30, True)):
        steps, owner = steps_and_owner(logits, [0], (41, 41), levels, rounds)
        np.testing.assert_array_equal(steps > 0, inside[None])
        assert (owner is not None) == suffice


def test_gaps_that_depend_on_each_other_are_filled_by_the_host():
    """Two gaps nearer to each other than to anything else: the later one waits for the first."""
    rng = np.random.default_rng(0)
    unsure = 0
    for _ in range(220):
        size, radius = rng.integers(4, 30, 2), int(rng.integers(1, 5))
        owner = np.where(rng.random(size) < rng.choice([0.02, 0.05, 0.1, 0.3]), 0, FREE)
        owner = owner.astype(np.int16)
        if not (owner == FREE).any() or (owner == FREE).all():
            continue
        plain, quick = owner.astype(np.int32), owner.copy()
        plain_gaps(plain, radius)
        fill_gaps(quick, radius)
        np.testing.assert_array_equal(quick, plain)
        found, whole, filled = fill_gaps_on_device(torch.from_numpy(owner), radius)
        assert whole
        unsure += not filled
        if filled:
            np.testing.assert_array_equal(decoded(found), plain)
        logits = torch.from_numpy(np.where(owner == FREE, -4.0, 4.0))[None]
        levels = Levels(
            (True,), -2.0, 0.0, MergeSettings(0, 0, 0, 0, 0, 0, radius / owner.size**0.5)
        )
        _, composed = steps_and_owner(logits, [0], owner.shape, levels)
        np.testing.assert_array_equal(np.where(composed < FREE, -2 - composed, composed), plain)
    assert unsure


class Copies(TorchDispatchMode):
    """Counts what makes a program wait for a device, on CPU tensors: looks at values."""

    WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        if name.lstrip("_") in {each.lstrip("_") for each in self.WAITS}:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_nothing_is_looked_at_before_the_copy():
    logits = torch.from_numpy(next(clip(6, 1, side=64)))
    steps = steps_on_device(logits)
    with Copies() as copies:
        fill_on_device(logits, 8)
        compose_on_device(steps, 8.0, LEVELS.rounds(), (90, 160), 3, 3, 1.2)
    assert not copies.seen
    with Copies() as copies:
        bool(steps.any())
    assert copies.seen
