"""What people gave SAM 2, and what it was taken for."""

import numpy as np
import pytest

from sam2core import ImageSegmenter, VideoTracker
from sam2core.errors import PromptError
from tests.sam2core.conftest import random_model

FRAME = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
SOFT = np.full((40, 60), 0.02)
SOFT[10:30, 20:40] = 0.97


@pytest.fixture(scope="module")
def model():
    return random_model()


def test_a_mask_of_probabilities_became_the_whole_frame(model):
    with pytest.raises(PromptError, match="as probabilities have"):
        VideoTracker(model, [FRAME]).prompt(1, mask=SOFT, frame_index=0)


def test_a_map_of_ids_became_one_object(model):
    ids = np.arange(2400).reshape(40, 60) // 800
    with pytest.raises(PromptError, match="as a map of ids has"):
        VideoTracker(model, [FRAME]).prompt(1, mask=ids, frame_index=0)


def test_a_mask_given_as_logits_was_taken_for_logits(model):
    segmenter = ImageSegmenter(model)
    segmenter.set_image(FRAME)
    with pytest.raises(PromptError, match="must be logits"):
        segmenter.segment(points=[[30, 20]], mask_logits=SOFT > 0.5)


def test_true_and_1_point_0_were_the_object_1(model):
    for wrong in (True, 1.0):
        with pytest.raises(PromptError, match="whole number"):
            VideoTracker(model, [FRAME]).prompt(wrong, box=[1, 1, 9, 9], frame_index=0)


def test_two_boxes_of_one_object_were_taken_for_one_prompt(model):
    tracker = VideoTracker(model, [FRAME])
    tracker.prompt(1, box=[1, 1, 9, 9], frame_index=0)
    with pytest.raises(PromptError, match="has a box in frame 0 already"):
        tracker.prompt(1, box=[20, 20, 30, 30], frame_index=0)


def test_half_a_label_was_a_negative_one(model):
    with pytest.raises(PromptError, match="labels must be whole numbers"):
        VideoTracker(model, [FRAME]).prompt(1, points=[[5, 5]], labels=[0.5], frame_index=0)
