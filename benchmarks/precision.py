"""What half precision costs and gains, on the demo models: ``python -m benchmarks.precision``.

The same held-out scenes and clips in float32 and in bfloat16, in one run: panoptic quality, the
pixels that get another label, SAM 2's masks from exact boxes alone, and objects followed through
clips. Results go to ``benchmarks/results/precision.json`` and ``.md``, with what the processor
has for bfloat16. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome, add_device
from benchmarks.lib.host import clock
from benchmarks.quality import FEW_WORDS, SIZE, words_for
from panoptic.demo.artwork import UNSEEN_VENDOR, load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, Scene, World, demo_vocabulary
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from sam2core import ImageSegmenter
from sam2core.precision import choose_dtype, name_of
from training.sam2_clip_metrics import score_clip, summary
from training.sam2_metrics import mask_iou
from training.sam2_prompts import box_of

T = TypeVar("T")
# Seen and unseen in training, and both in packages of the extra "demo".
ARTWORK = {"seen": ("twemoji",), "unseen": (UNSEEN_VENDOR,)}
EXACT = "float32"
LEAST_PIXELS = 40  # of a thing whose mask is asked for
# What may be lost at most, in points of a hundred, as a mean over both artworks; and pixels that
# may get another label.
BOUNDS = {"PQ": 1.0, "mask IoU": 0.5, "J&F": 1.0}
OTHER_LABEL = 2.0
# With fewer scenes than this the bound of PQ is wider: boxes near the threshold pass it in one
# dtype and not in the other, either way, and each weighs more.
ENOUGH_SCENES = 100


def measure_artwork(
    dtypes: Sequence[str], device: str, artwork: str, scenes: int, clips: int, frames: int
) -> dict[str, Any]:
    """The figures of one artwork: by dtype, and between the first dtype and the others."""
    world = World(load_artwork(ARTWORK[artwork]), seed=HELD_OUT_WORLD)
    pictures = [world.scene(number, SIZE) for number in range(scenes)]
    names = list(SCENARIOS)  # of which clips are taken from all over the list
    followed = [make_clip(world, names[4 * i % len(names)], i, frames) for i in range(clips)]
    labels, masks, found = {}, {}, {}
    now = clock(device)
    for dtype in dtypes:
        pipeline = PanopticPipeline.from_pretrained("demo", device=device, dtype=dtype)
        pipeline.segment(pictures[0].image, words_of(0, pictures[0]))  # the first is slower
        labels[dtype], labelling = timed(now, lambda p=pipeline: label(p, pictures))
        masks[dtype], masking = timed(now, lambda p=pipeline: boxed(p.segmenter, pictures))
        scores, following = timed(now, lambda p=pipeline: follow(p, followed))
        report = evaluate(labels[dtype], [s.truth for s in pictures], demo_vocabulary()).to_dict()
        truth = [mask for scene in pictures for mask in things_of(scene)]
        found[dtype] = {
            **{f"PQ {kind}": 100 * report[kind]["pq"] for kind in ("all", "things", "stuff")},
            "mask IoU": 100 * float(np.mean([*map(mask_iou, masks[dtype], truth)])),
            "J&F": 100 * scores["J&F"],
            "seconds a scene": labelling / scenes,
            "seconds a picture's masks": masking / scenes,
            "seconds a frame": following / (clips * frames),
        }
    exact = dtypes[0]
    between = {
        dtype: {
            "pixels with another label": 100 * other_label(labels[exact], labels[dtype]),
            "IoU of the masks with float32's": 100
            * float(np.mean([*map(mask_iou, masks[dtype], masks[exact])])),
        }
        for dtype in dtypes[1:]
    }
    return {"by dtype": found, "against float32": between}


def words_of(number: int, scene: Scene) -> Any:
    return words_for(scene, FEW_WORDS, np.random.default_rng((1, number)))


def label(pipeline: PanopticPipeline, scenes: Sequence[Scene]) -> list[PanopticSegmentation]:
    return [pipeline.segment(scene.image, words_of(i, scene)) for i, scene in enumerate(scenes)]


def things_of(scene: Scene) -> list[np.ndarray]:
    masks = [scene.truth.mask(segment.id) for segment in scene.truth if segment.is_thing]
    return [mask for mask in masks if mask.sum() >= LEAST_PIXELS]


def boxed(segmenter: ImageSegmenter, scenes: Sequence[Scene]) -> list[np.ndarray]:
    """SAM 2's mask for the exact box of every thing, and nothing else of the pipeline."""
    found: list[np.ndarray] = []
    for scene in scenes:
        if things := things_of(scene):
            segmenter.set_image(scene.image)
            found += [*segmenter.segment(boxes=[box_of(mask) for mask in things]).masks()[:, 0]]
    return found


def follow(pipeline: PanopticPipeline, clips: Sequence[Clip]) -> dict[str, float]:
    model = pipeline.segmenter.model
    return summary([score for clip in clips for score in score_clip(model, clip)])


def other_label(
    ours: Sequence[PanopticSegmentation], theirs: Sequence[PanopticSegmentation]
) -> float:
    """The share of pixels to which the two give different categories."""
    differ = [categories(a) != categories(b) for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean([pixels.mean() for pixels in differ]))


def categories(result: PanopticSegmentation) -> np.ndarray:
    """The category's id of every pixel (H, W), 0 where there is none."""
    table = np.zeros(int(result.ids.max()) + 1, np.int64)
    for segment in result:
        table[segment.id] = segment.category_id
    return table[result.ids]


def timed(now: Callable[[], float], run: Callable[[], T]) -> tuple[T, float]:
    start = now()
    return run(), now() - start


def losses(found: dict[str, Any], dtype: str) -> dict[str, float]:
    """By how many points of a hundred ``dtype`` is worse than float32; negative if better."""
    exact, rough = (found["by dtype"][each] for each in (EXACT, dtype))
    return {
        "PQ": exact["PQ all"] - rough["PQ all"],
        "mask IoU": exact["mask IoU"] - rough["mask IoU"],
        "J&F": exact["J&F"] - rough["J&F"],
    }


def bounds_of(results: dict[str, Any]) -> list[Bound]:
    """Losses in points of a hundred, as means over both artworks, and pixels with another label."""
    dtype = results["dtype"]
    wider = max(1.0, (ENOUGH_SCENES / results["scenes"]) ** 0.5)
    most = BOUNDS | {"PQ": BOUNDS["PQ"] * wider}
    artwork = results["artwork"].values()
    return [
        *(
            Bound(name, float(np.mean([losses(each, dtype)[name] for each in artwork])), most=bound)
            for name, bound in most.items()
        ),
        Bound(
            "% of pixels with another label",
            max(each["against float32"][dtype]["pixels with another label"] for each in artwork),
            most=OTHER_LABEL,
        ),
    ]


def verdict(results: dict[str, Any]) -> str:
    """The bounds in a sentence."""
    *lost, pixels = bounds_of(results)
    told = ", ".join(f"{b.name} {b.value:+.2f} (at most {b.most:g})" for b in lost)
    return (
        f"{results['dtype']} loses, in points: {told}; "
        f"at most {pixels.value:.2f} % of pixels get another label (allowed {pixels.most:g}). "
        f"'auto' on this device is {results['auto']}"
    )


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        f"{results['scenes']} held-out scenes with {FEW_WORDS} words asked and {results['clips']} "
        f"clips of {results['frames']} frames an artwork, the same for both. In percent; seconds "
        f"are {results['clock']}.",
        "",
        "| artwork | figure | " + " | ".join([EXACT, results["dtype"]]) + " |",
        "|---|---|---|---|",
    ]
    for artwork, found in results["artwork"].items():
        by_dtype = found["by dtype"]
        for name in by_dtype[EXACT]:
            digits = 3 if name.startswith("seconds") else 2
            cells = [f"{by_dtype[d][name]:.{digits}f}" for d in (EXACT, results["dtype"])]
            lines.append(f"| {artwork} | {name} | {' | '.join(cells)} |")
        for name, value in found["against float32"][results["dtype"]].items():
            lines.append(f"| {artwork} | {name} | | {value:.2f} |")
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dtype", choices=("bfloat16", "float16"), default="bfloat16")
    parser.add_argument("--scenes", type=int, default=100, help="of each artwork")
    parser.add_argument("--clips", type=int, default=8, help="of each artwork")
    parser.add_argument("--frames", type=int, default=25, help="of each clip")
    add_device(parser)


def measure(arguments: argparse.Namespace) -> Outcome:
    device = arguments.device
    if device == "cpu":
        torch.set_num_threads(1)  # models as small as these get no quicker with more
    counts = arguments.scenes, arguments.clips, arguments.frames
    start = time.perf_counter()
    results: dict[str, Any] = {
        **{"dtype": arguments.dtype, "auto": name_of(choose_dtype(device))},
        "clock": "the processor's, one thread" if device == "cpu" else "the clock's",
        **dict(zip(("scenes", "clips", "frames"), counts, strict=True)),
        "artwork": {
            artwork: measure_artwork((EXACT, arguments.dtype), device, artwork, *counts)
            for artwork in ARTWORK
        },
    }
    seconds = round(time.perf_counter() - start, 1)
    results |= {"seconds": seconds, "machine": arguments.machine, "verdict": verdict(results)}
    return Outcome(results, table(results), results["verdict"], bounds_of(results))


BENCHMARK = Benchmark(
    "benchmarks.precision",
    __doc__,
    measure,
    options,
    quick={"scenes": 16, "clips": 2, "frames": 13},
    quick_means=f"16 scenes, so that PQ may lose {(ENOUGH_SCENES / 16) ** 0.5:g} times as much, "
    "and 2 clips",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
