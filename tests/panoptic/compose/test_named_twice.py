"""A picture of 10 x 10, the upper half sky, the lower road, and things by hand."""

import numpy as np
import pytest

from detectors.base import Heatmaps
from panoptic.compose.named_twice import named_twice

UPPER = np.zeros((10, 10), bool)
UPPER[:5] = True
HEAT = Heatmaps(np.stack([np.where(UPPER, 0.4, 0.05), np.where(UPPER, 0.1, 0.3)]), [7, 9])


def box(x0, y0, x1, y1):
    mask = np.zeros((10, 10), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_thing_that_is_a_words_area_is_that_stuff():
    found = named_twice([box(2, 6, 5, 9), UPPER, ~UPPER], HEAT, 0.1, 0.7)
    assert found == {1: (7, 1.0), 2: (9, 1.0)}


def test_a_thing_before_stuff_is_a_thing_however_large():
    # It is hot for the word as well, and covers 40 of its 50 pixels: then 20 of them.
    large, smaller = box(0, 6, 10, 10), box(0, 6, 5, 10)
    assert named_twice([large, smaller], HEAT, 0.1, 0.7) == {0: (9, pytest.approx(0.8))}
    assert named_twice([large, smaller], HEAT, 0.1, 0.85) == {}


def test_what_is_below_the_background_is_no_words_area():
    assert named_twice([~UPPER], HEAT, 0.35, 0.7) == {}
    assert named_twice([UPPER], HEAT, 0.35, 0.7) == {0: (7, 1.0)}


def test_without_stuff_words_or_things():
    assert named_twice([UPPER], Heatmaps.empty(10, 10), 0.1, 0.7) == {}
    assert named_twice([], HEAT, 0.1, 0.7) == {}
    assert named_twice([UPPER & ~UPPER], HEAT, 0.1, 0.7) == {}
