"""Shapes by hand: which pixels they hold, and which way they turn."""

import numpy as np

from panoptic.formats.shapes import Turn, ellipse, rectangle

SIZE = (12, 12)


def test_an_ellipse_turns_clockwise_as_one_sees_it():
    flat = ellipse((6, 6), (5, 2))(SIZE)
    assert flat[6].sum() == 10
    assert flat[:, 6].sum() == 4
    # A quarter of a turn stands it up; an eighth leads from upper left to lower right.
    np.testing.assert_array_equal(ellipse((6, 6), (5, 2), 90)(SIZE), flat.T)
    turned = ellipse((6, 6), (5, 2), 45)(SIZE)
    assert turned[[3, 8], [3, 8]].all()
    assert not turned[[3, 8], [8, 3]].any()


def test_a_rectangle_turns_clockwise_as_one_sees_it():
    turned = rectangle((6, 6), 5, 2, Turn((6, 6), 90))(SIZE)  # about its upper left corner
    expected = np.zeros(SIZE, bool)
    expected[6:11, 4:6] = True
    np.testing.assert_array_equal(turned, expected)
