"""An explanation in pictures: one panel a step, alone or together on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from panoptic.io.files import png_bytes, put_files
from panoptic.results.explanation import Explanation
from panoptic.results.masks import resize_window
from panoptic.show.drawing import INK, WHITE, Color, chip, place_chips, write
from panoptic.show.explanation_text import describe
from panoptic.show.overlay import overlay

_GAP = 14
_TITLE = 18
# From dark to light: brighter is likelier, for colour-blind eyes too.
_HEAT_COLORS = np.array(
    [(50, 15, 75), (120, 25, 90), (205, 60, 50), (250, 150, 30), (255, 235, 130), (255, 255, 245)]
)
_MOST_HEATMAPS, _FEWEST_HEATMAPS = 12, 4
_LOST: Color = (90, 90, 95)


@dataclass(frozen=True)
class Panel:
    """A step as a picture, all of one explanation equally large."""

    name: str
    title: str
    picture: Image.Image


def panels(steps: Explanation, side: int = 640) -> list[Panel]:
    """A panel for every step, whose longer side is ``side`` pixels."""
    canvas = _Canvas(steps, side)
    return [
        Panel("picture", "picture", canvas.picture),
        Panel("boxes", f"boxes of things: {len(steps.boxes)}", _boxes(steps, canvas)),
        Panel("thing-masks", "the masks they gave", _thing_masks(steps, canvas)),
        Panel("heatmaps", f"heatmaps of stuff: {len(steps.words)} words", _heat(steps, canvas)),
        Panel("regions", "regions without things (hatched)", _region_map(steps, canvas)),
        Panel("points", "points that SAM 2 was asked with", _points(steps, canvas)),
        Panel("stuff-masks", "the masks they gave", _stuff_masks(steps, canvas)),
        Panel("merge", f"merged: {len(steps.result)} segments", _merged(steps, canvas)),
    ]


def sheet(steps: Explanation, columns: int = 4) -> Image.Image:
    """All panels in the order of the steps."""
    found = panels(steps)
    width, height = found[0].picture.size
    cell = max(width, 300)
    rows = -(-len(found) // columns)
    letters = 22
    line = round(letters * 1.9)
    picture = Image.new(
        "RGB", (columns * (cell + _GAP) + _GAP, rows * (height + line + _GAP) + _GAP), WHITE
    )
    draw = ImageDraw.Draw(picture)
    for number, panel in enumerate(found):
        x = _GAP + number % columns * (cell + _GAP)
        y = _GAP + number // columns * (height + line + _GAP)
        write(draw, (x, y + line / 2), f"{number + 1}  {panel.title}", INK, letters)
        picture.paste(panel.picture, (x, y + line))
    return picture


def save(steps: Explanation, folder: str | Path, *, overwrite: bool = False) -> Path:
    """See ``Explanation.save``."""
    folder = Path(folder)
    contents = {folder / "sheet.png": png_bytes(sheet(steps))}
    for number, panel in enumerate(panels(steps, side=960), start=1):
        contents[folder / f"{number}-{panel.name}.png"] = png_bytes(panel.picture)
    contents[folder / "explain.txt"] = f"{describe(steps)}\n".encode()
    put_files(contents, overwrite=overwrite)
    return folder


class _Canvas:
    """The picture at the size of a panel, and things drawn at that size."""

    def __init__(self, steps: Explanation, side: int) -> None:
        result = steps.result
        scale = side / max(result.height, result.width)
        self.height = max(1, round(result.height * scale))
        self.width = max(1, round(result.width * scale))
        self.scale = scale
        self.letters = max(11, side // 42)
        pixels = result.image
        assert pixels is not None  # the pipeline's results have theirs
        resample = Image.Resampling.LANCZOS
        self.picture = Image.fromarray(pixels).resize((self.width, self.height), resample)

    def faded(self, share: float = 0.55) -> Image.Image:
        """The picture with less colour and contrast, so that what is drawn on it stands out."""
        grey = self.picture.convert("L").convert("RGB")
        return Image.blend(grey, Image.new("RGB", grey.size, (128, 128, 128)), share)

    def smooth(self, mask: np.ndarray) -> np.ndarray:
        """A mask (h, w) of the whole picture at the panel's size, its outline smooth."""
        whole = (slice(0, self.height), slice(0, self.width))
        return resize_window(mask.astype(np.float32), (self.height, self.width), whole) > 0.5

    def blocks(self, values: np.ndarray) -> np.ndarray:
        """A map (h, w) of numbers at the panel's size, its values as they are."""
        rows = np.arange(self.height) * values.shape[0] // self.height
        columns = np.arange(self.width) * values.shape[1] // self.width
        return values[rows[:, None], columns[None]]

    def name(
        self,
        picture: Image.Image,
        names: Sequence[tuple[str, Color, Sequence[tuple[float, float]]]],
    ) -> None:
        """Writes names with their colours at the first of their places that is free."""
        patches = [chip(text, color, self.letters) for text, color, _ in names]
        wanted = [(p.size, places) for p, (_, _, places) in zip(patches, names, strict=True)]
        for patch, rect in zip(patches, place_chips(wanted, picture.size), strict=True):
            if rect is not None:
                picture.paste(patch, rect[:2], patch)

    def tint(self, picture: Image.Image, mask: np.ndarray, color: Color) -> Image.Image:
        """The picture with a mask (H, W) of the panel's size in colour, and its outline."""
        inside = Image.fromarray(mask)
        filled = Image.composite(Image.new("RGB", picture.size, color), picture, inside)
        picture = Image.blend(picture, filled, 0.45)
        edge = mask & ~ndimage.binary_erosion(mask, border_value=1)
        line = Image.fromarray(ndimage.binary_dilation(edge, np.ones((3, 3), bool)))
        return Image.composite(Image.new("RGB", picture.size, color), picture, line)


def _boxes(steps: Explanation, canvas: _Canvas) -> Image.Image:
    picture = canvas.faded(0.25)
    draw = ImageDraw.Draw(picture)
    names = []
    for box, category_id, score in reversed(
        list(zip(steps.boxes.xyxy, steps.boxes.category_ids, steps.boxes.scores, strict=True))
    ):
        category = steps.vocabulary.by_id(int(category_id))
        color = steps.vocabulary.color(category.id)
        x0, y0, x1, y1 = (float(v) * canvas.scale for v in box)
        draw.rectangle((x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), outline=color, width=3)
        half = canvas.letters * 0.75
        middle = (x0 + x1) / 2
        places = [(middle, y0 - half), (middle, y1 + half), (middle, y0 + half), (middle, y1)]
        names.append((f"{category.name} {score:.2f}", color, places))
    canvas.name(picture, names[::-1])
    return picture


def _thing_masks(steps: Explanation, canvas: _Canvas) -> Image.Image:
    picture = canvas.faded(0.25)
    names = []
    for i, kept in enumerate(steps.thing_masks):
        mask = canvas.smooth(kept.mask())
        color = steps.vocabulary.color(int(steps.boxes.category_ids[i]))
        lost = steps.thing_fates[i].segment_id is None
        picture = canvas.tint(picture, mask, _LOST if lost else color)
        told = "its own mask" if kept.predicted_iou is None else f"IoU {kept.predicted_iou:.2f}"
        text = told + (", lost" if lost else "")
        names.append((text, _LOST if lost else color, [_middle(mask)]))
    canvas.name(picture, names)
    return picture


def _heat(steps: Explanation, canvas: _Canvas) -> Image.Image:
    """The likeliest words' heatmaps as tiles; words that are nowhere are left out, but for some."""
    order = sorted(range(len(steps.words)), key=lambda i: _importance(steps, i))
    seen = sum(word.highest >= steps.background for word in steps.words)
    order = order[: min(max(seen, _FEWEST_HEATMAPS), _MOST_HEATMAPS)]
    if not order:
        return canvas.faded()
    columns = int(np.ceil(np.sqrt(len(order))))
    rows = -(-len(order) // columns)
    picture = Image.new("RGB", canvas.picture.size, WHITE)
    width, height = max(1, canvas.width // columns), max(1, canvas.height // rows)
    small = canvas.picture.convert("L").resize((width, height), Image.Resampling.BOX)
    ground = np.asarray(small, np.float32)[..., None] / 255
    names = []
    for place, index in enumerate(order):
        word = steps.words[index]
        heat = Image.fromarray(steps.heat[index]).resize((width, height), Image.Resampling.BILINEAR)
        level = np.asarray(heat, np.float32) / 255 * (len(_HEAT_COLORS) - 1)
        low = np.minimum(level.astype(int), len(_HEAT_COLORS) - 2)
        part = (level - low)[..., None]
        colors = _HEAT_COLORS[low] * (1 - part) + _HEAT_COLORS[low + 1] * part
        # What is likely is lit up, the rest stays a dim picture.
        light = np.clip(level / 2, 0, 1)[..., None]
        tile = Image.fromarray(
            (colors * light * (0.65 + 0.35 * ground) + 90 * (1 - light) * ground).astype(np.uint8)
        )
        x, y = place % columns * width, place // columns * height
        picture.paste(tile, (x, y))
        ImageDraw.Draw(picture).rectangle((x, y, x + width, y + height), outline=WHITE, width=2)
        color = steps.vocabulary.color(word.category.id)
        text = f"{word.category.name} {word.highest:.2f}"
        names.append((text, color, [(x + width / 2, y + canvas.letters)]))
    canvas.name(picture, names)
    return picture


def _importance(steps: Explanation, index: int) -> tuple[float, float]:
    return -steps.words[index].share, -steps.words[index].highest


def _region_map(steps: Explanation, canvas: _Canvas) -> Image.Image:
    picture = _painted_regions(steps, canvas, 0.7)
    numbers = canvas.blocks(steps.region_of)
    names = []
    for number, region in enumerate(steps.regions, start=1):
        mask = numbers == number
        if mask.any():
            color = steps.vocabulary.color(region.category.id)
            names.append((f"{region.category.name} {region.score:.2f}", color, [_middle(mask)]))
    canvas.name(picture, names)
    return picture


def _painted_regions(steps: Explanation, canvas: _Canvas, share: float) -> Image.Image:
    """Regions in their colours, things hatched."""
    pixels = np.asarray(canvas.faded(0.4)).astype(np.float32)
    numbers = canvas.blocks(steps.region_of)
    colors = np.array(
        [(0, 0, 0), *(steps.vocabulary.color(r.category.id) for r in steps.regions)], np.float32
    )
    pixels += (colors[numbers] - pixels) * (share * (numbers > 0)[..., None])
    ys, xs = np.indices(numbers.shape)
    hatched = canvas.blocks(steps.covered) & ((ys + xs) % 10 < 4)
    pixels[hatched] = 245
    return Image.fromarray(pixels.astype(np.uint8))


def _points(steps: Explanation, canvas: _Canvas) -> Image.Image:
    picture = _painted_regions(steps, canvas, 0.3)
    draw = ImageDraw.Draw(picture)
    radius = max(4, canvas.letters // 3)
    for points, region in zip(steps.points, steps.regions, strict=True):
        color = steps.vocabulary.color(region.category.id)
        for x, y in points * (canvas.width, canvas.height):
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=color, outline=WHITE, width=2)
    return picture


def _stuff_masks(steps: Explanation, canvas: _Canvas) -> Image.Image:
    picture = canvas.faded(0.25)
    names = []
    for region in steps.regions:
        mask = canvas.smooth(region.mask.mask())
        color = steps.vocabulary.color(region.category.id)
        picture = canvas.tint(picture, mask, color)
        source = "heat alone" if region.chosen is None else f"fits {region.mask.agreement:.2f}"
        names.append((f"{region.category.name}: {source}", color, [_middle(mask)]))
    canvas.name(picture, names)
    return picture


def _merged(steps: Explanation, canvas: _Canvas) -> Image.Image:
    longer = max(canvas.width, canvas.height)
    return overlay(
        steps.result, colors=steps.vocabulary, legend=False, min_side=longer, max_side=longer
    ).resize(canvas.picture.size)


def _middle(mask: np.ndarray) -> tuple[float, float]:
    """The place deepest inside a mask (H, W), as x and y; the picture's middle if it is empty."""
    if not mask.any():
        return mask.shape[1] / 2, mask.shape[0] / 2
    step = max(1, max(mask.shape) // 160)
    depth = ndimage.distance_transform_edt(np.pad(mask[::step, ::step], 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x * step), float(y * step)
