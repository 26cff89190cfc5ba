"""Composing by cells, runs and rings gives the maps of the plain way, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks.lib.many_segments import clip, words
from benchmarks.lib.plain_composing import (
    plain_crumbs,
    plain_gaps,
    plain_holes,
    plain_map,
    plain_steps,
)
from panoptic.compose.cell_contest import settle_cells
from panoptic.compose.cleanup import drop_fragments, fill_gaps
from panoptic.compose.contest import settle
from panoptic.settings.compose import MergeSettings
from panoptic.settings.video import VideoSettings
from panoptic.video.mask_layers import Layer, Layers, to_steps
from sam2core.holes import FILLED_LOGIT, fill_holes
from sam2core.pieces import Pieces


def rough(rng, shape, widths=(0.5, 1.0, 2.0, 4.0)):
    """Noise of some width in the last two axes, with unit deviation."""
    width = (*[0] * (len(shape) - 2), *rng.choice(widths, 2))
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), width)
    return noise / max(noise.std(), 1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_cells_decide_as_pixels_do(seed):
    """Any sizes, both levels, who leaves, and logits so high that probabilities are equal."""
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(1, 9)), tuple(rng.integers(1, 70, 2).tolist())
    noise = rough(rng, (count, *rng.integers(1, 20, 2)))
    masks = np.clip(noise * rng.choice([20, 80, 300]), -128, 127).astype(np.int8)
    if seed % 3 == 0:
        masks[rng.random(masks.shape) < 0.3] = 127
    things = rng.random(count) < 0.5
    rounds = (
        (np.flatnonzero(things).tolist(), 0.0),
        (np.flatnonzero(~things).tolist(), float(rng.choice([-20.0, -2.0, -1.3, 0.0]))),
    )
    for least in (1, 30, 300):
        given = list(masks), 8.0, rounds, size, least
        np.testing.assert_array_equal(settle_cells(*given), settle(*given))


def test_equal_probabilities_go_to_the_first_whatever_the_logits():
    """15.625 and 15.875 have the same in float32."""
    high, higher = np.full((2, 2), 125, np.int8), np.full((2, 2), 127, np.int8)
    for masks in ([high, higher], [higher, high]):
        assert (settle_cells(masks, 8.0, [([0, 1], 0.0)], (8, 8), 1) == 0).all()
        assert (settle(masks, 8.0, [([0, 1], 0.0)], (8, 8), 1) == 0).all()
    low = np.full((2, 2), 60, np.int8)
    assert (settle_cells([low, high], 8.0, [([0, 1], 0.0)], (8, 8), 1) == 1).all()


@pytest.mark.parametrize("seed", range(60))
def test_crumbs_and_gaps_are_those_of_the_plain_way(seed):
    rng = np.random.default_rng(seed)
    for seam in (0.4, 1, 2, 3, 7):
        groups = int(rng.integers(1, 5))
        noise = rough(rng, (groups + 1, *rng.integers(1, 50, 2)))
        owner = noise.argmax(0).astype(np.int32) - 1
        some = rng.random(owner.shape) < rng.choice([0, 0.02])
        owner[some] = rng.integers(-1, groups, int(some.sum()))
        plain, quick = owner.copy(), owner.astype(np.int16)
        plain_crumbs(plain, range(groups), seed % 17)
        drop_fragments(quick, range(groups), seed % 17)
        np.testing.assert_array_equal(quick, plain)
        plain_gaps(plain, seam)
        fill_gaps(quick, seam)
        np.testing.assert_array_equal(quick, plain)


def test_crumbs_of_other_groups_stay():
    owner = np.array([[0, -1, 0, 0], [-1, 1, -1, 0], [1, -1, 1, -1]], np.int16)
    drop_fragments(owner, [0], 2)
    assert owner.tolist() == [[-1, -1, 0, 0], [-1, 1, -1, 0], [1, -1, 1, -1]]


@pytest.mark.parametrize("seed", range(20))
def test_holes_are_those_of_the_plain_way(seed):
    rng = np.random.default_rng(seed)
    logits = rough(rng, (4, *rng.integers(1, 40, 2)), (0.3, 0.5, 1.0)) - 0.5 * (seed % 3)
    given = torch.from_numpy(logits).float()
    given[0] = -1  # an empty mask stays so
    for area in (0, 1, 3, 8, 30):
        before = given.clone()
        found = fill_holes(given, area)
        assert torch.equal(found, plain_holes(given, area) if area else given)
        assert torch.equal(given, before)
    assert not (fill_holes(given, 8)[0] == FILLED_LOGIT).any()


def test_pieces_are_numbered_by_their_first_pixels_and_a_stack_keeps_its_maps_apart():
    maps = np.array([[[1, 0, 2], [0, 1, 0]], [[1, 1, 0], [0, 0, 2]]])
    pieces = Pieces.of(maps, background=0)
    assert pieces.areas.tolist() == [2, 1, 2, 1]
    assert pieces.label_of.tolist() == [1, 2, 1, 2]
    assert pieces.pixels(np.array([True, False, False, True])).tolist() == [0, 4, 11]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_those_of_the_plain_way(dtype):
    logits = np.random.default_rng(0).normal(0, 8, (3, 16, 16)).astype(dtype)
    logits[0, :4] *= 1e-3
    np.testing.assert_array_equal(to_steps(logits), plain_steps(logits))
    np.testing.assert_array_equal(to_steps(logits[0]), plain_steps(logits[0]))
    assert to_steps(logits[:0]).shape == (0, 16, 16)


@pytest.mark.parametrize(("segments", "size"), [(12, (270, 480)), (5, (199, 301))])
def test_a_frame_of_many_segments_is_that_of_the_plain_way(segments, size):
    vocabulary, settings, cleanup = words(segments), VideoSettings(), MergeSettings()
    categories = {c.id: c for c in vocabulary}
    levels = categories, settings.stuff_logit, settings.min_area, cleanup
    for index, logits in enumerate(clip(segments, 3, seed=segments)):
        steps = to_steps(fill_holes(torch.from_numpy(logits), 8).numpy())
        frame = Layers(index, size, ()).with_layers(
            [
                Layer(10 + c.id, c.id, 0.5, 0.5, each)
                for c, each in zip(vocabulary, steps, strict=True)
            ]
        )
        result = frame.compose(*levels)
        assert len(result) > segments / 2
        np.testing.assert_array_equal(result.ids, plain_map(frame, *levels))
        # One layer at another resolution: the way by pixels.
        other = frame.with_layers([Layer(99, 1, 0.5, 0.5, steps[0][::2, ::2])])
        np.testing.assert_array_equal(other.compose(*levels).ids, plain_map(other, *levels))
