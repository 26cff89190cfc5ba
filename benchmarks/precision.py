"""What half precision costs and gains, on the demo models: ``python -m benchmarks.precision``.

The same held-out scenes and clips in float32 and in bfloat16, in one run: panoptic quality, the
pixels that get another label, SAM 2's masks from exact boxes alone, and objects followed through
clips. Results go to ``benchmarks/results/precision.json`` and ``.md``, with what the processor
has for bfloat16; the last line is the verdict, and the exit code is 1 if a bound is missed.

``--quick`` is under a minute on two cores, and writes nothing but ``--json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks.host import clock, describe
from benchmarks.quality import FEW_WORDS, SIZE, words_for
from panoptic.commands.options import quiet
from panoptic.demo.artwork import UNSEEN_VENDOR, load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, Scene, World, demo_vocabulary
from panoptic.devices import choose_device
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
RESULTS = Path(__file__).parent / "results"
EXACT = "float32"
LEAST_PIXELS = 40  # of a thing whose mask is asked for
# What may be lost at most, in points of a hundred, as a mean over both artworks; and pixels that
# may get another label.
BOUNDS = {"PQ": 1.0, "mask IoU": 0.5, "J&F": 1.0}
OTHER_LABEL = 2.0
# With fewer scenes than this the bound of PQ is wider: boxes near the threshold pass it in one
# dtype and not in the other, either way, and each weighs more.
ENOUGH_SCENES = 100


def measure(
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


def verdict(results: dict[str, Any]) -> tuple[bool, str]:
    """Whether everything is within the bounds, and that in a sentence."""
    dtype = results["dtype"]
    lost = {
        name: float(np.mean([losses(each, dtype)[name] for each in results["artwork"].values()]))
        for name in BOUNDS
    }
    wider = max(1.0, (ENOUGH_SCENES / results["scenes"]) ** 0.5)
    bounds = BOUNDS | {"PQ": BOUNDS["PQ"] * wider}
    pixels = max(
        found["against float32"][dtype]["pixels with another label"]
        for found in results["artwork"].values()
    )
    good = pixels <= OTHER_LABEL and all(lost[name] <= bounds[name] for name in bounds)
    told = ", ".join(f"{n} {lost[n]:+.2f} (at most {bounds[n]:g})" for n in bounds)
    return good, (
        f"{'Within the bounds' if good else 'OUT OF BOUNDS'}: {dtype} loses, in points: {told}; "
        f"at most {pixels:.2f} % of pixels get another label (allowed {OTHER_LABEL:g}). "
        f"'auto' on this device is {results['auto']}."
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
    lines += ["", f"{results['seconds']:.0f} seconds on {results['machine']}."]
    return "\n".join([*lines, "", verdict(results)[1]]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="default: a GPU if there is one")
    parser.add_argument("--dtype", choices=("bfloat16", "float16"), default="bfloat16")
    parser.add_argument("--scenes", type=int, default=100, help="of each artwork")
    parser.add_argument("--clips", type=int, default=8, help="of each artwork")
    parser.add_argument("--frames", type=int, default=25, help="of each clip")
    parser.add_argument("--quick", action="store_true", help="a few scenes and clips")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here too")
    arguments = parser.parse_args()
    quiet()
    device = choose_device(arguments.device)
    if device == "cpu":
        torch.set_num_threads(1)  # models as small as these get no quicker with more
    scenes, clips, frames = arguments.scenes, arguments.clips, arguments.frames
    if arguments.quick:
        scenes, clips, frames = 16, 2, 13
    start = time.perf_counter()
    results: dict[str, Any] = {
        **{"dtype": arguments.dtype, "auto": name_of(choose_dtype(device))},
        "clock": "the processor's, one thread" if device == "cpu" else "the clock's",
        **{"scenes": scenes, "clips": clips, "frames": frames},
        "artwork": {
            artwork: measure((EXACT, arguments.dtype), device, artwork, scenes, clips, frames)
            for artwork in ARTWORK
        },
    }
    results |= {"seconds": round(time.perf_counter() - start, 1), "machine": describe(device)}
    good, sentence = verdict(results)
    results["verdict"] = sentence
    written = [arguments.json] if arguments.json else []
    if not arguments.quick:
        RESULTS.mkdir(exist_ok=True)
        written.append(RESULTS / "precision.json")
        (RESULTS / "precision.md").write_text(table(results), encoding="utf-8")
    for path in written:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results), end="")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
