import numpy as np
import pytest
from scipy import ndimage

from panoptic.formats.polygons import centres, edges, filled, joined, straightened


def area(ring):
    x, y = ring[:, 0], ring[:, 1]
    return (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2


def ragged(seed):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((24, 31))
    return ndimage.gaussian_filter(noise, rng.uniform(0.01, 2)) > rng.uniform(-0.2, 0.2)


def test_a_square():
    mask = np.zeros((5, 6), bool)
    mask[1:3, 2:5] = True
    (ring,) = edges(mask)
    assert sorted(straightened(ring).tolist()) == [[2, 1], [2, 3], [5, 1], [5, 3]]
    (ring,) = centres(mask)
    assert sorted(straightened(ring).tolist()) == [[2, 1], [2, 2], [4, 1], [4, 2]]


def test_a_pixel_and_nothing():
    mask = np.zeros((3, 3), bool)
    assert edges(mask) == centres(mask) == []
    mask[2, 0] = True
    assert centres(mask)[0].tolist() == [[0, 2]]
    assert area(edges(mask)[0]) == 1


def test_a_hole_runs_the_other_way():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    assert sorted(area(ring) for ring in edges(mask)) == [-1, 25]
    inner = min(centres(mask), key=len)
    # Through the neighbours of the hole; the corners belong to the mask as well.
    assert {tuple(p) for p in inner.tolist()} == {(2, 1), (1, 2), (3, 2), (2, 3)}


def test_pixels_that_touch_at_a_corner_are_one_part():
    assert len(edges(np.eye(4, dtype=bool))) == 1


@pytest.mark.parametrize("seed", range(20))
def test_the_area_within_is_that_of_the_mask(seed):
    mask = ragged(seed)
    rings = edges(mask)
    assert sum(area(r) for r in rings) == mask.sum()
    assert area(joined(rings)) == mask.sum()
    parts = ndimage.label(mask, np.ones((3, 3)))[1]
    holes = ndimage.label(np.pad(~mask, 1, constant_values=True))[1] - 1
    assert sum(area(r) > 0 for r in rings) == parts
    assert sum(area(r) < 0 for r in rings) == holes


@pytest.mark.parametrize("seed", range(20))
def test_centres_are_pixels_of_the_mask_and_neighbours(seed):
    mask = ragged(seed)
    on_border = mask & ~ndimage.binary_erosion(mask)
    touched = np.zeros_like(mask)
    for ring in centres(mask):
        touched[ring[:, 1], ring[:, 0]] = True
        assert np.abs(ring - np.roll(ring, 1, axis=0)).max() <= 1
    np.testing.assert_array_equal(touched, on_border)


@pytest.mark.parametrize("seed", range(20))
def test_filled_again_they_give_the_mask(seed):
    mask = ragged(seed)
    np.testing.assert_array_equal(filled(joined(edges(mask)), mask.shape), mask)


def test_filled_beyond_the_picture_and_slanted():
    beyond = np.array([(-5, -5), (3, -5), (3, 2), (-5, 2)])
    expected = np.zeros((4, 5), bool)
    expected[:2, :3] = True
    np.testing.assert_array_equal(filled(beyond, (4, 5)), expected)
    triangle = np.array([(0.0, 0.0), (6.0, 6.0), (0.0, 6.0)])
    expected = np.tril(np.ones((6, 6), bool), -1)  # middles on the line itself are on no side
    assert (filled(triangle, (6, 6)) & expected).sum() == expected.sum()


def test_far_corners_keep_their_place():
    mask = np.zeros((400, 300), bool)
    mask[390:, 290:] = True
    assert edges(mask)[0].min(axis=0).tolist() == [290, 390]


def test_a_pixel_is_within_a_polygon_if_its_middle_is():
    ys, xs = np.mgrid[:6, :9] + 0.5
    triangle = filled(np.array([(0, 0), (8, 0), (0, 4)]), (6, 9))
    np.testing.assert_array_equal(triangle, xs / 8 + ys / 4 < 1)
    corners = np.array([(1.2, 5.7), (3.1, 0.3), (8.4, 2.2)])
    left = [
        (b[0] - a[0]) * (ys - a[1]) - (b[1] - a[1]) * (xs - a[0]) > 0
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    inside = np.all(left, axis=0)
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(filled(corners, (6, 9)), inside)
