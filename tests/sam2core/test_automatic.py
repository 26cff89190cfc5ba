"""Segment everything: what is kept obeys every filter, and is what the model answers."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch

from sam2core import Sam2
from sam2core.automatic import (
    AutomaticMasks,
    AutomaticSettings,
    _Candidate,
    crop_boxes,
    grid_points,
    is_cut_off,
)
from sam2core.image_segmenter import ImageSegmenter
from sam2core.layers import resize as to_size
from sam2core.transforms import to_masks
from tests.sam2core.conftest import TINY

LENIENT = AutomaticSettings(
    points_per_side=6, min_iou=0.0, min_stability=0.3, max_coverage=1.0, crop_margin=2
)


@pytest.fixture(scope="module")
def model() -> Sam2:
    """Weights under which many of the masks are small, and some are stable."""
    model = Sam2(TINY)
    for name, tensor in model.state_dict().items():
        generator = torch.Generator().manual_seed(zlib.crc32(f"5 {name}".encode()))
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            tensor.copy_(noise * 1.4 / tensor[0].numel() ** 0.5)
        else:
            tensor.copy_(0.1 * noise + ("norm" in name and name.endswith("weight")))
    return model.eval().requires_grad_(False)


@pytest.fixture
def segmenter(model) -> ImageSegmenter:
    return ImageSegmenter(model)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 90, (70, 110, 3), dtype=np.uint8)
    picture[10:40, 20:50] = (250, 30, 30)
    picture[30:60, 70:100] = (30, 200, 250)
    return picture


def found(segmenter, picture, **changes):
    settings = AutomaticSettings(**{**LENIENT.__dict__, **changes})
    return AutomaticMasks(segmenter, settings).generate(picture)


def same(a, b) -> bool:
    return len(a) == len(b) and all(
        m.box == n.box
        and np.array_equal(m.patch.pixels, n.patch.pixels)
        and (m.point, m.crop) == (n.point, n.crop)
        for m, n in zip(a, b, strict=True)
    )


def test_masks_are_what_the_model_answers_to_their_points(segmenter, picture):
    masks = found(segmenter, picture)
    assert len(masks) > 3
    segmenter.set_image(picture)
    for m in masks:
        answer = segmenter.segment(points=np.array([m.point]), multimask=True)
        at = int(np.abs(answer.iou[0].numpy() - m.iou).argmin())
        assert m.iou == pytest.approx(float(answer.iou[0, at]), abs=1e-5)
        large = to_size(answer.logits[:, [at]], (70, 110))
        stability = float((large > 1).sum() / (large > -1).sum())
        assert m.stability == pytest.approx(stability, abs=2e-3)
        assert m.stability >= 0.3
        direct = answer.masks()[0, at]
        assert m.mask().shape == direct.shape == (70, 110)
        assert (m.mask() != direct).sum() <= 2  # alone and in a batch differ by rounding
        assert m.area == m.mask().sum()
        assert m.crop == (0, 0, 110, 70)
        rows, columns = np.flatnonzero(direct.any(1)), np.flatnonzero(direct.any(0))
        tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert np.abs(np.array(m.box) - tight).max() <= 1


def test_every_filter_holds_and_bites(segmenter, picture):
    everything = found(segmenter, picture, min_stability=0, max_overlap=1)
    ious, stabilities = [m.iou for m in everything], [m.stability for m in everything]
    areas = [m.area for m in everything]
    assert ious == sorted(ious, reverse=True)
    for name, values in [("min_iou", ious), ("min_stability", stabilities)]:
        bound = float(np.clip(np.median(values), 0, 1))
        filtered = found(segmenter, picture, **{"min_stability": 0, "max_overlap": 1, name: bound})
        assert len(filtered) == sum(v >= bound for v in values)
        assert 0 < len(filtered) < len(everything)
    bound = float(np.median(areas)) / picture[..., 0].size
    small = found(segmenter, picture, min_stability=0, max_overlap=1, max_coverage=bound)
    assert 0 < len(small) < len(everything)
    assert max(m.area for m in small) <= bound * picture[..., 0].size


def test_no_two_masks_are_copies(segmenter, picture):
    masks = found(segmenter, picture, max_overlap=0.5)
    crowd = found(segmenter, picture, max_overlap=1)
    assert 1 < len(masks) < len(crowd)
    full = np.array([m.mask() for m in masks]).reshape(len(masks), -1).astype(int)
    both = full @ full.T
    areas = full.sum(1)
    overlap = both / (areas[:, None] + areas - both) - np.eye(len(full))
    assert overlap.max() <= 0.5
    # And whatever was dropped is a copy of one that stayed.
    assert all(any(c.patch.iou(m.patch) > 0.45 for m in masks) for c in crowd)


def test_same_picture_same_masks_whatever_the_batches(model, picture):
    masks = found(ImageSegmenter(model), picture)
    assert same(masks, found(ImageSegmenter(model), picture))
    assert [m.iou for m in masks] == [m.iou for m in found(ImageSegmenter(model), picture)]
    chunked = found(ImageSegmenter(model, prompts_per_batch=7), picture)
    assert len(masks) == len(chunked)
    assert all(a.patch.iou(b.patch) > 0.99 for a, b in zip(masks, chunked, strict=True))


def test_min_area_cleans_masks_and_drops_small_ones(segmenter, picture):
    dirty = found(segmenter, picture, max_overlap=1)
    clean = found(segmenter, picture, max_overlap=1, min_area=30)
    assert min(m.area for m in clean) >= 30
    assert all(np.array_equal(m.patch.without_specks(30).pixels, m.patch.pixels) for m in clean)
    by_point = {(m.point, m.iou): m for m in clean}
    assert any(
        (m.point, m.iou) in by_point and by_point[m.point, m.iou].area != m.area for m in dirty
    )


def test_crops_find_masks_that_do_not_touch_their_borders(segmenter, picture):
    lenient = {"points_per_side": 12, "min_stability": 0, "max_overlap": 0.98, "crop_layers": 1}
    masks = found(segmenter, picture, crop_margin=1, **lenient)
    crops = {m.crop for m in masks}
    assert crops <= {box for _, box in crop_boxes(70, 110, 1, LENIENT.crop_overlap)}
    assert len(crops) > 2
    whole = (0, 0, 110, 70)
    assert all(m.patch.iou(n.patch) <= 0.98 for m in masks for n in masks if m is not n)
    for m in masks:
        x0, y0, x1, y1 = m.crop
        assert x0 < m.point[0] < x1
        assert y0 < m.point[1] < y1
        for side, (at, of_crop, of_picture) in enumerate(zip(m.box, m.crop, whole, strict=True)):
            inside = at - of_crop if side < 2 else of_crop - at
            assert inside > 0 or of_crop == of_picture, (m.box, m.crop)
    with_margin = found(segmenter, picture, crop_margin=4, **lenient)
    assert 0 < sum(m.crop != whole for m in with_margin) < sum(m.crop != whole for m in masks)
    # A mask from a crop is the answer for the crop, moved to its place.
    for m in [m for m in masks if m.crop != whole]:
        x0, y0, x1, y1 = m.crop
        segmenter.set_image(picture[y0:y1, x0:x1])
        answer = segmenter.segment(points=[[m.point[0] - x0, m.point[1] - y0]], multimask=True)
        at = int(np.abs(answer.iou[0].numpy() - m.iou).argmin())
        assert (answer.masks()[0, at] != m.mask()[y0:y1, x0:x1]).sum() <= 2


def test_of_copies_the_one_seen_from_closer_stays(segmenter, picture):
    lenient = {"points_per_side": 12, "min_stability": 0, "crop_layers": 1, "crop_margin": 0}
    masks = found(segmenter, picture, max_overlap=0.5, **lenient)
    everything = found(segmenter, picture, max_overlap=0.98, **lenient)
    whole = (0, 0, 110, 70)
    displaced = [
        (m, n)
        for m in everything
        for n in masks
        if m.crop == whole and n.crop != whole and n.iou < m.iou and n.patch.iou(m.patch) > 0.5
    ]
    assert displaced
    assert all(m not in masks for m, _ in displaced)


def test_the_picture_that_was_set_stays_set(segmenter, picture):
    other = picture[:30, :50].copy()
    segmenter.set_image(other)
    before = segmenter.segment([[20, 10]])
    assert found(segmenter, picture, crop_layers=1)
    assert segmenter.size == (30, 50)
    assert torch.equal(segmenter.segment([[20, 10]]).logits, before.logits)


def test_nothing_found_is_an_empty_list(segmenter, picture):
    assert found(segmenter, picture, min_stability=1.0, stability_offset=1e6) == []


def test_a_picture_of_one_pixel(segmenter):
    masks = found(segmenter, np.full((1, 1, 3), 9, np.uint8), crop_layers=2)
    assert all(m.box == (0, 0, 1, 1) for m in masks)


@pytest.mark.parametrize("size", [(64, 64), (150, 37), (10, 12), (5, 3)])
def test_candidates_keep_all_of_the_border(size):
    """Only the logits around the mask are held; the enlarged mask is the same nevertheless."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(20, 1, 5, 5, generator=generator) - 0.7
    for logits in torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bicubic")[:, 0]:
        candidate = _Candidate.of(logits, 1.0, 1.0, np.zeros(2))
        expected = to_masks(logits[None, None], *size)
        assert torch.equal(to_masks(candidate.logits()[None, None], *size), expected)
    assert candidate.edge.numel() < logits.numel()


def test_grid_points_are_the_centres_of_cells():
    assert grid_points(1, 4, 6).tolist() == [[3, 2]]
    assert grid_points(2, 4, 6).tolist() == [[1.5, 1], [4.5, 1], [1.5, 3], [4.5, 3]]


def test_crop_boxes_by_hand():
    assert crop_boxes(100, 200, 0, 0.3) == [(0, (0, 0, 200, 100))]
    assert crop_boxes(100, 200, 1, 0.2) == [
        (0, (0, 0, 200, 100)),
        (1, (0, 0, 110, 60)),
        (1, (0, 40, 110, 100)),
        (1, (90, 0, 200, 60)),
        (1, (90, 40, 200, 100)),
    ]
    second = [box for layer, box in crop_boxes(100, 200, 2, 0.2) if layer == 2]
    assert len(second) == 16
    assert second[0] == (0, 0, 58, 33)
    assert second[-1] == (144, 69, 200, 100)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (97, 31), (480, 641)])
def test_crops_cover_the_picture_and_none_is_empty(size):
    covered: dict[int, np.ndarray] = {}
    for layer, (x0, y0, x1, y1) in crop_boxes(*size, 3, 512 / 1500):
        assert 0 <= x0 < x1 <= size[1]
        assert 0 <= y0 < y1 <= size[0]
        covered.setdefault(layer, np.zeros(size, bool))[y0:y1, x0:x1] = True
    # Of tiny pictures, a layer leaves out the crops that an earlier one has.
    assert max(size) < 10 or all(c.all() for c in covered.values())


def test_cut_off_means_at_the_crops_border_but_not_the_pictures():
    crop, size = (0, 40, 60, 100), (100, 120)
    assert not is_cut_off((0, 60, 30, 100), crop, size, 5)
    assert is_cut_off((0, 60, 56, 90), crop, size, 5)
    assert not is_cut_off((0, 60, 55, 90), crop, size, 5)  # its last pixel is 6 away
    assert is_cut_off((10, 45, 30, 90), crop, size, 5)
    assert not is_cut_off((10, 46, 54, 90), crop, size, 5)
    whole = (0, 0, 120, 100)
    assert not is_cut_off((0, 0, 120, 100), whole, size, 5)
    # Near the picture's side as well as near the crop's: it may be whole.
    assert not is_cut_off((30, 60, 116, 90), (20, 40, 117, 100), size, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"points_per_side": 0},
        {"min_iou": 1.1},
        {"max_overlap": -0.1},
        {"crop_overlap": 1.0},
        {"crop_layers": -1},
        {"crop_grid_divisor": 0},
        {"min_area": -1},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AutomaticSettings(**wrong)
