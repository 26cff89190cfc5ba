import functools
from pathlib import Path

import pytest

from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenes import World

SIZE, FRAMES = (96, 96), 16
WEIGHTS = Path(__file__).parents[3] / "panoptic" / "demo" / "weights" / "sam2"


@pytest.fixture(scope="session")
def demo_clip():
    """Clips of the demo world by scenario and seed: 16 frames of 96 x 96 pixels."""
    world = World(load_artwork(), seed=3, textures=2)

    @functools.cache
    def get(scenario: str, seed: int = 0) -> Clip:
        return make_clip(world, scenario, seed, FRAMES, SIZE)

    return get


@pytest.fixture(scope="session")
def demo_sam2():
    """The shipped SAM 2 of the demo world."""
    import sam2core

    return sam2core.load(WEIGHTS, dtype="float32")
