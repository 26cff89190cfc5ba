"""What speaks for a mask, by hand."""

import numpy as np
import pytest
import torch

from detectors.base import Boxes, Heatmaps, lead
from panoptic.compose.candidates import region_margins, stuff_candidates, thing_candidates
from panoptic.compose.stuff_masks import StuffMask
from prompts import Vocabulary
from prompts.regions import Region
from sam2core import ImageMasks

WORDS = Vocabulary(things=["cat"], stuff=["grass"])
MORE = Vocabulary(things=["cat", "dog"], stuff=["grass", "sky"])
GRASS, SKY = 3, 4


def answer(mask, edge=5.0, iou=0.7):
    """SAM 2's answer (1, 1, 10, 10) for a picture of 20 x 20."""
    logits = torch.from_numpy(np.where(mask, 5.0, -5.0).astype(np.float32))
    logits[0] = torch.where(logits[0] > 0, edge, logits[0])
    return ImageMasks(logits[None, None], torch.tensor([[iou]]), torch.ones(1), (20, 20))


def square(side):
    mask = np.zeros((10, 10), bool)
    mask[:side, :side] = True
    return mask


@pytest.mark.parametrize(("box", "agreement"), [(12, 1.0), (16, 36 / 64), (6, 9 / 36)])
def test_a_mask_agrees_with_its_box_by_their_iou(box, agreement):
    boxes = Boxes([[0, 0, box, box]], [1], [0.4])
    (found,) = thing_candidates(boxes, answer(square(6)), WORDS)
    assert found.evidence.agreement == pytest.approx(agreement)
    assert found.evidence.predicted_iou == pytest.approx(0.7)
    assert found.category.name == "cat"


def test_a_mask_is_as_stable_as_its_outline_is_sure():
    boxes = Boxes([[0, 0, 12, 12]], [1], [0.4])
    (sure,) = thing_candidates(boxes, answer(square(6)), WORDS)
    (unsure,) = thing_candidates(boxes, answer(square(6), edge=0.5), WORDS)
    assert sure.evidence.stability == 1.0
    assert unsure.evidence.stability == pytest.approx(30 / 36)


def test_no_estimate_is_none_and_no_boxes_are_no_candidates():
    boxes = Boxes([[0, 0, 12, 12]], [1], [0.4])
    (found,) = thing_candidates(boxes, answer(square(6), iou=float("nan")), WORDS)
    assert found.evidence.predicted_iou is None
    assert thing_candidates(Boxes.empty(), None, WORDS) == []


def test_a_thing_brings_what_its_detector_knows():
    logits = torch.full((2, 1, 32, 32), -9.0)
    logits[0, :, :16, :16] = 9.0
    logits[1, :, 31, 31] = 9.0
    answers = ImageMasks(logits, torch.tensor([[0.9], [0.7]]), torch.ones(2), (8, 8))
    boxes = Boxes([[0, 0, 4, 4], [6, 6, 8, 8]], [1, 2], [0.2, 0.15], [0.7, 0.6], [0.8, np.nan])
    cat, dog = thing_candidates(boxes, answers, MORE)
    # The contest and who reads a label get the detector's own scale, the quality score the common.
    assert (cat.score, cat.evidence.confidence) == (pytest.approx(0.2), pytest.approx(0.7))
    assert cat.evidence.margin == pytest.approx(0.8)
    # One cell of 32 a side is half of what is well resolved.
    assert cat.evidence.size == 1
    assert (dog.evidence.margin, dog.evidence.size) == (None, pytest.approx(0.5))


def test_stuff_brings_its_lead_over_the_next_word_or_the_background():
    heat = np.zeros((2, 2, 4), np.float32)
    heat[0, :, :2] = 0.4  # grass, in half of which sky is near
    heat[1, 0, :2] = 0.3
    heat[1, :, 2:] = 0.9
    heatmaps = Heatmaps(heat, [GRASS, SKY])
    left = np.zeros((2, 4), bool)
    left[:, :2] = True
    masks = [
        StuffMask(Region(category, mask, 0.4), np.ones((2, 4)), 0, 0.9, 0.8, 0.7)
        for category, mask in ((GRASS, left), (SKY, ~left))
    ]
    regions = [mask.region for mask in masks]
    grass, sky = stuff_candidates(masks, region_margins(regions, heatmaps, 0.1), MORE)
    assert grass.evidence.margin == pytest.approx((lead(0.4, 0.3) + lead(0.4, 0.1)) / 2)
    assert sky.evidence.margin == pytest.approx(lead(0.9, 0.1))
    assert (sky.evidence.confidence, sky.evidence.size) == (None, None)
    # All heat lower, and the background with it: the same lead, as long as it is low.
    lower = region_margins(regions, Heatmaps(heat / 20, [GRASS, SKY]), 0.1 / 20)
    assert lower[0] == pytest.approx(0.4 / 0.7 / 2 + 0.4 / 0.5 / 2, abs=2e-3)
