"""Still scenes: same seed, same bytes; truth exact; words complete."""

import numpy as np
import pytest

from panoptic.demo.artwork import THING_NAMES, load_artwork
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.demo.textures import STUFF_NAMES


def test_same_seed_gives_the_same_bytes_in_another_world_object(world):
    other = World(load_artwork(), seed=3, textures=2)
    other.scene(99)  # Textures drawn in another order must not matter.
    for seed in (0, 1, 2):
        first, second = world.scene(seed), other.scene(seed)
        assert first.image.tobytes() == second.image.tobytes()
        assert first.truth.ids.tobytes() == second.truth.ids.tobytes()
        assert first.truth.segments == second.truth.segments


def test_another_seed_or_texture_world_gives_another_picture(world):
    assert world.scene(0).image.tobytes() != world.scene(1).image.tobytes()
    other = World(load_artwork(), seed=4, textures=2)
    assert world.scene(0).image.tobytes() != other.scene(0).image.tobytes()


@pytest.mark.parametrize("size", [(192, 192), (100, 260), (333, 250)])
def test_segments_say_what_the_id_map_shows(world, size):
    vocabulary = {c.name: c for c in demo_vocabulary()}
    for seed in range(20):
        scene = world.scene(seed, size)
        assert scene.image.shape == (*size, 3)
        assert scene.image.dtype == np.uint8
        ids = scene.truth.ids
        assert ids.shape == size
        assert {s.id for s in scene.truth.segments} == set(np.unique(ids)) - {0}
        for segment in scene.truth.segments:
            mask = ids == segment.id
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert segment.area == mask.sum()
            assert segment.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            category = vocabulary[segment.category]
            assert (segment.category_id, segment.is_thing) == (category.id, category.is_thing)


def test_nearly_every_pixel_has_a_name(world):
    void = np.mean([(world.scene(seed).truth.ids == 0).mean() for seed in range(60)])
    assert 0 < void < 0.02


def test_what_is_mostly_covered_is_void_and_what_stays_knows_its_share(world):
    for seed in range(60):
        scene = world.scene(seed)
        things = {s.id for s in scene.truth.segments if s.is_thing}
        assert set(scene.hidden) == things
        assert all(0 <= share <= 0.65 for share in scene.hidden.values())


def test_vocabulary_is_things_then_stuff():
    vocabulary = demo_vocabulary()
    assert tuple(c.name for c in vocabulary) == THING_NAMES + STUFF_NAMES
    assert len(set(THING_NAMES + STUFF_NAMES)) == len(THING_NAMES) + 10


def test_every_noun_and_stuff_comes_up(world):
    seen = {s.category for seed in range(300) for s in world.scene(seed, (64, 64)).truth.segments}
    assert seen == set(THING_NAMES) | set(STUFF_NAMES)


def test_augmented_scenes_keep_names_and_anything_scenes_have_none(world):
    plain, augmented = world.scene(5), world.scene(5, augment=1.0)
    assert plain.image.tobytes() != augmented.image.tobytes()
    assert {s.category for s in augmented.truth.segments} <= {c.name for c in demo_vocabulary()}
    unnamed = [s for seed in range(5) for s in world.scene(seed, anything=True).truth.segments]
    assert {s.category for s in unnamed if s.is_thing} == {"object"}


def test_number_of_things_can_be_set(world):
    assert not any(s.is_thing for s in world.scene(1, things=(0, 0)).truth.segments)
    with pytest.raises(ValueError, match="least, greatest"):
        world.scene(1, things=(3, 2))
    with pytest.raises(ValueError, match="at least 16 pixels"):
        world.scene(1, (192, 8))
