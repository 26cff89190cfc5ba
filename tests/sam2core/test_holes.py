"""Where small holes are filled: in answers, before refinement and in what a prompt leaves in
memory, and not in what a tracked frame does. As Meta's video predictor has it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sam2core import TrackerSettings, VideoTracker
from sam2core.clicks import Click, join_clicks
from sam2core.holes import FILLED_LOGIT, fill_holes
from sam2core.transforms import to_pixels
from tests.sam2core.conftest import TINY, moving_square, random_model

FRAMES = moving_square(5)
AREA = 8
FIRST, SECOND = Click([[10, 12]], [1]), Click([[30, 30]], [0])


@pytest.fixture(scope="module")
def model():
    """Weights under which masks are full of holes, and earlier logits of any shape count."""
    return random_model(replace(TINY, mask_channels=16), seed=3)


def tracker(model, area: int) -> VideoTracker:
    settings = TrackerSettings(fill_hole_area=area, memory_dtype=torch.float32)
    return VideoTracker(model, FRAMES, settings)


def click(tracker: VideoTracker, given: Click):
    return tracker.prompt(1, points=given.points, labels=given.labels, frame_index=0)


def embedding(model, index: int):
    with torch.inference_mode():
        return model.encode_image(to_pixels(FRAMES[index], model.config.image_size))


def memory(tracker: VideoTracker, index: int):
    return tracker._objects[1].bank.get(index)


def filled_cells(logits: torch.Tensor) -> int:
    return int((logits == FILLED_LOGIT).sum())


def test_a_click_refines_what_was_shown_with_its_holes_filled(model):
    filling, plain = tracker(model, AREA), tracker(model, 0)
    shown, raw = click(filling, FIRST).logits, click(plain, FIRST).logits
    assert filled_cells(shown) > 0
    assert torch.equal(shown, fill_holes(raw, AREA))

    def refined(earlier):
        size, side = FRAMES[0].shape[:2], model.config.image_size
        prompt = join_clicks([FIRST, SECOND], size, side, earlier[0])
        with torch.inference_mode():
            answer = model.segment(model.recall(embedding(model, 0)), prompt)
            return fill_holes(model.gate(answer).logits[:, 0], AREA)

    said = click(filling, SECOND).logits
    exact, other = refined(shown), refined(raw)
    assert (said - exact).abs().max() < 0.01 * (other - exact).abs().max()


def test_of_a_prompt_the_filled_mask_is_remembered(model):
    filling = tracker(model, AREA)
    shown = click(filling, FIRST)
    kept = memory(filling, 0)
    with torch.inference_mode():
        presence = shown.presence[:, None]
        expected, unfilled = (
            model.remember(embedding(model, 0), logits[:, None], presence, binary=True)[0]
            for logits in (shown.logits, click(tracker(model, 0), FIRST).logits)
        )
    torch.testing.assert_close(kept.features, expected)
    assert not torch.allclose(kept.features, unfilled, atol=1e-3)


def test_a_mask_that_was_given_is_filled_like_a_clicked_one(model):
    mask = np.zeros(FRAMES[0].shape[:2], bool)
    mask[6:42, 10:70] = True
    mask[20:26, 30:40] = False  # two cells each way
    holed, whole, solid = tracker(model, 0), tracker(model, AREA), tracker(model, AREA)
    assert not holed.prompt(1, mask=mask, frame_index=0).mask(1)[22:24, 33:37].any()
    assert whole.prompt(1, mask=mask, frame_index=0).mask(1)[22:24, 33:37].all()
    mask[20:26, 30:40] = True
    solid.prompt(1, mask=mask, frame_index=0)
    torch.testing.assert_close(memory(whole, 0).features, memory(solid, 0).features)
    assert not torch.allclose(memory(holed, 0).features, memory(solid, 0).features, atol=1e-3)


def test_of_a_tracked_frame_the_mask_is_remembered_before_it_is_filled(model):
    mask = np.zeros(FRAMES[0].shape[:2], bool)
    mask[6:20, 4:18] = True  # without a hole: both trackers start alike
    filling, plain = tracker(model, AREA), tracker(model, 0)
    cells = 0
    for each in (filling, plain):
        each.prompt(1, mask=mask, frame_index=0)
    for shown, raw in zip(filling.propagate(), plain.propagate(), strict=True):
        index = shown.frame_index
        assert torch.equal(memory(filling, index).features, memory(plain, index).features)
        assert torch.equal(shown.logits, fill_holes(raw.logits, AREA))
        assert torch.equal(memory(filling, index).logits, shown.logits[0])
        cells += filled_cells(shown.logits)
    assert cells > 0


@pytest.mark.parametrize("area", [0, AREA])
def test_what_is_shown_again_is_what_was_answered(model, area):
    each = tracker(model, area)
    answer = click(each, FIRST)
    assert torch.equal(each.current().logits, answer.logits)
    (first, *_) = each.propagate()
    assert torch.equal(first.logits, answer.logits)


def test_the_mask_of_an_absent_object_stays_empty(model):
    each = tracker(model, AREA)
    shown = each.prompt(1, mask=np.zeros(FRAMES[0].shape[:2], bool), frame_index=0)
    assert filled_cells(shown.logits) == 0
    assert not shown.mask(1).any()
