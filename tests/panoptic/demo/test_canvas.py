"""Painting by hand: squares of known size at known places, counted pixel by pixel."""

import numpy as np
import pytest

from panoptic.demo.canvas import Canvas
from panoptic.demo.elements import Actor, Ground, Light, Shadow, View
from panoptic.demo.shapes import Blob, Box, HalfPlane
from panoptic.demo.sprites import Picture, hue_colouring

VIEW = View(32, 32)  # 1 unit is 32 pixels, the origin between pixels 15 and 16.


def square(colour=(200, 40, 40), side=16) -> Picture:
    rgba = np.full((side, side, 4), 255, np.uint8)
    rgba[..., :3] = colour
    return Picture(rgba)


def plain(key, value, **fields) -> Ground:
    return Ground(key, np.full((64, 64, 3), value, np.uint8), **fields)


def test_a_square_covers_exactly_its_pixels():
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 100), Actor(2, square(), x=0.0, y=0.0, size=0.25))
    expected = np.ones((32, 32), int)
    expected[12:20, 12:20] = 2
    np.testing.assert_array_equal(canvas.keys, expected)
    assert canvas.full == {2: 64}
    image = canvas.finish(Light())
    assert (image[13:19, 13:19] == [200, 40, 40]).all()
    assert (image[:11] == 100).all()


def test_what_stands_in_front_takes_pixels_but_not_the_full_count():
    canvas = Canvas(VIEW)
    back = Actor(2, square(), x=0.0, y=0.0, size=0.25)
    front = Actor(3, square((0, 0, 255)), x=0.125, y=0.0, size=0.25)  # 4 pixels to the right.
    canvas.paint(plain(1, 100), back, front)
    assert np.count_nonzero(canvas.keys == 2) == 8 * 4
    assert np.count_nonzero(canvas.keys == 3) == 64
    assert canvas.full == {2: 64, 3: 64}


def test_hidden_things_show_no_pixel():
    canvas = Canvas(VIEW)
    small = Actor(2, square(), x=0.0, y=0.0, size=0.25)
    canvas.paint(plain(1, 100), small, Actor(3, square(), x=0.0, y=0.0, size=0.5))
    assert not (canvas.keys == 2).any()
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 100), small, plain(4, 50, shape=Box(0, 0, 0.4, 5.0)))
    assert not (canvas.keys == 2).any()
    assert canvas.full[2] == 64


def test_only_the_part_within_the_picture_counts():
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 100), Actor(2, square(), x=0.5, y=0.0, size=0.25))
    assert canvas.full == {2: 8 * 4}
    assert (canvas.keys[12:20, 28:] == 2).all()
    canvas.paint(Actor(3, square(), x=5.0, y=0.0, size=0.25))
    assert canvas.full[3] == 0


def test_a_clear_picture_border_belongs_to_what_is_behind():
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[4:12, 4:12] = 255
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 100), Actor(2, Picture(rgba), x=0.0, y=0.0, size=0.5))
    assert np.count_nonzero(canvas.keys == 2) == 64


def test_shadows_darken_but_own_nothing():
    shadow = Shadow(dx=0.5, dy=0.5, blur=0.1, strength=0.5)
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 100), Actor(2, square(), x=0.0, y=0.0, size=0.25, shadow=shadow))
    assert np.count_nonzero(canvas.keys == 2) == 64
    image = canvas.finish(Light())
    assert image[21, 21].max() < 80
    assert (image[5, 5] == 100).all()


def test_regions_divide_the_plane_where_their_shapes_say():
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 10), plain(2, 20, shape=HalfPlane(90, 0.0)))
    assert (canvas.keys[:16] == 1).all()
    assert (canvas.keys[16:] == 2).all()
    canvas.paint(plain(3, 30, shape=HalfPlane(0, 0.25), within=2))
    assert (canvas.keys[16:, 24:] == 3).all()
    assert (canvas.keys[:16] == 1).all()
    canvas.paint(plain(4, 40, shape=Blob(0.0, 0.0, 0.25)))
    assert abs(np.count_nonzero(canvas.keys == 4) - np.pi * 64) < 8


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_the_camera_moves_everything_alike(zoom):
    view = View(32, 32, x=0.125, zoom=zoom)
    canvas = Canvas(view)
    canvas.paint(
        plain(1, 10), plain(2, 20, shape=HalfPlane(0, 0.125)), Actor(3, square(), 0.125, 0, 0.125)
    )
    side = int(4 * zoom)
    low = 16 - side // 2
    assert (canvas.keys[low : low + side, low : low + side] == 3).all()
    assert canvas.full[3] == side * side
    assert (canvas.keys[0, :16] == 1).all()
    assert (canvas.keys[0, 16:] == 2).all()


def test_textures_move_with_the_camera():
    texture = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    first, second = (Canvas(View(192, 192, x=x)) for x in (0.0, 8 / 192))
    for canvas in (first, second):
        canvas.paint(Ground(1, texture))
    np.testing.assert_array_equal(first.image[:, 8:], second.image[:, :-8])


def test_turned_square_keeps_its_area_and_flip_mirrors():
    canvas = Canvas(View(64, 64))
    canvas.paint(plain(1, 10), Actor(2, square(), 0.0, 0.0, 0.5, angle=30))
    assert abs(canvas.full[2] - 32 * 32) < 30
    half = np.full((16, 16, 4), 255, np.uint8)
    half[:, 8:, 3] = 0
    left, right = Canvas(VIEW), Canvas(VIEW)
    left.paint(plain(1, 10), Actor(2, Picture(half), 0.0, 0.0, 0.5))
    right.paint(plain(1, 10), Actor(2, Picture(half), 0.0, 0.0, 0.5, flip=True))
    np.testing.assert_array_equal(left.keys[:, ::-1], right.keys)


def test_angles_turn_clockwise():
    top = np.zeros((17, 17, 4), np.uint8)
    top[:6, 5:12] = 255  # A patch at twelve o'clock.
    canvas = Canvas(VIEW)
    canvas.paint(plain(1, 10), Actor(2, Picture(top), 0.0, 0.0, 0.8, angle=90))
    rows, columns = np.nonzero(canvas.keys == 2)
    assert columns.mean() > 20
    assert abs(rows.mean() - 15.5) < 1


def test_colourings_are_what_they_say():
    grey = np.full((1, 1, 3), 100, np.float32)
    one = np.ones((1, 1, 1), np.float32)
    np.testing.assert_allclose(hue_colouring(hue=77).apply(grey, one), grey, atol=1e-3)
    red = np.array([[[200.0, 0, 0]]], np.float32)
    np.testing.assert_allclose(hue_colouring(120).apply(red, one), [[[0, 200, 0]]], atol=1e-3)
    dull = hue_colouring(saturation=0).apply(red, one)
    assert np.ptp(dull) < 1e-3
    half = hue_colouring(brightness=50).apply(grey / 2, one / 2)  # Premultiplied.
    np.testing.assert_allclose(half, np.full((1, 1, 3), 75), atol=1e-3)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least 16 pixels"):
        View(8, 100)
    with pytest.raises(ValueError, match="non-empty uint8 array"):
        Picture(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="non-empty uint8 array"):
        Picture(np.zeros((0, 0, 4), np.uint8))
