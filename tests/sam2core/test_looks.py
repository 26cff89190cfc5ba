"""Looks at masks: what they are, and what they don't mind."""

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter
from sam2core.errors import PromptError
from sam2core.looks import look_within, shares_of


@pytest.fixture(scope="module")
def segmenter(model):
    return ImageSegmenter(model)


def picture(seed=0, size=(60, 80)):
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)


def test_a_look_is_the_root_of_the_covariance_by_hand():
    features = np.array([[[1, 3, 9]], [[2, 2, 9]]], np.float32)
    # the first two cells: the first channel varies by 1, the second doesn't
    assert np.allclose(look_within(features, np.array([[1, 1, 0.0]])), [1, 0, 0])
    both = np.array([[[1, 3]], [[1, 3]]], np.float32)
    # covariance of ones, its root is ones over the root of two; beside the diagonal counts twice
    assert np.allclose(look_within(both, np.ones((1, 2))), [0.5, np.sqrt(0.5), 0.5])
    weighted = look_within(np.array([[[0, 1, 1]], [[5, 5, 7]]], np.float32), np.array([[2, 1, 1]]))
    again = np.array([[[0, 0, 1, 1]], [[5, 5, 5, 7]]], np.float32)
    assert np.allclose(weighted, look_within(again, np.ones((1, 4))))


def test_it_doesnt_mind_what_is_added_to_the_features_or_multiplies_them():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((5, 6, 7)).astype(np.float32)
    shares = rng.random((6, 7))
    one = look_within(features, shares)
    offset = rng.standard_normal((5, 1, 1)).astype(np.float32)
    assert np.allclose(one, look_within(3 * features + offset, shares), atol=1e-5)
    assert np.linalg.norm(one) == pytest.approx(1)


def test_nothing_and_even_features_look_like_nothing():
    features = np.ones((3, 4, 4), np.float32)
    assert not look_within(features, np.ones((4, 4))).any()
    assert not look_within(features, np.zeros((4, 4))).any()


def test_a_cell_counts_by_the_share_that_is_covered():
    mask = np.zeros((4, 8), bool)
    mask[:, :3] = True
    assert shares_of(mask, (2, 4)).tolist() == [[1, 0.5, 0, 0]] * 2


def test_a_tracker_and_a_segmenter_see_the_same(segmenter):
    image = picture()
    mask = np.zeros(image.shape[:2], bool)
    mask[10:40, 20:60] = True
    tracker = segmenter.tracker()
    tracker.step(image)
    look = tracker.describe(mask)
    assert look.dtype == np.float32
    assert np.array_equal(look, segmenter.describe(mask, image=segmenter.encode(image)))
    channels = len(segmenter.encode(image).embedding.fine[0][0])
    assert look.shape == (channels * (channels + 1) // 2,)
    segmenter.set_image(image)
    assert np.array_equal(look, segmenter.describe(mask))
    assert not tracker.describe(np.zeros_like(mask)).any()
    tracker.load_state(tracker.state())
    with pytest.raises(PromptError, match="no frame at hand"):
        tracker.describe(mask)
    tracker.look_again(image)
    assert np.array_equal(look, tracker.describe(mask))


def test_a_mask_of_another_size_is_refused(segmenter):
    tracker = segmenter.tracker()
    tracker.step(picture())
    with pytest.raises(PromptError, match=r"mask must be \(60, 80\)"):
        tracker.describe(np.zeros((60, 81), bool))
    with pytest.raises(PromptError, match="mask must be of 0 and 1"):
        tracker.describe(np.full((60, 80), 0.5))


def test_an_overview_shows_what_is_where(segmenter):
    tracker = segmenter.tracker()
    tracker.step(picture())
    overview = tracker.overview()
    embedding = segmenter.encode(picture()).embedding
    assert overview.shape == (embedding.features.shape[1], 12, 12)
    assert overview.dtype == np.float32
    assert torch.isfinite(torch.from_numpy(overview)).all()
