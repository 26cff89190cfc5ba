import pytest

from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import World


@pytest.fixture(scope="session")
def world() -> World:
    """A small world of the pictures that the demo draws with."""
    return World(load_artwork(), seed=3, textures=2)
