"""Sheets of the demo world to look at: ``python -m panoptic.demo.sheet -o out/world``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import World
from panoptic.results.segmentation import PanopticSegmentation
from prompts.palette import palette

_GAP = 4
_CAPTION = 18


def write_sheets(
    world: World,
    folder: Path,
    *,
    seed: int = 0,
    size: tuple[int, int] = (192, 192),
    rows: int = 4,
    columns: int = 6,
    frames: int = 48,
) -> list[Path]:
    """Write ``scenes.png``, ``truth.png`` (the same scenes with their truth) and a strip
    ``clip-<scenario>.png`` of every scenario (pictures above, truth below); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [world.scene(seed * 10_000 + i, size) for i in range(rows * columns)]
    sheets = {
        "scenes": _grid([s.image for s in scenes], columns),
        "truth": _grid([with_truth(s.image, s.truth) for s in scenes], columns),
    }
    for scenario in SCENARIOS:
        sheets[f"clip-{scenario}"] = clip_strip(make_clip(world, scenario, seed, frames, size))
    paths = []
    for name, sheet in sheets.items():
        paths.append(folder / f"{name}.png")
        Image.fromarray(sheet).save(paths[-1])
    return paths


def clip_strip(clip: Clip, columns: int = 8) -> np.ndarray:
    """Evenly spaced frames of a clip side by side, the truth below each: uint8 (h, w, 3)."""
    picked = np.linspace(0, len(clip.frames) - 1, columns).round().astype(int)
    images = [clip.frames[i] for i in picked]
    truths = [with_truth(clip.frames[i], clip.truth[i]) for i in picked]
    sheet = _grid([*images, *truths], columns)
    spans = [
        f"{track.name} {span.reason} {span.start}-{span.stop - 1}"
        for track in clip.tracks.values()
        for span in track.hidden
        if track.is_thing and span.reason != "cut"
    ]
    parts = [clip.scenario, f"frames {', '.join(map(str, picked))}"]
    parts += [f"cuts at {', '.join(map(str, clip.cuts))}"] if clip.cuts else []
    return _captioned(sheet, " | ".join(parts + spans))


def with_truth(image: np.ndarray, truth: PanopticSegmentation) -> np.ndarray:
    """The picture tinted by segment (a colour for each id), with white borders and names."""
    colours = palette([(s.id, s.is_thing) for s in truth.segments])
    lookup = np.zeros((int(truth.ids.max()) + 1, 3), np.float32)
    for id, colour in colours.items():
        lookup[id] = colour
    tinted = 0.45 * image + 0.55 * lookup[truth.ids]
    border = np.zeros(truth.ids.shape, bool)
    border[:, 1:] |= truth.ids[:, 1:] != truth.ids[:, :-1]
    border[1:] |= truth.ids[1:] != truth.ids[:-1]
    tinted[border] = 255
    picture = Image.fromarray(tinted.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(10)
    for segment in truth.segments:
        if segment.area < 0.002 * truth.ids.size:
            continue  # No room for a name.
        rows, columns = np.nonzero(truth.ids == segment.id)
        if segment.is_thing:
            at = columns.mean(), rows.mean()
        else:  # The pixel nearest to the middle of the region: a ring's middle isn't in it.
            nearest = np.hypot(columns - columns.mean(), rows - rows.mean()).argmin()
            at = columns[nearest], rows[nearest]
        width = draw.textlength(segment.category, font) / 2
        x = float(np.clip(at[0], width + 2, max(width + 2, image.shape[1] - width - 2)))
        y = float(np.clip(at[1], 8, image.shape[0] - 8))
        draw.text(
            (x, y), segment.category, "white", font, "mm", stroke_width=1, stroke_fill="black"
        )
    return np.asarray(picture)


def _grid(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3)
    sheet = np.full(shape, 255, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + _GAP) + _GAP, (i % columns) * (width + _GAP) + _GAP
        sheet[y : y + height, x : x + width] = image
    return sheet


def _captioned(sheet: np.ndarray, text: str) -> np.ndarray:
    picture = Image.new("RGB", (sheet.shape[1], sheet.shape[0] + _CAPTION), "white")
    picture.paste(Image.fromarray(sheet), (0, _CAPTION))
    ImageDraw.Draw(picture).text((_GAP, 3), text, "black", ImageFont.load_default(12))
    return np.asarray(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write sheets of the demo world to look at.")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/world"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--vendors", nargs="+", default=["twemoji"], help="artwork to draw with (default: twemoji)"
    )
    arguments = parser.parse_args()
    world = World(load_artwork(arguments.vendors), seed=arguments.seed)
    for path in write_sheets(world, arguments.output, seed=arguments.seed):
        print(path)


if __name__ == "__main__":
    main()
