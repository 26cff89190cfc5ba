"""Pictures of results: colours over the image, outlines, names and a legend; notebook displays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy import ndimage

from panoptic.io.images import ImageLike, load_image
from panoptic.results.masks import resize_window
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.drawing import (
    INK,
    WHITE,
    Color,
    blend,
    chip,
    chip_size,
    place_chips,
    shade,
    text_width,
    write,
)
from prompts import Vocabulary
from prompts.palette import palette

UNKNOWN_COLOR: Color = (150, 150, 150)
_VOID: Color = (40, 40, 40)  # stands for "nothing" where there is no picture to show


@dataclass(frozen=True)
class ShowSettings:
    """How a result is drawn. Line widths and letters grow with the picture."""

    thing_opacity: float = 0.5
    """Enough to tell instances apart, little enough to see what they are."""
    stuff_opacity: float = 0.4
    """Less than things: stuff covers most of a picture."""
    outlines: bool = True
    names: bool = True
    scores: bool = False
    """Whether names carry the score of their segment."""
    ids: bool = False
    """Whether names carry the id of their segment, as in a video where it lasts."""
    legend: bool = True
    """Whether a list of categories is added below the picture, which gets higher by it."""
    min_side: int = 960
    """Pictures whose longer side is shorter than this are enlarged so that names can be read."""
    max_side: int | None = None
    """Pictures whose longer side is longer than this are reduced; None leaves them."""

    def __post_init__(self) -> None:
        for name in ("thing_opacity", "stuff_opacity"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.max_side is not None and self.max_side < 1:
            raise ValueError(f"max_side must be at least 1, got {self.max_side}")


def overlay(
    result: PanopticSegmentation,
    image: ImageLike | None = None,
    *,
    colors: Vocabulary | Mapping[int, Color] | None = None,
    shades: Mapping[int, Color] | None = None,
    settings: ShowSettings | None = None,
    thing_opacity: float | None = None,
    stuff_opacity: float | None = None,
    outlines: bool | None = None,
    names: bool | None = None,
    scores: bool | None = None,
    ids: bool | None = None,
    legend: bool | None = None,
    min_side: int | None = None,
    max_side: int | None = None,
) -> Image.Image:
    """The image with its segments in colour, their outlines and names, and a legend below.

    ``image`` is whatever ``load_image`` takes; without it ``result.image`` is used, and without
    that the colours alone are drawn. ``colors`` gives RGB by category id (a ``Vocabulary`` does);
    otherwise they follow from the ids, the same for every picture. Things of one category get
    shades of its colour, or those that ``shades`` gives by segment id. The others are fields of
    ``ShowSettings``, such as ``legend=False``; those not given are as ``settings`` has them.

    Raises ``ValueError`` if the image is not of the size of the result.
    """
    given = {
        "thing_opacity": thing_opacity, "stuff_opacity": stuff_opacity, "outlines": outlines,
        "names": names, "scores": scores, "ids": ids, "legend": legend, "min_side": min_side,
        "max_side": max_side,
    }  # fmt: skip
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    settings = replace(settings or ShowSettings(), **changes)
    pixels = result.image if image is None else load_image(image)
    if pixels is not None and pixels.shape[:2] != result.ids.shape:
        raise ValueError(
            f"the image has {pixels.shape[1]} x {pixels.shape[0]} pixels, "
            f"the result {result.width} x {result.height}"
        )
    base = category_colors(result, colors)
    shades = segment_colors(result, base) if shades is None else shades
    height, width = _drawn_size(result, settings)
    numbers = _resized(_numbers(result), len(result), (height, width))
    picture = _painted(_background(pixels, (height, width)), numbers, result, shades, settings)
    letters = round(min(max(0.021 * (height * width) ** 0.5, 11), 60))
    if settings.names:
        _write_names(picture, numbers, result, shades, letters, settings)
    if settings.legend and len(result):
        return _with_legend(picture, result, base, letters)
    return picture


def category_colors(
    result: PanopticSegmentation, colors: Vocabulary | Mapping[int, Color] | None = None
) -> dict[int, Color]:
    """RGB by category id, for the categories of a result."""
    kinds = sorted({(s.category_id, s.is_thing) for s in result if not s.is_unknown})
    names = {s.category_id: s.category for s in result}
    if isinstance(colors, Vocabulary):
        colors = {c.id: colors.color(c.id) for c in colors}
    found = palette(kinds, names) | dict(colors or {})
    return {s.category_id: UNKNOWN_COLOR if s.is_unknown else found[s.category_id] for s in result}


def segment_colors(result: PanopticSegmentation, base: Mapping[int, Color]) -> dict[int, Color]:
    """RGB by segment id: shades of the category's colour for things, the colour for stuff."""
    seen: dict[int, int] = {}
    shades = {}
    for s in result.segments:
        number = seen.get(s.category_id, 0)
        seen[s.category_id] = number + 1
        shades[s.id] = shade(base[s.category_id], number) if s.is_thing else base[s.category_id]
    return shades


def _drawn_size(result: PanopticSegmentation, settings: ShowSettings) -> tuple[int, int]:
    longer = max(result.height, result.width)
    scale = 1.0
    if longer < settings.min_side:
        scale = settings.min_side / longer
    if settings.max_side is not None:
        scale = min(scale, settings.max_side / longer)
    return max(round(result.height * scale), 1), max(round(result.width * scale), 1)


def _background(pixels: np.ndarray | None, size: tuple[int, int]) -> Image.Image:
    if pixels is None:
        return Image.new("RGB", size[::-1], _VOID)
    picture = Image.fromarray(pixels)
    return (
        picture
        if pixels.shape[:2] == size
        else picture.resize(size[::-1], Image.Resampling.LANCZOS)
    )


def _numbers(result: PanopticSegmentation) -> np.ndarray:
    """The id map with the segments counted from 1 in their order, 0 is void."""
    ids = np.array([0, *(s.id for s in result)])
    if ids.max() <= 65_535:
        table = np.zeros(ids.max() + 1, np.int32)
        table[ids] = np.arange(len(ids))
        return table[result.ids]
    order = np.argsort(ids)
    return order.astype(np.int32)[np.searchsorted(ids[order], result.ids)]


def _resized(numbers: np.ndarray, count: int, size: tuple[int, int]) -> np.ndarray:
    """The map at another size. Enlarged, outlines are smoothed instead of made of blocks."""
    if numbers.shape == size:
        return numbers
    if size[0] < numbers.shape[0]:
        return np.asarray(Image.fromarray(numbers).resize(size[::-1], Image.Resampling.NEAREST))
    whole = (slice(0, size[0]), slice(0, size[1]))
    resized = np.zeros(size, np.int32)
    best = resize_window((numbers == 0).astype(np.float32), size, whole)
    for number in range(1, count + 1):
        share = resize_window((numbers == number).astype(np.float32), size, whole)
        closer = share > best
        resized[closer] = number
        best[closer] = share[closer]
    return resized


def _painted(
    picture: Image.Image,
    numbers: np.ndarray,
    result: PanopticSegmentation,
    shades: Mapping[int, Color],
    settings: ShowSettings,
) -> Image.Image:
    """``numbers`` (H, W) counts the segments from 1 in their order, 0 is void."""

    small = Image.fromarray(numbers.astype(np.uint8)) if len(result) < 256 else None

    def layer(values: list[Any], void: Any = 0) -> Image.Image:
        table = np.array([void, *values], np.uint8)
        if small is None:
            return Image.fromarray(table[numbers])
        if table.ndim == 1:  # Pillow looks up a byte many times quicker than numpy
            return small.point([*table.tolist(), *[0] * (256 - len(table))])
        colours = Image.frombytes("P", small.size, small.tobytes())
        colours.putpalette(table.tobytes())
        return colours.convert("RGB")

    opacity = {True: settings.thing_opacity, False: settings.stuff_opacity}
    fill = layer([shades[s.id] for s in result], (0, 0, 0))
    share = layer([round(255 * opacity[s.is_thing]) for s in result])
    picture = Image.composite(fill, picture, share)
    if not settings.outlines:
        return picture
    unit = (numbers.size**0.5) / 600
    edges = _edges(numbers)
    for kind, toward, weight, width, strength in (
        (False, INK, 0.3, 0.6, 0.7),
        (True, WHITE, 0.45, 1.2, 0.95),
    ):
        inside = layer([255 * (s.is_thing is kind) for s in result])
        radius = max(width * unit, 0.5)
        line = Image.fromarray(edges).filter(ImageFilter.BoxBlur(radius))
        # Edges are two pixels wide, so this is how much of 255 the blur left of them.
        line = line.point(lambda v, gain=radius + 0.5: v * gain)
        # Lines lie inside their segment, so that a thing keeps its own outline next to another.
        line = ImageChops.multiply(line, inside)
        color = layer([blend(shades[s.id], toward, weight) for s in result], (0, 0, 0))
        picture = Image.composite(color, picture, line.point(lambda v, s=strength: v * s))
    return picture


def _edges(numbers: np.ndarray) -> np.ndarray:
    """255 at pixels next to a pixel of another segment, uint8 (H, W)."""
    edges = np.zeros(numbers.shape, np.uint8)
    below = numbers[1:] != numbers[:-1]
    right = numbers[:, 1:] != numbers[:, :-1]
    edges[1:][below] = edges[:-1][below] = 255
    edges[:, 1:][right] = edges[:, :-1][right] = 255
    return edges


def _write_names(
    picture: Image.Image,
    numbers: np.ndarray,
    result: PanopticSegmentation,
    shades: Mapping[int, Color],
    letters: int,
    settings: ShowSettings,
) -> None:
    windows = ndimage.find_objects(numbers)
    seen = [(n, s) for n, s in enumerate(result, 1) if n <= len(windows) and windows[n - 1]]
    # Small ones choose first: they have fewer places that are clearly theirs.
    seen.sort(key=lambda item: item[1].area)
    texts = [
        s.category + f" {s.id}" * settings.ids + f" {s.score:.2f}" * settings.scores
        for _, s in seen
    ]
    wanted = []
    for (number, _), text in zip(seen, texts, strict=True):
        size = chip_size(text, letters)[:2]
        wanted.append((size, _places(numbers, number, windows[number - 1], size)))
    rects = place_chips(wanted, picture.size)
    for (_, s), text, rect in zip(seen, texts, rects, strict=True):
        if rect is not None:
            patch = chip(text, shades[s.id], letters)
            picture.paste(patch, rect[:2], patch)


def _places(
    numbers: np.ndarray, number: int, window: tuple[slice, slice], chip: tuple[int, int]
) -> Iterator[tuple[float, float]]:
    """Centres for a name: deep inside first, for small segments above and below the box."""
    rows, columns = window
    x0, y0, x1, y1 = columns.start, rows.start, columns.stop, rows.stop
    if (x1 - x0) * (y1 - y0) < 4 * chip[0] * chip[1]:
        yield (x0 + x1) / 2, y0 - chip[1] * 0.6
        yield (x0 + x1) / 2, y1 + chip[1] * 0.6
    step = max(round(((y1 - y0) * (x1 - x0) / 40_000) ** 0.5), 1)
    mask = np.pad(numbers[rows, columns][::step, ::step] == number, 1)
    # A chip is wide, so depth counts in its proportions. Of equal depths the most central is best.
    wide = (1.0, min(2 * chip[1] / chip[0], 1.0))
    depth = ndimage.distance_transform_edt(mask, sampling=wide)[1:-1, 1:-1]
    ys, xs = np.mgrid[: depth.shape[0], : depth.shape[1]]
    off_centre = np.hypot(ys / depth.shape[0] - 0.5, xs / depth.shape[1] - 0.5)
    depth *= 1 - 0.4 * off_centre
    for _ in range(6):
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[y, x] <= 0:
            return
        yield float(x0 + x * step), float(y0 + y * step)
        depth[(np.abs(ys - y) * step < chip[1]) & (np.abs(xs - x) * step < chip[0])] = 0


def _with_legend(
    picture: Image.Image, result: PanopticSegmentation, base: Mapping[int, Color], letters: int
) -> Image.Image:
    """The picture with its categories listed below: things with their number, then stuff."""
    entries = _legend_entries(result)
    size = max(letters, 12)
    row, gap, mark = round(size * 1.8), round(size * 1.4), round(size * 0.95)
    x, y = gap, row // 3
    placed = []
    for category_id, text in entries:
        width = mark + size // 2 + round(text_width(text, size))
        if x > gap and x + width + gap > picture.width:
            x, y = gap, y + row
        placed.append((x, y, base[category_id], text))
        x += width + gap
    sheet = Image.new("RGB", (picture.width, picture.height + y + row + row // 3), WHITE)
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for x, y, color, text in placed:
        middle = picture.height + y + row / 2
        box = (x, round(middle - mark / 2), x + mark, round(middle + mark / 2))
        draw.rounded_rectangle(box, radius=mark * 0.25, fill=color)
        write(draw, (x + mark + size // 2, middle), text, INK, size)
    return sheet


def _legend_entries(result: PanopticSegmentation) -> list[tuple[int, str]]:
    areas: dict[int, int] = {}
    members: dict[int, list[Segment]] = {}
    for s in result:
        areas[s.category_id] = areas.get(s.category_id, 0) + s.area
        members.setdefault(s.category_id, []).append(s)
    order = sorted(
        areas, key=lambda c: (members[c][0].is_unknown, not members[c][0].is_thing, -areas[c], c)
    )
    entries = []
    for category_id in order:
        first, count = members[category_id][0], len(members[category_id])
        share = 100 * areas[category_id] / (result.height * result.width)
        number = f" ({count})" if first.is_thing and count > 1 else ""
        entries.append((category_id, f"{first.category}{number}  {share:.0f} %"))
    return entries
