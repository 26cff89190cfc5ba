"""The demo job: scenes that no model has seen, labelled, drawn and measured, with no network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.formats.coco_panoptic import CocoPanopticWriter
from panoptic.io.files import write_png
from panoptic.io.output_folder import OutputFolder, output_folder
from panoptic.io.progress import Progress, shown
from panoptic.measure.evaluate_pictures import PanopticReport, evaluate
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.drawing import INK, WHITE, blend, text_width, write
from prompts import Vocabulary

SIZE = (320, 320)
"""Scenes are drawn larger than the models look (192 pixels), for people to look at."""
SHOWN = 8
_TILE, _GAP = 384, 10
_HEAD = 96
_EARLIER = (
    *((folder, "scene-*.png") for folder in ("pictures", "overlays", "prediction", "truth")),
    *((".", name) for name in ("demo.png", "prediction.json", "truth.json")),
    *(("explain", name) for name in ("[0-9]*-*.png", "sheet.png", "explain.txt")),
)
"""What a demo wrote before there were records of it."""


@dataclass(frozen=True)
class Labelled:
    """A scene, as labelled and as it truly is."""

    prediction: PanopticSegmentation
    truth: PanopticSegmentation


@dataclass(frozen=True)
class DemoResult:
    """How it went: the measure, how many words were asked of each scene, seconds in all."""

    report: PanopticReport
    words: int
    seconds: float


def run_demo(
    pipeline: PanopticPipeline,
    folder: Path,
    *,
    scenes: int = 40,
    seed: int = 0,
    progress: bool | Progress = True,
) -> DemoResult:
    """Labels so many held-out scenes of the demo world, all of its words asked.

    Writes ``demo.png`` to look at, ``pictures/``, ``overlays/``, COCO panoptic files called
    ``prediction`` and ``truth``, and ``explain/`` for the first scene. The artwork is one that the
    models know, the textures are not. ``progress`` shows a bar on a
    terminal; a callback in its place is called with scenes done and scenes in all. An earlier
    demo in the folder is replaced; ``OutputError`` where files of others are in the way.
    """
    with output_folder(folder, "panoptic demo", overwrite=True, earlier=_EARLIER) as out:
        return _run_demo(pipeline, out, scenes, seed, progress)


def _run_demo(
    pipeline: PanopticPipeline,
    out: OutputFolder,
    scenes: int,
    seed: int,
    progress: bool | Progress,
) -> DemoResult:
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    vocabulary = demo_vocabulary()
    folder, categories = out.root, vocabulary.to_coco()
    labelled: list[Labelled] = []
    seconds = 0.0
    with (
        CocoPanopticWriter(folder, "prediction", categories, place=out.file) as predictions,
        CocoPanopticWriter(folder, "truth", categories, place=out.file) as truths,
        shown(progress, "scenes", scenes) as tell,
    ):
        for number in range(scenes):
            scene = world.scene(np.random.default_rng((seed, number)), SIZE, things=(3, 7))
            start = time.perf_counter()
            result = pipeline.segment(scene.image, vocabulary)
            seconds += time.perf_counter() - start
            name = f"scene-{number + 1:02}.png"
            write_png(out.file(f"pictures/{name}"), Image.fromarray(scene.image))
            write_png(out.file(f"overlays/{name}"), result.overlay(colors=vocabulary))
            predictions.add(result, name)
            truths.add(scene.truth, name)
            if number == 0:
                result.explain().save(out.files("explain", "*"), overwrite=True)
            labelled.append(Labelled(result, replace(scene.truth, image=scene.image)))
            tell(number + 1, scenes)
    pairs = (p.prediction for p in labelled), (p.truth for p in labelled)
    report = evaluate(*pairs, vocabulary, progress=False)
    sheet = contact_sheet(labelled[:SHOWN], vocabulary, report)
    write_png(out.file("demo.png"), sheet)
    return DemoResult(report, len(vocabulary), seconds)


def contact_sheet(
    shown: Sequence[Labelled], vocabulary: Vocabulary, report: PanopticReport
) -> Image.Image:
    """Scenes two a row: the picture, how it was labelled, and the truth."""
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    group = 3 * (_TILE + _GAP)
    width = columns * (group + _GAP) + _GAP
    sheet = Image.new("RGB", (width, _HEAD + rows * (_TILE + _GAP) + _GAP), WHITE)
    _write_head(sheet, report, columns, group)
    for number, scene in enumerate(shown):
        x = _GAP + number % columns * (group + _GAP)
        y = _HEAD + number // columns * (_TILE + _GAP)
        image = scene.truth.image
        assert image is not None
        picture = Image.fromarray(image).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        drawn = [
            each.overlay(colors=vocabulary, legend=False, min_side=_TILE, max_side=_TILE)
            for each in (scene.prediction, scene.truth)
        ]
        for place, tile in enumerate((picture, *drawn)):
            sheet.paste(tile, (x + place * (_TILE + _GAP), y))
    return sheet


def _write_head(sheet: Image.Image, report: PanopticReport, columns: int, group: int) -> None:
    draw = ImageDraw.Draw(sheet)
    title = "Words in, every pixel named"
    write(draw, (_GAP + 2, 30), title, INK, 34)
    figures = (
        f"PQ {100 * report.all.pq:.0f} on {report.images} new scenes "
        f"(things {100 * report.things.pq:.0f}, stuff {100 * report.stuff.pq:.0f})"
    )
    grey = blend(INK, WHITE, 0.35)
    write(draw, (sheet.width - _GAP - 2 - text_width(figures, 24), 32), figures, grey, 24)
    for column in range(columns):
        for place, text in enumerate(("picture", "labelled", "truth")):
            x = _GAP + column * (group + _GAP) + place * (_TILE + _GAP)
            write(draw, (x + 2, 78), text, grey, 20)
