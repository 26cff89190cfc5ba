"""The benchmark of the rules: paired differences, levels that are tried, regimes, its verdict."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks.lib.levels import every_level, level_table, read_changes, read_variants
from benchmarks.lib.paired import difference, of_means
from benchmarks.lib.regime_runs import OURS, Worlds, remembering, run
from benchmarks.lib.silent_detector import things_lost
from benchmarks.rules import lead, outcome
from benchmarks.standins.masks import StandinSegmenter
from benchmarks.standins.regimes import CLIPS, STILLS
from benchmarks.standins.worlds import asked, drawn_worlds
from panoptic.settings.tree import Settings

DRAWN = Worlds({world.name: world for world in drawn_worlds()}, ["streets: not there"])


def arguments(**changes):
    return argparse.Namespace(
        **{"rules": False, "vary": [], "regime": None, "quick": False, **changes}
    )


def test_a_difference_is_paired_and_its_noise_is_two_standard_errors():
    ahead = difference([80, 50, 20], [70, 42, 8])
    assert ahead.mean == 10
    assert ahead.noise == pytest.approx(2 * 2 / np.sqrt(3))
    assert ahead.beyond
    assert not difference([1, 0], [0, 1]).beyond
    assert difference([3], [1]).noise == 0
    both = of_means([ahead, difference([0, 0], [4, 4])])
    assert both.mean == 3
    assert both.noise == pytest.approx(ahead.noise / 2)
    with pytest.raises(ValueError, match="equally many"):
        difference([1, 2], [1])


def test_values_to_try_are_read_and_keys_that_are_none_are_refused():
    assert read_variants(["merge.min_visible=0.35,0.5", "merge.seam=0+merge.min_fragment=0"]) == {
        "merge.min_visible=0.35": {"merge.min_visible": 0.35},
        "merge.min_visible=0.5": {"merge.min_visible": 0.5},
        "merge.seam=0+merge.min_fragment=0": {"merge.seam": 0, "merge.min_fragment": 0},
    }
    assert read_changes(["video.cuts=false"]) == {"video.cuts": False}
    with pytest.raises(ValueError, match="KEY=VALUE"):
        read_changes(["merge.seam"])
    with pytest.raises(ValueError, match=r"near it are merge\.seam"):
        read_variants(["merge.seem=1"])


def test_every_level_is_tried_within_what_the_settings_allow():
    settings = Settings()
    tried = every_level(settings, ["sampling", "merge"])
    assert tried["merge.seam=0.0"] == {"merge.seam": 0.0}
    assert "sampling.points=0" not in tried  # there must be one
    assert all(key.partition(".")[0] in ("sampling", "merge") for c in tried.values() for key in c)
    for changes in tried.values():
        assert settings.changed(changes) != settings


def test_the_table_of_levels_counts_what_is_beyond_noise():
    scores = {
        "one": {OURS: [50, 60], "a=1": [53, 63], "b=1": [48, 66]},
        "two": {OURS: [50, 60], "a=1": [45, 56], "b=1": [50, 60]},
    }
    rows = level_table(scores, OURS, ["a=1", "b=1", "c=1"])[4:]
    assert rows == [
        "| `a=1` | -0.75 | 1 | +3.0 ± 0.0 one | 1 | -4.5 ± 1.0 two |",
        "| `b=1` | +1.00 | 0 |  | 0 |  |",
    ]


def test_the_names_of_regimes_are_their_own_and_worlds_that_are_not_there_leave_theirs_out():
    names = [regime.name for regime in (*STILLS, *CLIPS)]
    assert len(set(names)) == len(names)
    left = DRAWN.regimes()
    assert {regime.world for regime in left} == set(DRAWN.by_name)
    assert DRAWN.regimes(["crowd", "usual errors, streets"]) == [
        r for r in left if r.name == "crowd"
    ]
    with pytest.raises(ValueError, match="no regime"):
        DRAWN.regimes(["crowds"])


def test_exact_models_give_exact_labels_by_ours_and_in_plain_ways():
    (regime,) = DRAWN.regimes(["exact models"])
    variants = {OURS: {}, "no things": {"detector.box_threshold": 1.0}}
    found = run(DRAWN, regime, 0, variants, plain=True)
    assert found[OURS] > 99
    assert found["heatmap alone, scores from 0%"] > 99
    assert found["no things"] < found[OURS] - 20
    based = run(DRAWN, regime, 0, {OURS: {}}, variants["no things"], plain=False)
    assert based == {OURS: found["no things"]}


def test_models_are_asked_once_and_answer_as_they_are():
    class Counting(StandinSegmenter):
        asked = 0

        def segment(self, *given, **named):
            Counting.asked += 1
            return super().segment(*given, **named)

    (regime,) = DRAWN.regimes(["usual errors"])
    world = DRAWN.by_name["demo"]
    frames = world.make(0)
    words = asked(frames, world.words, 12, 0)
    plain = regime.pipeline(frames)
    plain.segmenter = Counting(plain.segmenter.truths, regime.masks)
    expected = plain.segment(frames[0].image, words)
    Counting.asked = 0
    twice = remembering(plain)
    first, again = (twice.segment(frames[0].image, words) for _ in range(2))
    asked_once = Counting.asked
    assert asked_once == len(twice.things.detect(frames[0].image, words)) + 1  # and stuff
    assert first == again == expected
    twice.settings = twice.settings.changed({"detector.box_threshold": 0.7})
    fewer = twice.segment(frames[0].image, words)
    assert len(fewer.things) < len(first.things)
    assert Counting.asked <= asked_once + 1  # of the stuff, with fewer things before it


def test_behind_the_best_plain_way_by_more_than_noise_is_missed():
    plain, other = "plain recipe", "heatmap alone"
    ahead = {OURS: [80.0, 70.0], plain: [60.0, 61.0], other: [70.0, 64.0]}
    behind = {OURS: [50.0, 50.0], plain: [51.0, 52.0], other: [20.0, 20.0]}
    assert lead(ahead)[0] == other
    assert lead(ahead)[1].mean == 8
    scores = {"good": ahead, "bad": behind}
    found = outcome(scores, DRAWN, arguments(), {}, {})
    assert [bound.name for bound in found.missed] == ["lead, bad", "mean lead"]
    assert "**-1.5 ± 1.0**" in found.text
    assert "Left out: streets: not there." in found.text
    silent = {
        **{"things found at first": 7, "things lost": 1},
        **{"every look": 90.0, "30 % of looks": 88.0},
    }
    missed = outcome({"good": ahead}, DRAWN, arguments(), {}, silent).missed
    assert [bound.value for bound in missed] == [1, 2.0]


def test_an_earlier_run_stands_beside_this_one():
    scores = {"good": {OURS: [80.0, 70.0], "plain": [60.0, 61.0]}}
    before = {"good": {OURS: [78.0, 69.0, 10.0]}}
    text = outcome(scores, DRAWN, arguments(), before, {}).text
    assert "| good | 2 | 73.5 | 75.0 | 60.5 | plain | +14.5 ± 11.0 | +1.5 ± 1.0 |" in text


def test_what_is_tracked_without_correction_is_not_lost():
    found, lost = things_lost(12, ["move"], {"video.correction": False})
    assert found > 0
    assert lost == 0
