"""Stuff masks by hand: an 8 x 8 picture, left half grass, right half road."""

import numpy as np
import pytest
import torch

from detectors.base import Heatmaps
from panoptic.compose.stuff_masks import choose_stuff_masks
from panoptic.settings.compose import StuffMaskSettings
from prompts.regions import Region
from sam2core import ImageMasks

LEFT = np.zeros((8, 8), bool)
LEFT[:, :4] = True
NOTHING = np.zeros((8, 8), bool)


def answers(*masks_of_region):
    """SAM 2's answer: for each region three masks, logits 5 inside and -5 outside."""
    logits = torch.tensor(np.array(masks_of_region)).float() * 10 - 5
    return ImageMasks(logits, torch.full(logits.shape[:2], 0.9), torch.ones(len(logits)), (8, 8))


def heat(*probabilities):
    return Heatmaps(np.array(probabilities, np.float32), np.arange(1, len(probabilities) + 1))


def region(mask, category_id=1):
    return Region(category_id, mask, 0.8)


def sure(mask, high=0.9, low=0.02):
    return np.where(mask, high, low)


def choose(regions, answer, heatmaps, **settings):
    return choose_stuff_masks(regions, answer, heatmaps, 0.1, StuffMaskSettings(**settings))


def test_the_mask_that_agrees_best_is_taken():
    top = np.zeros((8, 8), bool)
    top[:4] = True
    (found,) = choose([region(LEFT)], answers([top, LEFT, ~LEFT]), heat(sure(LEFT)))
    assert found.chosen == 1
    assert found.agreement == 1.0
    assert found.predicted_iou == pytest.approx(0.9)
    assert np.array_equal(found.logits > 0, LEFT)


def test_outlines_are_sam_2s_where_the_heat_wavers():
    wavering = sure(LEFT)
    wavering[:, 3:5] = 0.1  # just the background's level: the heat says nothing here
    narrow = LEFT.copy()
    narrow[:, 3] = False
    (found,) = choose([region(LEFT)], answers([narrow] * 3), heat(wavering))
    assert np.array_equal(found.logits > 0, narrow)


def test_areas_are_the_heats_where_sam_2_wavers():
    unsure = answers([LEFT] * 3)
    unsure.logits[:, :, 4:] = -0.5  # the lower half: rather not
    (found,) = choose([region(LEFT)], unsure, heat(sure(LEFT)))
    assert np.array_equal(found.logits > 0, LEFT)


def test_a_mask_of_something_else_leaves_the_heat_alone():
    corner = np.zeros((8, 8), bool)
    corner[:2, :2] = True
    (found,) = choose([region(LEFT)], answers([corner] * 3), heat(sure(LEFT)))
    assert found.chosen is None
    assert found.predicted_iou is None
    assert found.agreement == pytest.approx(4 / 32)
    assert np.array_equal(found.logits > 0, LEFT)


def test_a_rival_word_that_is_likelier_takes_its_pixels():
    both = np.full((8, 8), 0.6)
    rival = sure(~LEFT, high=0.99)
    (found,) = choose([region(LEFT)], answers([NOTHING | True] * 3), heat(both, rival))
    # SAM 2 says all of it, at 5, which counts as 4; the rival leads by more than that on the right.
    assert np.array_equal(found.logits > 0, LEFT)
    assert found.logits[:, 4:] == pytest.approx(0)
    (believed,) = choose(
        [region(LEFT)], answers([NOTHING | True] * 3), heat(both, rival), bound=9.0
    )
    assert believed.logits[:, 4:] == pytest.approx(5 - 4.19, abs=0.01)


@pytest.mark.parametrize("settings", [{"min_agreement": 2}, {"bound": 0}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="must be"):
        StuffMaskSettings(**settings)
