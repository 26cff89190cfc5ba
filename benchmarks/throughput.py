"""How fast a data set is labelled, and in how much memory: ``python -m benchmarks.throughput``.

Demo scenes of mixed sizes, 6 things and 8 stuff words:

- ours: ``label_dataset`` with the demo models,
- the plain recipe on the same models (``benchmarks.lib.plain_recipe``) as a loop over pictures, at
  its best: words encoded once, one pass of the vision tower for all stuff words, one call of the
  mask decoder for all boxes and one for all words; its labels are saved, too, and nothing else is;
- the same as it is usually written: the text encoded anew for each picture, one pass of the vision
  tower for each stuff word, one call of the mask decoder for each prompt.

Each has all cores: ours by a worker on each; the plain ones by as many processes with a share of
the pictures each or by torch's threads, whichever is faster (both are tried for the one at its
best; as it's usually written it is threads). The shares of stages are of a run with one worker over
some of the pictures, timed where they happen; reading and writing overlap with the rest. Peak
memory is that of one worker's process, with the manifest, at two numbers of pictures. Exits with 1
where ours is slower than the plain recipe at its best by more than a tenth: that is what it may
cost that every label is claimed, written whole and known to the manifest.
Results go to ``benchmarks/results/throughput.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.host import peak_bytes
from benchmarks.lib.plain_recipe import plain_recipe
from panoptic.commands.options import quiet
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.formats.coco_panoptic import CocoPanopticWriter
from panoptic.io.images import load_image
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary

SIZES = ((192, 256), (256, 192), (224, 224), (160, 288))
WORDS = Vocabulary(
    things=["cat", "car", "tree", "house", "apple", "fish"],
    stuff=["sky", "grass", "water", "sand", "brick", "wood", "snow", "road"],
)
# Name of a plain way -> whether by processes (or by torch's threads), and whether at its best.
PLAIN = (
    ("plain recipe at its best, processes", True, True),
    ("plain recipe at its best, threads", False, True),
    ("plain recipe as it is usually written", False, False),
)
# Times the pictures a second of the plain recipe at its best; in a quick run starts weigh more.
LEAST, QUICK_LEAST = 0.9, 0.7
SPAWN = multiprocessing.get_context("spawn")


def make_source(folder: Path, images: int, seed: int, vendors: tuple[str, ...]) -> None:
    world = World(load_artwork(vendors), seed=HELD_OUT_WORLD)
    folder.mkdir(parents=True)
    for i in range(images):
        rng = np.random.default_rng((seed, i))
        scene = world.scene(rng, SIZES[i % len(SIZES)], things=(2, 6))
        Image.fromarray(scene.image).save(folder / f"{i:06}.png")


class Stages:
    """Seconds spent in functions, by name; calls within a timed one belong to that."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = threading.local()
        self._lock = threading.Lock()

    def time(self, owner: Any, name: str, stage: str) -> None:
        call: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "now", False):
                return call(*args, **kwargs)
            self._inside.now = True
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self._inside.now = False
                with self._lock:
                    self.seconds[stage] += time.perf_counter() - start

        setattr(owner, name, timed)


def ours(source: Path, out: Path, settings: DatasetSettings, told: Any) -> None:
    """Seconds, seconds by stage, peak memory."""
    import panoptic.image_pipeline
    from panoptic.dataset import worker as work
    from panoptic.dataset.label_files import LabelFiles

    pipeline = _pipeline()
    stages = Stages()
    if settings.workers == 1:  # others have the work done elsewhere
        stages.time(work, "read_unit", "read files")
        stages.time(work, "load_image", "decode pictures")
        stages.time(pipeline.things, "detect_batch", "detect things")
        stages.time(pipeline.stuff, "heatmaps_batch", "heatmaps of stuff")
        stages.time(pipeline.segmenter, "encode", "SAM 2: encode")
        stages.time(pipeline.segmenter, "segment", "SAM 2: masks")
        stages.time(panoptic.image_pipeline, "find_regions", "regions and points")
        stages.time(panoptic.image_pipeline, "sample_prompts", "regions and points")
        stages.time(panoptic.image_pipeline, "choose_stuff_masks", "choose stuff masks")
        stages.time(panoptic.image_pipeline, "explain_merge", "merge")
        stages.time(LabelFiles, "write", "write labels")
    start = time.perf_counter()
    run = label_dataset(pipeline, source, WORDS, out, settings=settings)
    seconds = time.perf_counter() - start
    assert run.failed == 0
    told.send((seconds, dict(stages.seconds), peak_bytes()))


def plain(source: Path, out: Path, part: slice, at_its_best: bool, told: Any) -> None:
    """As ``ours``, without stages; ``part`` says which of the pictures."""
    import torch

    from detectors.base import Heatmaps
    from sam2core import ImageSegmenter

    if part.step is not None:  # processes side by side
        torch.set_num_threads(1)
    pipeline = _pipeline()
    segmenter = pipeline.segmenter
    if not at_its_best:
        segmenter = ImageSegmenter(segmenter.model, prompts_per_batch=1)
    stuff: Any = pipeline.stuff
    things = Vocabulary.from_categories(WORDS.things)
    words = [Vocabulary.from_categories([category]) for category in WORDS.stuff]
    start = time.perf_counter()
    with CocoPanopticWriter(out, categories=WORDS.to_coco()) as writer:
        for path in sorted(source.iterdir())[part]:
            image = load_image(path)
            boxes = pipeline.things.detect(image, things).clipped(*image.shape[:2])
            if at_its_best:
                heatmaps = stuff.heatmaps(image, WORDS)
            else:
                maps = []
                for word in words:
                    stuff._embedded = None
                    maps.append(stuff.heatmaps(image, word))
                heatmaps = Heatmaps(
                    np.concatenate([m.probabilities for m in maps]),
                    np.concatenate([m.category_ids for m in maps]),
                )
            encoded = segmenter.encode(image)
            writer.add(plain_recipe(segmenter, encoded, boxes, heatmaps, WORDS), path.name)
    told.send((time.perf_counter() - start, {}, peak_bytes()))


def _pipeline() -> Any:
    quiet()
    from panoptic.pipeline import PanopticPipeline

    return PanopticPipeline.from_pretrained("demo")


def in_process(run: Callable[..., None], *arguments: Any) -> tuple[float, dict[str, float], int]:
    """What ``run`` tells from a process of its own."""
    (found,) = side_by_side([(run, *arguments)])
    return found


def side_by_side(calls: Sequence[tuple[Any, ...]]) -> list[tuple[float, dict[str, float], int]]:
    """What each of the calls (a function and its arguments) tells from a process of its own."""
    running = []
    for run, *arguments in calls:
        told, tell = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=run, args=(*arguments, tell))
        process.start()
        tell.close()
        running.append((told, process))
    try:
        return [told.recv() for told, _ in running]
    finally:
        for _, process in running:
            process.join()


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--memory-images", type=int, nargs="*", default=[500, 5000])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stage-images", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace) -> Outcome:
    settings = DatasetSettings(batch=arguments.batch, workers=arguments.workers)
    content: dict[str, Any] = {"images": arguments.images, "workers": arguments.workers}
    with tempfile.TemporaryDirectory(prefix="panoptic-throughput-") as name:
        folder = Path(name)
        vendors = artwork(arguments.quick)["seen"]
        make_source(folder / "in", arguments.images, arguments.seed, vendors)
        print(f"{arguments.images} scenes drawn", flush=True)
        seconds, _, _ = in_process(ours, folder / "in", folder / "ours", settings)
        content["ours_per_second"] = arguments.images / seconds
        content["plain_per_second"] = {}
        print(f"ours: {content['ours_per_second']:.2f} a second", flush=True)
        for name, processes, at_its_best in PLAIN:
            parts = [slice(i, None, arguments.workers) for i in range(arguments.workers)]
            calls = [
                (plain, folder / "in", folder / f"{name}, {i}", part, at_its_best)
                for i, part in enumerate(parts if processes else [slice(None)])
            ]
            start = time.perf_counter()
            told = side_by_side(calls)
            # Several processes with their start, as the workers of ours.
            seconds = time.perf_counter() - start if processes else told[0][0]
            content["plain_per_second"][name] = arguments.images / seconds
            print(f"{name}: {arguments.images / seconds:.2f} a second", flush=True)
        best = max(content["plain_per_second"].values())
        content["speedup"] = content["ours_per_second"] / best
        written = content["plain_per_second"][PLAIN[-1][0]]
        content["speedup_as_written"] = content["ours_per_second"] / written
        alone = DatasetSettings(batch=arguments.batch)
        some = _repeated(folder / "in", folder / "some", arguments.stage_images)
        seconds, stages, _ = in_process(ours, some, folder / "stages", alone)
        content["one_worker_per_second"] = arguments.stage_images / seconds
        content["stage_shares"] = {k: v / seconds for k, v in sorted(stages.items())}
        content["peak_bytes"] = {}
        for count in arguments.memory_images:
            source = _repeated(folder / "in", folder / f"in{count}", count)
            out = folder / f"out{count}"
            _, _, content["peak_bytes"][str(count)] = in_process(ours, source, out, alone)
            print(f"{count}: {content['peak_bytes'][str(count)] / 2**20:.0f} MiB", flush=True)
    content["machine"] = arguments.machine
    verdict = (
        f"{content['ours_per_second']:.1f} pictures a second, {content['speedup']:.2f} times those "
        f"of the plain recipe at its best, {content['speedup_as_written']:.2f} times those of the "
        "plain recipe as it is usually written"
    )
    least = QUICK_LEAST if arguments.quick else LEAST
    bounds = [Bound("times as fast as the plain recipe at its best", content["speedup"], least)]
    return Outcome(content, _text(content), verdict, bounds)


def _repeated(source: Path, folder: Path, count: int) -> Path:
    """So many pictures, by links: what is in them doesn't matter to memory."""
    folder.mkdir()
    pictures = sorted(source.iterdir())
    for i in range(count):
        (folder / f"{i:06}.png").symlink_to(pictures[i % len(pictures)])
    return folder


def _text(content: dict[str, Any]) -> str:
    lines = [
        "# Throughput", "",
        f"{content['images']} demo scenes of four sizes (192 to 288 pixels), 6 things, 8 stuff "
        f"words, {content['workers']} worker(s).", "",
        "| | pictures a second |", "|---|---:|",
        f"| `label_dataset` | {content['ours_per_second']:.2f} |",
        f"| with one worker | {content['one_worker_per_second']:.2f} |",
        *(f"| {name} | {rate:.2f} |" for name, rate in content["plain_per_second"].items()),
        f"| times as fast as the plain recipe at its best | {content['speedup']:.2f} |",
        f"| as it is usually written | {content['speedup_as_written']:.2f} |",
    ]  # fmt: skip
    if content["stage_shares"]:
        lines += ["", "| stage | share of the time that passed |", "|---|---:|"]
        lines += [f"| {k} | {100 * v:.1f} % |" for k, v in content["stage_shares"].items()]
    if content["peak_bytes"]:
        lines += ["", "| pictures | peak memory |", "|---:|---:|"]
        lines += [f"| {k} | {v / 2**20:.0f} MiB |" for k, v in content["peak_bytes"].items()]
    return "\n".join(lines)


BENCHMARK = Benchmark(
    "benchmarks.throughput",
    __doc__,
    measure,
    options,
    quick={"images": 40, "workers": 1, "stage_images": 8, "memory_images": []},
    quick_means="40 pictures and one worker, which must only be 0.7 times as fast as the plain "
    f"recipe at its best; no peak memory; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
