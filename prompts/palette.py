"""Colours of categories: distinct, and the same for the same ids."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

# Steps of the golden ratio around the colour wheel leave the largest gaps between any number of
# hues; the plastic number's do the same for the second axis, so that neighbours in hue differ in
# brightness.
_HUE_STEP = 0.6180339887498949
_LIGHT_STEP = 0.7548776662466927
# Things are vivid, stuff is muted, so that things stand out where both meet.
_THING = (0.85, 0.75, 1.0)  # saturation, darkest and brightest value
_STUFF = (0.50, 0.45, 0.85)


def palette(categories: Sequence[tuple[int, bool]]) -> dict[int, tuple[int, int, int]]:
    """RGB colours (0 to 255) by category id, for (id, is_thing) pairs.

    A colour follows from its id; only where two ids would round to the same colour does the
    later one move on. Neither black (void) nor white occurs.
    """
    colors: dict[int, tuple[int, int, int]] = {}
    taken: set[tuple[int, int, int]] = set()
    for category_id, is_thing in categories:
        step = category_id
        while (color := _color(step, is_thing)) in taken:
            step += 1
        taken.add(color)
        colors[category_id] = color
    return colors


def _color(step: int, is_thing: bool) -> tuple[int, int, int]:
    saturation, darkest, brightest = _THING if is_thing else _STUFF
    value = darkest + (brightest - darkest) * (step * _LIGHT_STEP % 1)
    red, green, blue = colorsys.hsv_to_rgb(step * _HUE_STEP % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
