"""One pipeline in several threads: every call gets what it would have got alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from panoptic import PanopticPipeline, Vocabulary
from sam2core.automatic import AutomaticSettings

THREADS = 8
# Other words, other numbers of them, and other lengths: each needs an input of its own shape.
VOCABULARIES = (
    Vocabulary(things=["car", "dog", "cat"], stuff=["grass", "sky"]),
    Vocabulary(things=["bus"], stuff=["water", "sand", "brick", "wood", "road"]),
    Vocabulary(things=["apple", "snowman", "fish", "tree", "house"], stuff=["snow"]),
)


@pytest.fixture(scope="module")
def pictures():
    """Scenes of the demo world, of three sizes."""
    from panoptic.demo.artwork import load_artwork
    from panoptic.demo.scenes import HELD_OUT_WORLD, World

    world = World(load_artwork(), seed=HELD_OUT_WORLD, textures=2)
    sizes = ((160, 160), (120, 192), (192, 144))
    return [world.scene(seed, sizes[seed % 3], things=(2, 5)).image for seed in range(6)]


@pytest.fixture(scope="module")
def demo():
    return PanopticPipeline.from_pretrained("demo", dtype="float32")


def at_once(ask: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda call: ask(*call), calls))


def content(result) -> tuple[bytes, tuple[Any, ...]]:
    """All that is written of a result: map, categories, scores, qualities, boxes."""
    return result.ids.tobytes(), result.segments


def test_eight_threads_get_the_bytes_of_one(pictures, demo):
    pipeline = demo
    calls = [(picture, words) for picture in pictures for words in VOCABULARIES]
    alone = [content(pipeline.segment(*call)) for call in calls]
    assert len({ids for ids, _ in alone}) > len(calls) / 2  # they can be told apart
    together = [content(result) for result in at_once(pipeline.segment, calls)]
    assert [i for i in range(len(calls)) if together[i] != alone[i]] == []


def test_batches_and_unknown_segments_in_several_threads(pictures, demo):
    """Batches of one vocabulary, and automatic masks of crops, which encode several pictures."""
    pipeline = copy(demo)
    pipeline.settings = replace(
        pipeline.settings,
        fill_unknown=True,
        automatic=AutomaticSettings(points_per_side=4, crop_layers=1, min_stability=0.8),
    )
    calls = [(pictures[i : i + 2], words) for i in (0, 3) for words in VOCABULARIES[:2]]
    alone = [[content(r) for r in pipeline.segment_batch(*call)] for call in calls]
    together = [[content(r) for r in results] for results in at_once(pipeline.segment_batch, calls)]
    assert [i for i in range(len(calls)) if together[i] != alone[i]] == []
