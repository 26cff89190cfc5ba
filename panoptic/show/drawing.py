"""What a picture with names is drawn from: colours, fonts, chips of text, and room for them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Rect = tuple[int, int, int, int]

WHITE: Color = (255, 255, 255)
INK: Color = (24, 26, 30)

# Pillow carries a font of its own, so pictures look the same everywhere; but it has little more
# than ASCII. For other letters the first of these that the system has is taken, or matplotlib's.
_WIDE_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "DejaVuSans.ttf"),
    *("Arial Unicode.ttf", "msyh.ttc", "arial.ttf"),
)
# Shades of one colour for things of one category: steps of lightness and of hue (in turns).
_SHADES = ((0.0, 0.0), (0.14, 0.02), (-0.12, -0.02), (0.24, -0.03), (-0.2, 0.03), (0.07, 0.05))
# Chips are drawn this many times larger and then reduced, which gives them smooth corners.
_SMOOTH = 3


@cache
def font(size: int, ascii: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of about ``size`` pixels; one with more letters than ASCII's, if there is one."""
    if not ascii:
        for name in (*_WIDE_FONTS, *_matplotlib_font()):
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)


def _matplotlib_font() -> tuple[str, ...]:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return ()
    return (str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"),)


def shade(color: Color, number: int) -> Color:
    """The colour of the ``number``-th thing (from 0) of a category with this colour."""
    lift, turn = _SHADES[number % len(_SHADES)]
    hue, light, strength = colorsys.rgb_to_hls(*(c / 255 for c in color))
    light = min(max(light + lift, 0.22), 0.82)
    red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, light, strength)
    return round(red * 255), round(green * 255), round(blue * 255)


def blend(color: Color, other: Color, share: float) -> Color:
    """``share`` of the other colour in this one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def behind_white(color: Color) -> Color:
    """The colour, darkened as far as white letters on it need (a contrast of 4.5, as in WCAG 2)."""
    linear = np.array(
        [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (v / 255 for v in color)
        ]
    )
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    linear *= min(1.0, (1.05 / 4.5 - 0.05) / max(luminance, 1e-6))
    light = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(v * 255) for v in light)
    return red, green, blue


def chip(text: str, color: Color, size: int) -> Image.Image:
    """White text on a rounded patch of (darkened) colour, RGBA; ``size`` is the font's."""
    width, height, pad = chip_size(text, size)
    fill = behind_white(color)
    large = Image.new("RGBA", (width * _SMOOTH, height * _SMOOTH))
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, large.width - 1, large.height - 1),
        radius=height * _SMOOTH * 0.3,
        fill=(*fill, 235),
        outline=(*blend(fill, WHITE, 0.45), 235),
        width=max(_SMOOTH * size // 16, 1),
    )
    patch = large.resize((width, height), Image.Resampling.LANCZOS)
    write(ImageDraw.Draw(patch), (pad, height / 2), text, WHITE, size)
    return patch


def chip_size(text: str, size: int) -> tuple[int, int, int]:
    """Width and height of a chip, and the space left of its text."""
    pad = max(round(size * 0.4), 2)
    return round(text_width(text, size)) + 2 * pad, round(size * 1.45), pad


def text_width(text: str, size: int) -> float:
    return _font_for(text, size).getlength(text)


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    color: Color,
    size: int,
) -> None:
    """Writes a line from ``place`` on, which is its left end and vertical middle."""
    face = _font_for(text, size)
    # Capitals in the middle, whatever descenders a word has.
    top, bottom = face.getbbox("Hx")[1], face.getbbox("Hx")[3]
    draw.text((place[0], place[1] - (top + bottom) / 2), text, font=face, fill=color)


def place_chips(
    wanted: Iterable[tuple[tuple[int, int], Iterable[tuple[float, float]]]], area: tuple[int, int]
) -> Iterator[Rect | None]:
    """Finds room for chips, one after the other, so that none covers another.

    Each has a (width, height) and possible centres (x, y), best first; chips are moved into
    ``area`` (width, height). None where there is no room.
    """
    taken: list[Rect] = []
    for (width, height), centres in wanted:
        found = None
        for x, y in centres:
            left = round(min(max(x - width / 2, 0), max(area[0] - width, 0)))
            top = round(min(max(y - height / 2, 0), max(area[1] - height, 0)))
            rect = (left, top, left + width, top + height)
            if not any(_touch(rect, other) for other in taken):
                found = rect
                taken.append(rect)
                break
        yield found


def _touch(a: Rect, b: Rect) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return font(size, text.isascii())
