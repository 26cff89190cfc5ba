import numpy as np
import pytest

from detectors import Boxes, Heatmaps, ThingSettings
from detectors.base import check_image, lead
from detectors.suppression import suppress


def boxes(*rows):
    """Rows of x1, y1, x2, y2, category, score."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4], table[:, 5])


def test_boxes_are_converted_and_can_be_chosen():
    some = boxes([0, 0, 4, 4, 1, 0.5], [1, 1, 2, 2, 3, 0.9])
    assert (some.xyxy.dtype, some.category_ids.dtype, some.scores.dtype) == (
        np.float32,
        np.int64,
        np.float32,
    )
    assert some[some.scores > 0.6].category_ids.tolist() == [3]
    assert some.sorted().category_ids.tolist() == [3, 1]
    assert len(Boxes.empty()) == 0
    assert Boxes.concatenate([some, Boxes.empty(), some]).category_ids.tolist() == [1, 3, 1, 3]
    assert len(Boxes.concatenate([])) == 0


def test_what_is_known_of_a_box_goes_with_it():
    some = boxes([0, 0, 4, 4, 1, 0.5], [9, 9, 9, 9, 3, 0.9], [1, 1, 2, 2, 3, 0.7])
    assert some.confidences.tolist() == some.scores.tolist()  # the detector said nothing else
    assert np.isnan(some.margins).all()
    told = Boxes(some.xyxy, some.category_ids, some.scores, [0.6, 0.95, 0.8], [0.9, np.nan, 0.7])
    left = Boxes.concatenate([told, some]).clipped(8, 8).sorted()
    np.testing.assert_allclose(left.confidences, [0.8, 0.7, 0.6, 0.5])
    np.testing.assert_allclose(left.margins, [0.7, np.nan, 0.9, np.nan])
    kept = suppress(told, ThingSettings(max_boxes=2))
    np.testing.assert_allclose(kept.confidences, [0.95, 0.8])


def test_lead_is_a_difference_of_log_odds():
    assert lead(np.array([0.35, 0.9]), 0.35) == pytest.approx([0.5, 9 / (9 + 0.35 / 0.65)])
    assert lead(np.array([0.002]), 0.001) == pytest.approx([2 / 3], abs=1e-3)
    # Adding the same to the log-odds of both changes nothing: a detector's bias drops out.
    odds = np.array([-3.0, 0.0, 2.0])
    levels = [lead(1 / (1 + np.exp(-odds - b)), 1 / (1 + np.exp(1 - b))) for b in (0, 1, -2)]
    np.testing.assert_allclose(levels[1], levels[0])
    np.testing.assert_allclose(levels[2], levels[0])
    assert 0 < lead(np.array([0.0]), 1.0) < lead(np.array([1.0]), 0.0) < 1


def test_clipping_drops_what_is_outside():
    some = boxes([-3, -1, 4, 4, 1, 0.5], [8, 2, 12, 9, 2, 0.5], [10, 0, 12, 3, 3, 0.5])
    cut = some.clipped(height=5, width=10)
    assert cut.xyxy.tolist() == [[0, 0, 4, 4], [8, 2, 10, 5]]
    assert cut.category_ids.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("xyxy", "ids", "scores", "message"),
    [
        (np.zeros((2, 4)), [1], [0.5, 0.5], "expected xyxy"),
        (np.zeros((1, 3)), [1], [0.5], "expected xyxy"),
        ([[2, 0, 1, 1]], [1], [0.5], "x1 <= x2"),
        ([[0, 0, np.inf, 1]], [1], [0.5], "finite"),
        ([[0, 0, 1, 1]], [1], [1.5], r"scores must be in \[0, 1\]"),
        ([[0, 0, 1, 1]], [1], [np.nan], "scores"),
    ],
)
def test_wrong_boxes(xyxy, ids, scores, message):
    with pytest.raises(ValueError, match=message):
        Boxes(xyxy, ids, scores)


@pytest.mark.parametrize("name", ["confidences", "margins"])
def test_wrong_confidences_and_margins(name):
    for values in ([0.5, 0.5], [1.5]):
        with pytest.raises(ValueError, match=f"{name} must be 1 in"):
            Boxes([[0, 0, 1, 1]], [1], [0.5], **{name: values})
    with pytest.raises(ValueError, match="confidences must be 1 in"):
        Boxes([[0, 0, 1, 1]], [1], [0.5], [np.nan])


def test_heatmaps():
    maps = Heatmaps(np.full((2, 3, 4), 0.5), [4, 2])
    assert maps.probabilities.dtype == np.float32
    assert len(maps) == 2
    assert Heatmaps.empty(3, 4).probabilities.shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("probabilities", "ids", "message"),
    [
        (np.zeros((2, 3, 4)), [1], "expected probabilities"),
        (np.zeros((3, 4)), [1, 2, 3], "expected probabilities"),
        (np.zeros((2, 3, 4)), [1, 1], "two heatmaps"),
        (np.full((1, 3, 4), 1.1), [1], r"in \[0, 1\]"),
        (np.full((1, 3, 4), np.nan), [1], r"in \[0, 1\]"),
    ],
)
def test_wrong_heatmaps(probabilities, ids, message):
    with pytest.raises(ValueError, match=message):
        Heatmaps(probabilities, ids)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), "convert grey"),
        (np.zeros((4, 4, 4), np.uint8), "convert grey"),
        (np.zeros((4, 4, 3), np.float32), "uint8"),
        (np.zeros((0, 4, 3), np.uint8), "expected an RGB image"),
        ([[1]], "numpy array"),
    ],
)
def test_wrong_images(image, message):
    with pytest.raises(ValueError, match=message):
        check_image(image)


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"box_threshold must be in \[0, 1\], got 35"):
        ThingSettings(box_threshold=35)
    with pytest.raises(ValueError, match="max_boxes"):
        ThingSettings(max_boxes=0)


def test_suppression_within_a_category():
    found = boxes(
        [0, 0, 10, 10, 1, 0.5],
        [0, 0, 10, 9, 1, 0.8],  # IoU 0.9 with the first
        [4, 0, 14, 10, 1, 0.4],  # IoU 0.43 with the first
    )
    assert suppress(found, ThingSettings()).scores.tolist() == pytest.approx([0.8, 0.4])
    strict = ThingSettings(same_category_iou=0.3)
    assert suppress(found, strict).scores.tolist() == pytest.approx([0.8])


def test_suppression_across_categories_asks_for_more_overlap():
    found = boxes(
        [0, 0, 10, 10, 1, 0.5],
        [0, 0, 10, 9, 2, 0.8],  # another name for the same
        [0, 0, 10, 7, 3, 0.7],  # IoU 0.78 with the second: something else
    )
    kept = suppress(found, ThingSettings())
    assert kept.category_ids.tolist() == [2, 3]


def test_suppression_keeps_the_surest():
    found = boxes(*[[20 * i, 0, 20 * i + 10, 10, 1, 0.1 * i] for i in range(8)])
    kept = suppress(found, ThingSettings(max_boxes=3))
    assert kept.scores.tolist() == pytest.approx([0.7, 0.6, 0.5])
    assert len(suppress(Boxes.empty(), ThingSettings())) == 0
