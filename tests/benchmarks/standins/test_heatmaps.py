"""Each dial does what it says, and without any the heatmaps are the truth."""

import numpy as np
import pytest

from benchmarks.standins.heatmaps import HeatErrors, StandinHeatmaps
from benchmarks.standins.truth import TrueFrame, Truths
from detectors.base import StuffDetector
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

WORDS = Vocabulary(things=["car"], stuff=["sky", "grass", "road", "water"])
SKY, GRASS, ROAD, WATER = range(4)
SIZE = (96, 144)


def frame(number, clip="", index=0):
    """Sky over grass and, beside it, a road with a car; nothing is water."""
    ids = np.ones(SIZE, np.int32)
    ids[48:, :72], ids[48:, 72:] = 2, 3
    ids[60:84, 92:120] = 4
    segments = [
        Segment(i, 20 + i, name, name == "car", 1.0)
        for i, name in enumerate(("sky", "grass", "road", "car"), start=1)
    ]
    image = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
    truth = PanopticSegmentation.from_ids(ids, segments)
    return TrueFrame(image, truth, clip or f"picture {number}", index)


STILLS = [frame(number) for number in range(60)]
IDS = STILLS[0].truth.ids
OWN = np.stack([i == IDS for i in (1, 2, 3)] + [np.zeros(SIZE, bool)])


def heat(frames=STILLS, seed=0, sizes=None, **errors):
    detector = StandinHeatmaps(Truths(frames), HeatErrors(**errors), seed)
    found = detector.heatmaps_batch([each.image for each in frames], WORDS, sizes)
    return np.stack([each.probabilities for each in found])


def test_without_errors_the_heat_is_the_truth():
    detector = StandinHeatmaps(Truths(STILLS))
    assert isinstance(detector, StuffDetector)
    found = detector.heatmaps(STILLS[0].image, WORDS)
    np.testing.assert_array_equal(found.probabilities, OWN.astype(np.float32))
    assert found.category_ids.tolist() == [c.id for c in WORDS.stuff]
    assert len(detector.heatmaps(STILLS[0].image, Vocabulary(things=["sky"]))) == 0
    renamed = detector.heatmaps(STILLS[0].image, Vocabulary(stuff={"heaven": ["sky"]}))
    np.testing.assert_array_equal(renamed.probabilities[0] == 1, OWN[SKY])


def test_heatmaps_come_at_the_size_asked_for():
    small = heat(STILLS[:2], sizes=[(24, 36), (24, 36)])
    assert small.shape == (2, 4, 24, 36)
    np.testing.assert_array_equal(small[0] > 0.5, OWN[:, 2::4, 2::4])


def test_patches_have_one_heat_each():
    fine, coarse = heat(STILLS[:1], side=352)[0], heat(STILLS[:1], side=352, patch=16)[0]
    steep = [np.abs(np.diff(each[SKY], axis=0)).max() for each in (fine, coarse)]
    assert steep[0] > 0.8
    # The outline is spread over about a patch, 96 / 22 pixels, whose log-odds go from end to end.
    assert 0.3 < steep[1] < 0.98
    between = (coarse[SKY] > 0.01) & (coarse[SKY] < 0.99)
    assert between.any(axis=1).sum() >= 2
    agree = (coarse > 0.5) == OWN
    assert agree.mean() > 0.95


def test_blur_softens_by_a_share_of_the_picture():
    def width(share):
        column = heat(STILLS[:1], blur=share)[0, SKY, :, 10]
        return int(((column > 0.1) & (column < 0.9)).sum())

    side = (SIZE[0] * SIZE[1]) ** 0.5
    for share in (0.02, 0.05):
        assert width(share) == pytest.approx(2 * 1.28 * share * side, abs=2)


def test_heat_leaks_into_neighbours_stuff_and_things():
    found = heat(leak=0.3)
    assert found[:, SKY, IDS == 2].mean() == pytest.approx(0.3, abs=0.06)
    assert found[:, ROAD, IDS == 4].mean() == pytest.approx(0.3, abs=0.06)
    assert not found[:, SKY, IDS == 4].any()  # the car doesn't touch the sky
    assert (found[:, SKY, IDS == 1] == 1).all()
    assert not found[:, WATER].any()


def test_the_peak_is_drawn_for_each_word():
    top = heat(peak=(0.2, 0.5))[:, :3].max((2, 3))
    assert 0.2 <= top.min() < 0.23
    assert 0.47 < top.max() <= 0.5
    assert top.mean() == pytest.approx(0.35, abs=0.02)


def test_flat_heat_is_little_lower_where_the_word_isnt():
    found = heat(STILLS[:5], peak=(0.4, 0.4), flatness=0.75)
    assert found[:, SKY, IDS == 1] == pytest.approx(0.4)
    assert found[:, SKY, IDS != 1] == pytest.approx(0.3)


def test_rivals_are_hot_at_the_same_place():
    found = heat(rivals=0.5, rival_heat=0.8)
    for own in (SKY, GRASS, ROAD):
        others = [row for row in range(4) if row != own]
        hottest = found[:, others][:, :, OWN[own]].mean(2).max(1)
        assert all(each in (0, pytest.approx(0.8, abs=1e-3)) for each in hottest)
        assert np.mean(hottest > 0) == pytest.approx(0.5, abs=0.2)
        assert (found[:, own, OWN[own]] == 1).all()


def test_absent_words_are_hot_somewhere():
    found = heat(absent=0.6, absent_heat=0.5)[:, WATER]
    hot = found.max((1, 2))
    assert set(hot.tolist()) == {0.0, 0.5}
    assert np.mean(hot > 0) == pytest.approx(0.6, abs=0.2)
    for each in found[hot > 0]:
        assert len(np.unique(IDS[each > 0])) == 1


def test_words_are_missing_wholly_or_in_part():
    gone = heat(missing=0.4)[:, :3].max((2, 3)) == 0
    assert gone.mean() == pytest.approx(0.4, abs=0.1)
    found = heat(partial=0.5)[:, SKY]
    share = found[:, OWN[SKY]].mean(1)
    assert np.mean(share < 1) == pytest.approx(0.5, abs=0.2)
    assert 0.3 < share[share < 1].min() <= share[share < 1].max() < 0.7
    assert not found[:, ~OWN[SKY]].any()


def test_noise_has_its_deviation():
    found = heat(STILLS[:10], noise=0.1)[:, SKY, IDS == 1]
    assert np.median(1 - found[found < 1]) == pytest.approx(0.0674, abs=0.01)  # the lower half


def test_in_a_clip_draws_hold_and_noise_does_not():
    clip = [frame(500 + index, "clip", index) for index in range(30)]
    errors = {"missing": 0.5, "noise": 0.05, "held": 10.0}
    found = heat(clip, **errors)
    np.testing.assert_array_equal(found, heat(clip[::-1], **errors)[::-1])
    gone = found[:, :3].mean((2, 3)) < 0.1
    assert (gone[1:] != gone[:-1]).mean() == pytest.approx(0.5 / 10, abs=0.05)
    assert not np.array_equal(found[0], found[1])


def test_what_cant_be_is_refused():
    for wrong in ({"leak": 2.0}, {"side": 8, "patch": 16}, {"noise": -1.0}, {"peak": (0.5, 0.2)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            HeatErrors(**wrong)
    with pytest.raises(ValueError, match="truth isn't known"):
        StandinHeatmaps(Truths()).heatmaps(STILLS[0].image, WORDS)
