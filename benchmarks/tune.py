"""Which levels suit the demo models: ``python -m benchmarks.tune``.

One setting after another is moved over some values, on scenes of a world that nothing else is
measured on (``benchmarks.quality.TUNING_WORLD``), with 12 and with all words asked; the value
with the best mean PQ is kept, and the next one moved. What it ends with is meant for the preset
"demo" in ``panoptic/presets.py``, where a person writes it. Prints a line a value.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.quality import FEW_WORDS, SIZE, TUNING_WORLD, words_for
from panoptic.commands.options import quiet
from panoptic.demo.artwork import TRAINING_VENDORS, load_artwork
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.devices import choose_device
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.pipeline import PanopticPipeline

# Stage and setting -> values to try, in the order in which they are tried.
KNOBS: dict[tuple[str, str], tuple[float, ...]] = {
    ("things", "box_threshold"): (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    ("things", "cross_category_iou"): (0.5, 0.65, 0.8),
    ("things", "same_category_iou"): (0.4, 0.5, 0.6, 0.7),
    ("regions", "background"): (0.05, 0.1, 0.2, 0.3, 0.4),
    ("merge", "stuff_weight"): (0.05, 0.1, 0.2),
    ("merge", "min_stuff_area"): (0.005, 0.01, 0.02),
    ("merge", "min_visible"): (0.35, 0.5, 0.65),
    ("stuff_masks", "heat_weight"): (0.5, 1.0, 2.0),
}


def setting(pipeline: PanopticPipeline, stage: str, name: str) -> float:
    owner = pipeline.things if stage == "things" else pipeline.settings
    return getattr(owner.settings if stage == "things" else getattr(owner, stage), name)  # type: ignore[attr-defined]


def change(pipeline: PanopticPipeline, stage: str, name: str, value: float) -> None:
    """Sets one setting of a pipeline. The text threshold goes with the box threshold: the mean
    over the words of a name is at most the probability of the strongest."""
    if stage == "things":
        detector: Any = pipeline.things
        changes = {name: value}
        if name == "box_threshold":
            changes["text_threshold"] = min(value, 0.25)
        detector.settings = replace(detector.settings, **changes)
    else:
        own = replace(getattr(pipeline.settings, stage), **{name: value})
        changed: dict[str, Any] = {stage: own}
        pipeline.settings = replace(pipeline.settings, **changed)


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=48)
    parser.add_argument("--models", default="demo", help="a preset, or a folder of models")
    names = [name for _, name in KNOBS]
    parser.add_argument("--settings", nargs="+", choices=names, default=names)
    parser.add_argument("--device", help="default: a GPU if there is one")
    arguments = parser.parse_args()
    quiet()
    device = choose_device(arguments.device)
    pipeline = PanopticPipeline.from_pretrained(arguments.models, device=device)
    world = World(load_artwork(TRAINING_VENDORS), seed=TUNING_WORLD)
    best: float | None = None
    for (stage, name), values in KNOBS.items():
        if name not in arguments.settings:
            continue
        start = setting(pipeline, stage, name)
        kept = start
        for value in sorted({start, *values}, key=lambda v: (v != start, v)):
            if value == start and best is not None:
                continue  # measured already: it is what the setting before ended with
            change(pipeline, stage, name, value)
            few, everything = score(pipeline, world, arguments.scenes)
            mean = (few + everything) / 2
            better = best is None or mean > best
            best, kept = (mean, value) if better or best is None else (best, kept)
            print(
                f"{name} {value:g}: PQ {few:.1f} with {FEW_WORDS} words, {everything:.1f} with all"
                + (" *" if better else ""),
                flush=True,
            )
        change(pipeline, stage, name, kept)
        print(f"-> {name} {kept:g}", flush=True)


if __name__ == "__main__":
    main()
