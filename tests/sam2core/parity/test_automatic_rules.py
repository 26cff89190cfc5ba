"""Automatic masks are those of the published rules, but that copies are told by their masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parity.automatic import BENCHMARK
from benchmarks.parity.published_masks import FoundMask, Rules, published_masks
from panoptic.presets import DEMO_WEIGHTS
from sam2core import AutomaticMask, AutomaticMasks, AutomaticSettings, ImageSegmenter, load

RULES = Rules(least_iou=0.4, least_stability=0.6)


@pytest.fixture(scope="module")
def segmenter() -> ImageSegmenter:
    return ImageSegmenter(load(DEMO_WEIGHTS / "sam2"))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A ring around a disc, two overlapping shapes and noise, of odd sizes."""
    y, x = np.mgrid[:123, :181]
    picture = np.random.default_rng(0).integers(100, 140, (123, 181, 3)).astype(np.uint8)
    radius = np.hypot(y - 60, x - 50)
    picture[radius < 40] = (200, 40, 40)
    picture[radius < 24] = (40, 60, 220)
    picture[20:80, 110:150] = (30, 160, 60)
    picture[60:110, 130:175] = (230, 210, 60)
    return picture


def places(masks: list[FoundMask] | list[AutomaticMask]) -> set[tuple]:
    return {(m.patch.box, m.patch.pixels.tobytes(), round(m.iou, 6)) for m in masks}


@pytest.mark.parametrize(("layers", "divisor"), [(0, 1), (1, 1), (1, 2)])
def test_masks_are_those_of_the_published_rules_but_for_one(segmenter, picture, layers, divisor):
    rules = replace(RULES, masks_compared=True, grid_divisor=divisor)
    published = published_masks(segmenter, picture, rules, 8, layers)
    settings = AutomaticSettings(
        points_per_side=8,
        crop_layers=layers,
        crop_grid_divisor=divisor,
        min_iou=RULES.least_iou,
        min_stability=RULES.least_stability,
    )
    ours = AutomaticMasks(segmenter, settings).generate(picture)
    assert len(ours) == len(published) >= 5
    assert places(ours) == places(published)


@pytest.mark.parametrize(
    "rule",
    [
        {"masks_compared": True},
        {"judged_small": True},
        {"most_coverage": 0.05},
        {"grid_divisor": 2},
    ],
)
def test_every_rule_makes_a_difference(segmenter, picture, rule):
    """Else agreement would say nothing."""
    published = published_masks(segmenter, picture, RULES, 8, 1)
    switched = published_masks(segmenter, picture, replace(RULES, **rule), 8, 1)
    assert places(switched) != places(published)


def test_the_command_writes_its_table(tmp_path, capsys):
    assert BENCHMARK.run(["--scenes", "1", "--points", "6", "--results", str(tmp_path)]) == 0
    text = (tmp_path / "automatic.md").read_text()
    assert text[: text.index("photographs.")] in capsys.readouterr().out
    assert text.count("| 1 demo scenes | 0 |") == 5
    assert text.count("| 1 demo scenes | 1 |") == 6
    assert "photographs |" not in text
