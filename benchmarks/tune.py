"""Which levels suit the demo models: ``python -m benchmarks.tune``.

One setting after another is moved over some values, on scenes of a world that nothing else is
measured on (``benchmarks.quality.TUNING_WORLD``), with 12 and with all words asked; the value
with the best mean PQ is kept, and the next one moved. What it ends with is meant for the preset
"demo" in ``panoptic/presets.py``, where a person writes it. Prints a line a value; nothing is
bounded.

``--plain`` does the same with the levels of the plain ways that ours is compared with
(``benchmarks.lib.plain_recipe``), and ``--plain-video`` with those of the plain ways of videos
(``benchmarks.lib.video_methods``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Outcome, add_device
from benchmarks.lib.plain_sweep import clips_of, samples_of, sweep_stills, sweep_videos
from benchmarks.quality import FEW_WORDS, SIZE, TUNING_WORLD, words_for
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.pipeline import PanopticPipeline

# Key of a setting -> values to try, in the order in which they are tried.
KNOBS: dict[str, tuple[float, ...]] = {
    "detector.box_threshold": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    "detector.cross_category_iou": (0.5, 0.65, 0.8),
    "detector.same_category_iou": (0.4, 0.5, 0.6, 0.7),
    "regions.background": (0.05, 0.1, 0.2, 0.3, 0.4),
    "merge.min_stuff_area": (0.005, 0.01, 0.02),
    "merge.min_visible": (0.4, 0.5, 0.6, 0.7),
    "stuff_masks.bound": (2.0, 4.0, 8.0),
}


def change(pipeline: PanopticPipeline, key: str, value: float) -> None:
    """Sets one setting of a pipeline. The text threshold goes with the box threshold: the mean
    over the words of a name is at most the probability of the strongest."""
    changes = {key: value}
    if key == "detector.box_threshold":
        changes["detector.text_threshold"] = min(value, 0.25)
    pipeline.settings = pipeline.settings.changed(changes)


def name_of(key: str) -> str:
    return key.rpartition(".")[2]


def score(pipeline: PanopticPipeline, world: World, count: int) -> tuple[float, float]:
    """PQ in percent with few words and with all."""
    found = []
    for asked in (FEW_WORDS, None):
        predictions, truths = [], []
        for number in range(count):
            scene = world.scene(number, SIZE)
            words = words_for(scene, asked, np.random.default_rng((1, number)))
            predictions.append(pipeline.segment(scene.image, words))
            truths.append(scene.truth)
        found.append(100 * evaluate(predictions, truths, demo_vocabulary()).all.pq)
    return found[0], found[1]


def tune_ours(
    pipeline: PanopticPipeline, world: World, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    for key, values in KNOBS.items():
        name = name_of(key)
        if name not in arguments.settings:
            continue
        best: float | None = None
        start = kept = pipeline.settings.values()[key]
        for value in sorted({start, *values}, key=lambda v: (v != start, v)):
            change(pipeline, key, value)
            few, everything = score(pipeline, world, arguments.scenes)
            mean = (few + everything) / 2
            if best is None or mean > best:
                best, kept = mean, value
            yield {
                **{"way": "ours", "level": name, "value": value, "measure": mean},
                "details": f"{few:.1f} with {FEW_WORDS} words, {everything:.1f} with all",
            }
        change(pipeline, key, kept)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenes", type=int, default=48)
    parser.add_argument("--models", default="demo", help="a preset, or a folder of models")
    names = [name_of(key) for key in KNOBS]
    parser.add_argument("--settings", nargs="+", choices=names, default=names)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--plain", action="store_true", help="the plain ways instead of ours")
    which.add_argument("--plain-video", action="store_true", help="the plain ways of videos")
    add_device(parser)


def measure(arguments: argparse.Namespace) -> Outcome:
    pipeline = PanopticPipeline.from_pretrained(arguments.models, device=arguments.device)
    world = World(load_artwork(artwork(arguments.quick)["seen"]), seed=TUNING_WORLD)
    if arguments.plain:
        rows = sweep_stills(pipeline, samples_of(pipeline, world, arguments.scenes))
    elif arguments.plain_video:
        rows = sweep_videos(pipeline, clips_of(world))
    else:
        rows = tune_ours(pipeline, world, arguments)
    tried = []
    best: dict[str, float] = {}
    for row in rows:
        row["best"] = row["measure"] > best.get(row["way"], -1.0)
        best[row["way"]] = max(row["measure"], best.get(row["way"], -1.0))
        tried.append(row)
        print(
            f"{row['way']}: {row['level']} {row['value']}: {row['measure']:.2f} "
            f"{row.get('details', '')}{' *' if row['best'] else ''}",
            flush=True,
        )
    chosen: dict[str, dict[str, Any]] = {}
    for row in tried:
        if row["best"]:
            chosen.setdefault(row["way"], {})[row["level"]] = row["value"]
    told = "; ".join(f"{way}: {levels}" for way, levels in chosen.items())
    measured = "VPQ" if arguments.plain_video else "PQ"
    return Outcome(
        {"tried": tried, "chosen": chosen}, table(tried), f"best mean {measured} with {told}"
    )


def table(tried: list[dict[str, Any]]) -> str:
    lines = ["| way | level | value | mean | |", "|---|---|---|---|---|"]
    for row in tried:
        lines.append(
            f"| {row['way']} | {row['level']} | {row['value']} | {row['measure']:.2f} | "
            f"{row.get('details', '')} |"
        )
    return "\n".join(lines)


BENCHMARK = Benchmark(
    "benchmarks.tune",
    __doc__,
    measure,
    options,
    quick={"scenes": 4, "settings": ["background"]},
    quick_means=f"one setting on 4 scenes; {QUICK_MEANS}",
    keeps_results=False,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
