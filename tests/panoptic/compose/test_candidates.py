"""What speaks for a thing's mask, by hand."""

import numpy as np
import pytest
import torch

from detectors.base import Boxes
from panoptic.compose.candidates import thing_candidates
from prompts import Vocabulary
from sam2core import ImageMasks

WORDS = Vocabulary(things=["cat"], stuff=["grass"])


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
