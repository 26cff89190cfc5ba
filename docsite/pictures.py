"""The pictures of docs/words.md, by the demo models: ``python -m docsite.pictures``.

Scenes that no demo model has seen; what each shows is what the models say today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from panoptic.compose.trace import Trace
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.explore import Explorer
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segment import Segment
from panoptic.show.drawing import INK, WHITE, write
from prompts import Vocabulary

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = (240, 320)
_SIDE, _GAP, _HEAD = 440, 12, 26
# Okabe and Ito's colours (2008), which nothing in the scenes is mistaken for, nor for each other.
_COLORS = (
    *((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167)),
    *((86, 180, 233), (213, 94, 0), (240, 228, 66)),
)


@dataclass(frozen=True)
class Tile:
    """One labelling of a scene: ``words`` as ``Vocabulary.parse`` takes them, all of the demo
    world's where there are none; ``levels`` that differ from the preset's."""

    title: str
    words: str = ""
    levels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def vocabulary(self) -> Vocabulary:
        """With the ids of the demo world, so that a word has one colour in all pictures."""
        all_words = demo_vocabulary()
        asked = Vocabulary.parse(self.words) if self.words else all_words
        return Vocabulary.from_categories(all_words.by_name(word.name) for word in asked)


@dataclass(frozen=True)
class Comparison:
    """Labellings of one scene, side by side."""

    scene: int
    tiles: Sequence[Tile]


_THREE, _FOUR = "bicycle, house, monkey; grass, water", "chicken, guitar, octopus"
_SIX = "banana, camera, chicken, watermelon; brick, sand"
_EIGHT = "cactus, hamburger, soccer ball, turtle; dirt, water"
_NINE = "banana, car, cat, fish, rabbit; grass, road, water"
COMPARISONS: Mapping[str, Comparison] = {
    "fewer-words": Comparison(3, [Tile("56 words asked"), Tile("5 words asked", _THREE)]),
    "a-word-left-out": Comparison(
        4,
        [
            Tile("brick, dirt, road", f"{_FOUR}; brick, dirt, road"),
            Tile("dirt, road", f"{_FOUR}; dirt, road"),
        ],
    ),
    "a-word-too-many": Comparison(
        8, [Tile("dirt, water", _EIGHT), Tile("dirt, water, wood", f"{_EIGHT}, wood")]
    ),
    "box-threshold": Comparison(
        4,
        [
            Tile(
                f"both thresholds at {level}",
                "",
                {"detector.box_threshold": level, "detector.text_threshold": level},
            )
            for level in (0.1, 0.2, 0.3)
        ],
    ),
    "background": Comparison(
        8,
        [
            Tile(f"regions.background {level}", _EIGHT, {"regions.background": level})
            for level in (0.1, 0.5)
        ],
    ),
    "min-visible": Comparison(
        9,
        [
            Tile(f"merge.min_visible {level}", _NINE, {"merge.min_visible": level})
            for level in (0.6, 0.0)
        ],
    ),
    "min-stuff-area": Comparison(
        6,
        [
            Tile(f"merge.min_stuff_area {level}", _SIX, {"merge.min_stuff_area": level})
            for level in (0.005, 0.2)
        ],
    ),
}
STEPS = Comparison(9, [Tile("step by step", _NINE)])


def main(folder: Path = FOLDER) -> None:
    """Writes all pictures into a folder."""
    folder.mkdir(exist_ok=True)
    pipeline = PanopticPipeline.from_pretrained("demo")
    world = World(load_artwork(), seed=HELD_OUT_WORLD)
    for name, comparison in {**COMPARISONS, "steps": STEPS}.items():
        traces = list(traces_of(pipeline, world, comparison))
        if comparison is STEPS:
            picture = traces[0].explain().sheet()
            picture.thumbnail((1320, 1320))
        else:
            picture = side_by_side(comparison.tiles, traces)
        picture.save(folder / f"{name}.jpg", quality=80)
        print(folder / f"{name}.jpg")


def traces_of(pipeline: PanopticPipeline, world: World, comparison: Comparison) -> list[Trace]:
    """Each labelling of a scene."""
    picture = world.scene(comparison.scene, size=SIZE, things=(3, 5)).image
    explorer = Explorer(pipeline, picture)
    return [explorer.trace(tile.vocabulary, tile.levels) for tile in comparison.tiles]


def side_by_side(tiles: Sequence[Tile], traces: Sequence[Trace]) -> Image.Image:
    """Overlays in a row, each below its title."""
    found = dict.fromkeys(s.category_id for s in sorted_by_area(traces))
    colors = dict(zip(found, cycle(_COLORS), strict=False))
    look = {"colors": colors, "stuff_opacity": 0.6, "thing_opacity": 0.75, "legend": False}
    shown = [trace.result.overlay(min_side=_SIDE, max_side=_SIDE, **look) for trace in traces]
    width = sum(picture.width for picture in shown) + _GAP * (len(shown) - 1)
    page = Image.new("RGB", (width, _HEAD + shown[0].height), WHITE)
    draw, left = ImageDraw.Draw(page), 0
    for tile, picture in zip(tiles, shown, strict=True):
        write(draw, (left, _HEAD / 2), tile.title, INK, 16)
        page.paste(picture, (left, _HEAD))
        left += picture.width + _GAP
    return page


def sorted_by_area(traces: Sequence[Trace]) -> list[Segment]:
    """The segments of all labellings, the largest first."""
    return sorted((s for trace in traces for s in trace.result), key=lambda s: -s.area)


if __name__ == "__main__":
    main()
