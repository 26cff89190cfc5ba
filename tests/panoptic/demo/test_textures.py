"""Textures: by seed, seamless, and told apart by their colours and patterns."""

import numpy as np
import pytest

from panoptic.demo.textures import STUFF_NAMES, TILE, TextureBank, make_texture, noise


@pytest.mark.parametrize("name", STUFF_NAMES)
def test_textures_follow_from_their_seed(name):
    first, again, other = (make_texture(name, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (TILE, TILE, 3)
    assert first.dtype == np.uint8
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", STUFF_NAMES)
@pytest.mark.parametrize("axis", [0, 1])
def test_textures_have_no_seam(name, axis):
    """The step across the edge is no larger than the largest step between rows inside."""
    for seed in range(3):
        texture = make_texture(name, np.random.default_rng(seed)).astype(float)
        steps = np.abs(np.diff(texture, axis=axis)).mean(axis=(1 - axis, 2))
        across = np.abs(np.take(texture, 0, axis) - np.take(texture, -1, axis)).mean()
        assert across <= steps.max() * 1.3


def test_noise_is_unit_and_wraps():
    field = noise(np.random.default_rng(0), 6, stretch=(3, 1))
    assert abs(field.mean()) < 1e-3
    assert abs(field.std() - 1) < 1e-3
    down, right = np.abs(np.diff(field, axis=0)).mean(), np.abs(np.diff(field, axis=1)).mean()
    assert down < 0.7 * right  # Stretched vertically: slower change downwards.


def test_a_bank_gives_the_same_whatever_the_order():
    first, second = TextureBank(7, 2), TextureBank(7, 2)
    second.fill()
    for name, index in (("tile", 1), ("sky", 0)):
        np.testing.assert_array_equal(first.get(name, index), second.get(name, index))
    assert first.get("sky", 0).tobytes() != first.get("sky", 1).tobytes()
    assert first.get("sky", 0) is first.get("sky", 0)
    with pytest.raises(ValueError, match=r"isn't within 0\.\.1"):
        first.get("sky", 2)
    with pytest.raises(ValueError, match="at least one texture"):
        TextureBank(7, 0)
    with pytest.raises(ValueError, match="no stuff is called 'lava'"):
        make_texture("lava", np.random.default_rng(0))
