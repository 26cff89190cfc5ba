import numpy as np
import pytest

from panoptic.measure.calibration import Reliability
from panoptic.measure.confusion import WordConfusion
from panoptic.measure.pq import Overlaps


def test_the_expected_calibration_error_by_hand():
    found = Reliability()
    for quality, right in ((0.9, True), (0.9, False), (0.1, False), (1.0, True)):
        found.add(quality, right)
    # Bin 0.9 to 1: mean 2.8 / 3, of which 2 of 3 are right; bin 0.1 to 0.2: 0.1, none is.
    assert found.error == pytest.approx((3 * (2.8 / 3 - 2 / 3) + 0.1) / 4)
    bins = [each for each in found.bins if each]
    assert [(each.count, each.right) for each in bins] == [(1, 0.0), (3, pytest.approx(2 / 3))]
    assert np.isnan(Reliability().error)


def test_pixels_by_true_word_and_word_of_the_label():
    truth = np.array([[1, 1, 1, 2], [1, 0, 2, 2]])
    label = np.array([[1, 1, 2, 2], [0, 2, 2, 3]])
    confusion = WordConfusion()
    confusion.add(Overlaps(truth, label), {1: "cat", 2: "sky"}, {1: "cat", 2: "sky", 3: "sea"})
    assert dict(confusion.pixels) == {
        ("cat", "cat"): 2, ("cat", "sky"): 1, ("cat", ""): 1, ("sky", "sky"): 2, ("sky", "sea"): 1,
    }  # fmt: skip
    assert confusion.words(9) == ["cat", "sky", "sea"]
    assert confusion.shares(["cat", "sky"]) == [
        [0.5, 0.25, 0, 0.25], [0, pytest.approx(2 / 3), pytest.approx(1 / 3), 0],
    ]  # fmt: skip
