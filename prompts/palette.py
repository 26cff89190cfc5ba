"""Colours of categories: distinct, the same for the same ids and words, stuff as in nature."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterator, Mapping, Sequence

Color = tuple[int, int, int]

# Steps of the golden ratio around the colour wheel leave the largest gaps between any number of
# hues; the plastic number's do the same for the second axis, so that neighbours in hue differ in
# brightness.
_HUE_STEP = 0.6180339887498949
_LIGHT_STEP = 0.7548776662466927
# Things are vivid, stuff is muted, so that things stand out where both meet.
_THING = (0.85, 0.75, 1.0)  # saturation, darkest and brightest value
_STUFF = (0.50, 0.45, 0.85)

# What people expect of a word. Of the words in a name the one that comes first here counts: what a
# thing is made of before what it is ("brick wall" is brick, "dirt road" is dirt).
_NATURAL: dict[str, Color] = {
    "sky": (120, 175, 225),
    "cloud": (190, 205, 220),
    "snow": (225, 233, 242),
    "ice": (190, 222, 235),
    "fog": (180, 188, 196),
    "grass": (104, 165, 74),
    "lawn": (118, 176, 88),
    "moss": (112, 136, 60),
    "water": (52, 120, 180),
    "sea": (38, 104, 158),
    "ocean": (28, 90, 148),
    "river": (66, 134, 178),
    "lake": (60, 126, 166),
    "pool": (70, 160, 196),
    "sand": (216, 190, 132),
    "beach": (226, 202, 150),
    "desert": (206, 176, 120),
    "mud": (92, 74, 50),
    "dirt": (114, 84, 58),
    "soil": (106, 78, 56),
    "earth": (124, 90, 60),
    "brick": (176, 76, 58),
    "wood": (162, 116, 70),
    "stone": (150, 146, 138),
    "rock": (138, 132, 122),
    "gravel": (160, 152, 142),
    "tile": (184, 172, 160),
    "asphalt": (88, 90, 96),
    "concrete": (168, 168, 164),
    "tree": (56, 114, 58),
    "forest": (42, 98, 50),
    "bush": (82, 130, 62),
    "leaf": (92, 146, 62),
    "leaves": (88, 142, 66),
    "plant": (74, 138, 74),
    "vegetation": (68, 126, 58),
    "flower": (206, 130, 168),
    "mountain": (124, 122, 136),
    "hill": (132, 142, 96),
    "field": (160, 172, 86),
    "road": (106, 106, 112),
    "street": (100, 102, 110),
    "highway": (94, 96, 102),
    "sidewalk": (176, 170, 166),
    "pavement": (170, 164, 158),
    "path": (186, 164, 130),
    "railroad": (116, 106, 100),
    "platform": (156, 150, 148),
    "bridge": (142, 134, 130),
    "building": (178, 142, 120),
    "house": (186, 140, 112),
    "roof": (156, 84, 66),
    "fence": (148, 122, 96),
    "ground": (150, 126, 98),
    "terrain": (154, 136, 96),
    "wall": (206, 194, 174),
    "ceiling": (220, 216, 206),
    "floor": (176, 146, 114),
    "carpet": (146, 96, 92),
    "curtain": (172, 132, 148),
}


def palette(
    categories: Sequence[tuple[int, bool]], names: Mapping[int, str] | None = None
) -> dict[int, Color]:
    """RGB colours (0 to 255) by category id, for (id, is_thing) pairs.

    Stuff whose name (by id, in ``names``) holds a word with a natural colour has that: the sky is
    blue. Every other colour follows from the id. Only where two would be the same does the later
    one move on. Neither black (void) nor white occurs.
    """
    colors: dict[int, Color] = {}
    taken: set[Color] = set()
    for category_id, is_thing in categories:
        name = "" if is_thing or names is None else names.get(category_id, "")
        for color in _choices(category_id, is_thing, name):
            if color not in taken:
                break
        taken.add(color)
        colors[category_id] = color
    return colors


def natural_color(name: str) -> Color | None:
    """The colour that people expect of such stuff; None where the words of the name have none."""
    words = set(re.findall(r"[a-z]+", name.lower()))
    words |= {word.removesuffix(end) for word in words for end in ("s", "es")}
    return next((color for word, color in _NATURAL.items() if word in words), None)


def _choices(category_id: int, is_thing: bool, name: str) -> Iterator[Color]:
    """Colours for a category, the best first, without end."""
    natural = natural_color(name)
    if natural is not None:
        # A second kind of grass is still green: paler, darker, then paler and darker again.
        for shift in (0, 24, -24, 12, -12, 36, -36):
            red, green, blue = (min(max(channel + shift, 8), 247) for channel in natural)
            yield red, green, blue
    step = category_id
    while True:
        yield _color(step, is_thing)
        step += 1


def _color(step: int, is_thing: bool) -> Color:
    saturation, darkest, brightest = _THING if is_thing else _STUFF
    value = darkest + (brightest - darkest) * (step * _LIGHT_STEP % 1)
    red, green, blue = colorsys.hsv_to_rgb(step * _HUE_STEP % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
