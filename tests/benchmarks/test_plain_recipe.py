from dataclasses import replace

import numpy as np
import pytest

from benchmarks.lib.plain_recipe import PLAIN, PLAIN_WAYS, PlainWay, plain_recipe, plain_ways
from detectors.base import Boxes, Heatmaps
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.presets import PRESETS
from sam2core import ImageSegmenter, load

WORDS = demo_vocabulary()


@pytest.fixture(scope="module")
def segmenter():
    return ImageSegmenter(load(PRESETS["demo"].sam2))


@pytest.fixture(scope="module")
def scenes():
    world = World(load_artwork(("twemoji",)), seed=5, textures=4)
    return [world.scene(number, things=(1, 3)) for number in range(4)]


def exact(scene, side=None):
    """Boxes and heatmaps that say the truth."""
    truth = scene.truth
    things = list(truth.things)
    boxes = Boxes(
        [s.box for s in things] or np.zeros((0, 4)),
        [s.category_id for s in things],
        np.linspace(0.9, 0.5, len(things)),
    )
    stuff = list(truth.stuff)
    step = 1 if side is None else truth.ids.shape[0] // side
    heat = np.stack([np.where(truth.mask(s.id), 0.8, 0.02) for s in stuff])[:, ::step, ::step]
    return boxes, Heatmaps(heat, [s.category_id for s in stuff])


def stuff_pq(segmenter, scenes, way, side=None):
    found = [
        plain_recipe(segmenter, segmenter.encode(s.image), *exact(s, side), WORDS, way)
        for s in scenes
    ]
    return 100 * evaluate(found, [s.truth for s in scenes], WORDS).stuff.pq


def test_every_plain_way_does_well_on_what_is_exact(segmenter, scenes):
    found = {name: stuff_pq(segmenter, scenes, way) for name, way in PLAIN_WAYS.items()}
    assert min(found.values()) > 80, found


def test_levels_for_photographs_ruin_its_stuff_on_small_pictures(segmenter, scenes):
    best = stuff_pq(segmenter, scenes, PLAIN_WAYS[PLAIN])
    published = replace(PLAIN_WAYS[PLAIN], points=1000, kernel=20 / 192)
    assert stuff_pq(segmenter, scenes, published) < best - 20


def test_heatmaps_may_be_smaller_than_the_picture(segmenter, scenes):
    assert stuff_pq(segmenter, scenes, PlainWay("heat"), side=96) > 80


def test_the_order_of_painting_and_the_least_score(segmenter, scenes):
    scene = next(s for s in scenes if len(s.truth.things))
    box = scene.truth.things[0].box
    boxes = Boxes([box, box, box], [1, 2, 3], [0.9, 0.6, 0.3])
    none = Heatmaps.empty(*scene.truth.ids.shape)
    encoded = segmenter.encode(scene.image)
    ways = {
        "last": PlainWay(),
        "surest": PlainWay(surest_last=True),
        "fewer": PlainWay(min_score=0.5),
    }
    found = plain_ways(segmenter, encoded, boxes, none, WORDS, ways)
    left = {name: [s.category_id for s in result] for name, result in found.items()}
    assert left == {"last": [3], "surest": [1], "fewer": [2]}


def test_small_stuff_is_left_out(segmenter, scenes):
    scene = scenes[0]
    heat = np.full((2, *scene.truth.ids.shape), 0.05)
    heat[0], heat[1, :10, :10] = 0.5, 0.9
    maps = Heatmaps(heat, [s.id for s in WORDS.stuff][:2])
    encoded = segmenter.encode(scene.image)
    kept = {
        area: len(
            plain_recipe(
                segmenter, encoded, Boxes.empty(), maps, WORDS, PlainWay("heat", min_area=area)
            )
        )
        for area in (0.0, 0.002, 0.003)
    }
    assert kept == {0.0: 2, 0.002: 2, 0.003: 1}
