import numpy as np
import pytest

from prompts import Region, RegionSettings, find_regions

ALL = RegionSettings(background=0.1, min_area=0)


def by_hand(*rows):
    return np.array([[float(cell) / 10 for cell in row] for row in rows])


def test_each_pixel_goes_to_its_likeliest_word():
    sky = by_hand("9999", "9900", "0000", "0000")
    road = by_hand("0000", "0088", "8888", "0088")
    first, second = find_regions(np.stack([sky, road]), np.array([7, 4]), settings=ALL)
    assert (first.category_id, second.category_id) == (7, 4)
    assert first.mask.astype(int).tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert second.mask.astype(int).tolist() == [[0] * 4, [0, 0, 1, 1], [1] * 4, [0, 0, 1, 1]]
    assert first.score == pytest.approx(0.9)
    assert first.area == 6


def test_below_the_background_level_is_nothing():
    (region,) = find_regions(by_hand("2100", "2100")[None], [1], settings=RegionSettings(0.15, 0))
    assert region.mask.astype(int).tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]
    (level,) = find_regions(by_hand("2100")[None], [1], settings=RegionSettings(0.1, 0))
    assert level.mask.tolist() == [[True, True, False, False]]  # what is at the level is above it
    assert level.score == pytest.approx(0.15)  # the mean


def test_pieces_that_touch_at_a_corner_are_two():
    heat = by_hand("99000", "99000", "00990", "00990", "00990")
    assert [r.area for r in find_regions(heat[None], [1], settings=ALL)] == [6, 4]


def test_things_are_left_out_and_can_split_a_region():
    heat = np.ones((1, 4, 5))
    thing = np.zeros((2, 4, 5), dtype=bool)
    thing[0, :, 2] = True
    thing[1, 0, 3] = True
    big, small = find_regions(heat, [3], thing, ALL)
    assert big.mask.astype(int).tolist() == [[1, 1, 0, 0, 0]] * 4
    assert small.mask[:, 3:].astype(int).tolist() == [[0, 1], [1, 1], [1, 1], [1, 1]]
    union = find_regions(heat, [3], thing.any(axis=0), ALL)
    assert (union[1].mask == small.mask).all()


def test_small_pieces_are_dropped_and_the_largest_comes_first():
    heat = np.zeros((1, 20, 20))
    heat[0, :10, :10] = heat[0, 12:14, 12:14] = heat[0, 15, :5] = heat[0, 19, 19] = 1
    areas = [r.area for r in find_regions(heat, [1], settings=RegionSettings(min_area=0.01))]
    assert areas == [100, 5, 4]


def test_nothing_asked_or_nothing_found():
    assert find_regions(np.zeros((0, 4, 4)), []) == ()
    assert find_regions(np.zeros((2, 4, 4)), [1, 2]) == ()
    assert find_regions(np.ones((1, 4, 4)), [1], np.ones((4, 4), dtype=bool)) == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2)])
def test_odd_sizes(shape):
    (region,) = find_regions(np.ones((1, *shape)), [1])
    assert region.mask.all()
    assert region.mask.shape == shape


def test_wrong_input():
    with pytest.raises(ValueError, match="expected probabilities"):
        find_regions(np.zeros((2, 4, 4)), [1])
    with pytest.raises(ValueError, match="thing masks"):
        find_regions(np.zeros((1, 4, 4)), [1], np.zeros((3, 5), dtype=bool))
    with pytest.raises(ValueError, match=r"min_area must be in \[0, 1\)"):
        RegionSettings(min_area=20)
    mask = np.eye(3, dtype=bool)
    with pytest.raises(ValueError, match="with a pixel at least"):
        Region(1, mask & ~mask, 0.5)
    with pytest.raises(ValueError, match="expected a mask"):
        Region(1, mask.astype(int), 0.5)
