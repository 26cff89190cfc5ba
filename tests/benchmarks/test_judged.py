"""Figures of a quality score, on segments whose truth is known."""

import numpy as np
import pytest

from benchmarks.lib.judged import Judged, calibration_error, found_among_worst, reliability
from panoptic.compose.quality import Evidence


def judged(qualities, right, counts=None):
    n = len(qualities)
    ious = [0.9 if each else 0.3 for each in right]
    known = [Evidence()] * n, [True] * n, [0.5] * n
    return Judged(*known, list(qualities), ious, counts or [1.0] * n)


def test_the_curve_tells_how_many_of_a_quality_are_right():
    curve = reliability(judged([0.91, 0.95, 0.95, 1.0, 0.32, 0.38], [1, 1, 1, 0, 1, 0]))
    assert [each is None for each in curve] == [n not in (3, 9) for n in range(10)]
    assert (curve[9].share, curve[9].right) == (pytest.approx(4 / 6), pytest.approx(0.75))
    assert curve[9].quality == pytest.approx(0.9525)
    assert (curve[3].quality, curve[3].right) == (pytest.approx(0.35), pytest.approx(0.5))


def test_the_error_is_none_for_probabilities_and_large_for_others():
    rng = np.random.default_rng(0)
    true = rng.random(4000)
    right = rng.random(4000) < true
    assert calibration_error(judged(true, right)) < 0.03
    sure = np.where(true > 0.5, 0.99, 0.01)
    assert calibration_error(judged(sure, right)) == pytest.approx(0.24, abs=0.02)
    assert calibration_error(judged([0.9, 0.9], [True, False])) == pytest.approx(0.4)
    assert calibration_error(judged([0.9, 0.9], [True, False], [9.0, 1.0])) == pytest.approx(0)


def test_the_wrong_ones_are_looked_for_among_the_worst():
    qualities = np.linspace(0.05, 0.95, 10)
    assert found_among_worst(judged(qualities, [0, 0] + [1] * 8)) == 1
    assert found_among_worst(judged(qualities, [0, 1, 0] + [1] * 7)) == 0.5
    # There is room for two of the three, and for one of the two.
    assert found_among_worst(judged(qualities, [0, 1] + [1] * 6 + [0, 0])) == 0.5
    assert found_among_worst(judged(qualities, [0, 0] + [1] * 8), share=0.1) == 1
    assert np.isnan(found_among_worst(judged(qualities, [1] * 10)))


def test_parts_count_the_same_where_they_should():
    many, one = judged([0.5] * 9, [True] * 9), judged([0.2], [False])
    assert Judged.joined([many, one]).counts == [1.0] * 10
    even = Judged.joined([many, one], total=90)
    assert even.counts == [10.0] * 9 + [90.0]
    assert calibration_error(even) == pytest.approx(0.5 * 0.5 + 0.5 * 0.2)
    assert even[[9]].qualities == [0.2]
