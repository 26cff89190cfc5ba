"""The levels of the composition, each just below and just above: moving one turns a test red."""

import numpy as np
import pytest
import torch

from detectors.base import Heatmaps
from panoptic.compose.candidates import Candidate
from panoptic.compose.merge import merge
from panoptic.compose.named_twice import named_twice
from panoptic.compose.stuff_masks import choose_stuff_masks
from panoptic.settings.compose import MergeSettings
from prompts import Category, RegionSettings, find_regions, sample_prompts
from prompts.regions import Region
from sam2core import ImageMasks

CAT, DOG = Category(1, "cat", True), Category(2, "dog", True)
GRASS, SKY = Category(7, "grass", False), Category(8, "sky", False)
SIZE = (100, 100)


def masked(category, *boxes, score=0.9):
    """A candidate of sure logits in some boxes (x0, y0, x1, y1)."""
    logits = np.full(SIZE, -9.0, np.float32)
    for x0, y0, x1, y1 in boxes:
        logits[y0:y1, x0:x1] = 9.0
    return Candidate(logits, category, score)


def areas(*candidates, unknown=()):
    return [(s.category, s.area) for s in merge(candidates, SIZE, unknown=unknown)]


@pytest.mark.parametrize(("kept", "stays"), [(58, False), (62, True)])
def test_a_thing_keeps_six_tenths_of_its_mask(kept, stays):
    cat = masked(CAT, (0, 0, 50, 10))
    dog = masked(DOG, (50 - (100 - kept) // 2, 0, 50 + kept // 2, 10), score=0.5)
    assert [name for name, _ in areas(cat, dog)] == ["cat", "dog"][: 1 + stays]


@pytest.mark.parametrize(("height", "stays"), [(48, True), (52, False)])
def test_a_thing_of_less_than_half_of_a_larger_one_stands_before_it(height, stays):
    cat, dog = masked(CAT, (0, 0, 100, 100)), masked(DOG, (0, 0, 100, height), score=0.5)
    assert [name for name, _ in areas(cat, dog)] == ["cat", "dog"][: 1 + stays]


@pytest.mark.parametrize(("pixels", "stays"), [(48, False), (52, True)])
def test_stuff_has_half_a_percent_of_the_picture(pixels, stays):
    assert areas(masked(GRASS, (0, 0, pixels // 2, 2))) == [("grass", pixels)][:stays]


@pytest.mark.parametrize(("pixels", "stays"), [(28, False), (32, True)])
def test_what_is_unknown_has_three_thousandths_of_it(pixels, stays):
    found = areas(unknown=[masked(None, (0, 0, pixels // 2, 2))])
    assert found == [("unknown", pixels)][:stays]


@pytest.mark.parametrize(("logit", "stays"), [(0.0, True), (-0.02, False)])
def test_what_heat_and_mask_contradict_each_other_about_is_stuff(logit, stays):
    logits = np.full(SIZE, -9.0, np.float32)
    logits[:50] = logit
    assert areas(Candidate(logits, GRASS, 0.9)) == [("grass", 5000)][:stays]
    # A thing needs more than that.
    assert areas(Candidate(logits, CAT, 0.9)) == []


@pytest.mark.parametrize(("width", "closed"), [(1, True), (2, True), (3, False)])
def test_seams_of_a_cell_are_closed(width, closed):
    size = (500, 500)  # a seam is 2 x 1 pixels
    left, right = (np.full(size, -9.0, np.float32) for _ in range(2))
    left[:, :200], right[:, 200 + width :] = 9.0, 9.0
    result = merge([Candidate(left, GRASS, 0.5), Candidate(right, SKY, 0.5)], size)
    assert (result.ids == 0).any() != closed


@pytest.mark.parametrize(("reach", "is_stuff"), [(66, False), (74, True)])
def test_what_agrees_with_a_word_by_seven_tenths_is_named_twice(reach, is_stuff):
    heat = Heatmaps(np.full((1, *SIZE), 0.5), [7])
    mask = np.zeros(SIZE, bool)
    mask[:, :reach] = True
    found = named_twice([mask], heat, 0.1, MergeSettings().named_twice)
    assert bool(found) == is_stuff


@pytest.mark.parametrize(("share", "is_stuff"), [(18, False), (22, True)])
def test_what_is_smaller_than_a_fifth_of_the_picture_is_not_named_twice(share, is_stuff):
    mask = np.zeros(SIZE, bool)
    mask[:, :share] = True
    heat = Heatmaps(np.where(mask, 0.5, 0.0)[None], [7])
    assert bool(named_twice([mask], heat, 0.1, MergeSettings().named_twice)) == is_stuff


@pytest.mark.parametrize(("heat", "found"), [(0.09, 0), (0.11, 1)])
def test_regions_are_above_a_tenth(heat, found):
    assert len(find_regions(np.full((1, *SIZE), heat), [7])) == found


@pytest.mark.parametrize(("pixels", "found"), [(48, 0), (52, 1)])
def test_regions_have_half_a_percent_of_the_picture(pixels, found):
    heat = np.zeros((1, *SIZE))
    heat[0, :2, : pixels // 2] = 0.9
    assert len(find_regions(heat, [7])) == found


def test_a_region_is_asked_with_twelve_points():
    regions = find_regions(np.full((1, *SIZE), 0.9), [7], settings=RegionSettings())
    assert sample_prompts(regions).labels_nk.tolist() == [[1] * 12]


def chosen(mask, logit=9.0, heat=0.9):
    """What is taken for a region of the left half, hot there and cold elsewhere."""
    half = np.zeros(SIZE, bool)
    half[:, :50] = True
    logits = torch.from_numpy(np.where(mask, logit, -logit).astype(np.float32)).expand(1, 3, *SIZE)
    answers = ImageMasks(logits, torch.ones(1, 3), torch.ones(1), SIZE)
    heatmaps = Heatmaps(np.where(half, heat, 0.001)[None], [7])
    (found,) = choose_stuff_masks([Region(7, half, heat)], answers, heatmaps, 0.1)
    return found


@pytest.mark.parametrize(("width", "believed"), [(14, False), (16, True)])
def test_a_mask_agrees_with_three_tenths_of_its_region(width, believed):
    mask = np.zeros(SIZE, bool)
    mask[:, :width] = True
    assert (chosen(mask).chosen is not None) == believed


def test_neither_heat_nor_mask_counts_for_more_than_four():
    mask = np.zeros(SIZE, bool)
    mask[:, :60] = True
    found = chosen(mask, heat=0.999).logits[0]
    assert found[[0, 55, 80]].tolist() == pytest.approx([8.0, 0.0, -8.0])


@pytest.mark.parametrize(("pixels", "stays"), [(1, False), (3, True)])
def test_fragments_have_two_ten_thousandths_of_the_picture(pixels, stays):
    found = areas(masked(CAT, (10, 10, 40, 40), (60, 60, 60 + pixels, 61)))
    assert found == [("cat", 900 + pixels * stays)]
