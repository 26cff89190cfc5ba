import numpy as np
import pytest

from prompts import RegionSettings, SamplingSettings, find_regions, sample_prompts, spread_points


def disc(size=101, radius=40):
    y, x = np.mgrid[:size, :size] - size // 2
    return np.hypot(x, y) <= radius


def smallest_gap(points):
    gaps = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return gaps[np.triu_indices(len(points), 1)].min()


def test_the_first_point_is_the_deepest():
    assert spread_points(disc(), 1).tolist() == [[50, 50]]
    wide = np.zeros((9, 40), dtype=bool)
    wide[1:8, 3:10] = True
    wide[4, 10:] = True
    assert spread_points(wide, 1).tolist() == [[6, 4]]


def test_points_are_inside_and_spread_out():
    mask = disc()
    points = spread_points(mask, 12)
    assert points.shape == (12, 2)
    assert points.dtype == np.float32
    assert mask[points[:, 1].astype(int), points[:, 0].astype(int)].all()
    # Twelve random points have a pair 4 pixels apart, on average; even cells are 20 pixels wide.
    assert smallest_gap(points) > 12
    depth = 40 - np.hypot(*(points - 50).T)
    assert depth.min() > 10


def test_few_pixels_give_few_points():
    mask = np.zeros((5, 5), dtype=bool)
    mask[1, 2] = mask[3, 3] = True
    assert sorted(spread_points(mask, 10).tolist()) == [[2, 1], [3, 3]]
    assert spread_points(np.zeros((5, 5), dtype=bool), 4).shape == (0, 2)
    assert spread_points(mask, 0).shape == (0, 2)


def test_large_masks_are_looked_at_in_part_but_hit_exactly():
    mask = np.zeros((1200, 1500), dtype=bool)
    mask[100:1100, 200:1300] = True
    mask[::7, ::5] = False
    points = spread_points(mask, 20, seed=3)
    assert mask[points[:, 1].astype(int), points[:, 0].astype(int)].all()
    assert smallest_gap(points) > 100
    line = np.zeros((900, 1200), dtype=bool)
    np.fill_diagonal(line[1:], True)
    assert len(spread_points(line, 5)) == 5


def test_the_seed_decides():
    mask = np.ones((300, 300), dtype=bool)
    same = [spread_points(mask, 10, seed=1) for _ in range(2)]
    assert same[0].tobytes() == same[1].tobytes()
    assert same[0].tobytes() != spread_points(mask, 10, seed=2).tobytes()


@pytest.fixture
def regions():
    """Sky over road, and a thing across both."""
    heat = np.zeros((2, 120, 160))
    heat[0, :60] = 0.9
    heat[1, 60:] = 0.8
    things = np.zeros((1, 120, 160), dtype=bool)
    things[0, 40:90, 60:100] = True
    return find_regions(heat, [5, 9], things, RegionSettings())


def at(mask, points):
    return mask[points[:, 1].astype(int), points[:, 0].astype(int)]


def test_every_region_is_asked_with_points_inside(regions):
    prompt = sample_prompts(regions, SamplingSettings(points=9), seed=1)
    assert prompt.labels_nk.tolist() == [[1] * 9] * 2
    for region, points in zip(regions, prompt.points_nk2, strict=True):
        assert at(region.mask, points).all()
        assert smallest_gap(points) > 12
    assert len(sample_prompts([])) == 0


def test_same_seed_same_bytes(regions):
    one, two = (sample_prompts(regions, seed=4) for _ in range(2))
    assert one.points_nk2.tobytes() == two.points_nk2.tobytes()
    assert sample_prompts(regions, seed=5).points_nk2.tobytes() != one.points_nk2.tobytes()


def test_wrong_input():
    with pytest.raises(ValueError, match="points must be at least 1"):
        SamplingSettings(points=0)
    with pytest.raises(ValueError, match="bool"):
        spread_points(np.ones((3, 3)), 2)
