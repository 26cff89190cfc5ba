"""Runs that are killed lose nothing: ``python -m benchmarks.kill``.

Demo scenes of mixed sizes, a short video and broken files are labelled with the demo models, once
undisturbed and then again and again into new folders, each time killed with SIGKILL at random
moments and started again until it is done. What comes out must be the undisturbed run's to the
byte: every label file, the exported data set, and in the manifest all but times.

``--engine ray`` labels on a Ray cluster of two workers on this machine, kills one worker once, and
compares likewise (one run). Exits with 1 where anything differs. Results go to
``benchmarks/results/kill.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.clip_files import write_video
from benchmarks.lib.frame import Benchmark, Bound, Outcome
from panoptic.dataset.export import export
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import MANIFEST, DatasetStore
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.pipeline import PanopticPipeline
from panoptic.settings.dataset import DatasetSettings
from prompts import Vocabulary

SIZES = ((96, 128), (128, 96), (112, 112))
WORDS = Vocabulary(things=["cat", "car", "tree"], stuff=["sky", "grass", "water"])
MOST_KILLS = 4
FORK = multiprocessing.get_context("fork")


@dataclass
class Killed:
    """One run: when it was killed, and what differs in the end."""

    seconds: list[float] = field(default_factory=list)
    labelled: list[int] = field(default_factory=list)
    """Items in the manifest after each kill."""
    differences: list[str] = field(default_factory=list)


def make_source(folder: Path, images: int, seed: int, vendors: tuple[str, ...]) -> None:
    """In a process of its own, as ``content_of``."""
    world = World(load_artwork(vendors), seed=HELD_OUT_WORLD)
    for i in range(images):
        size = SIZES[i % len(SIZES)]
        scene = world.scene(np.random.default_rng((seed, i)), size, things=(1, 4))
        path = folder / f"{i % 2}" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(path)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "truncated.png").write_bytes((folder / "0/0000.png").read_bytes()[:500])
    image = np.asarray(Image.open(folder / "0/0000.png"))
    write_video(folder / "clip.mkv", [np.roll(image, 3 * shift, axis=1) for shift in range(3)])


def label(pipeline: PanopticPipeline, source: Path, out: Path, settings: DatasetSettings) -> None:
    """In a process of its own: it is to be killed."""
    import torch

    torch.set_num_threads(1)
    label_dataset(pipeline, source, WORDS, out, settings=settings)


def begin(*arguments: Any) -> multiprocessing.process.BaseProcess:
    """A copy of this process, which has loaded the models and computed nothing."""
    process = FORK.Process(target=label, args=arguments)
    process.start()
    return process


def content_of(out: Path) -> dict[str, str]:
    """Digests of all that must be the same: label files, export, and the manifest's rows.

    Taken in a process of its own, for this one to stay fit to be copied: decoders have threads.
    """
    told, tell = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: tell.send(_content_of(out)))
    process.start()
    tell.close()
    try:
        return told.recv()
    finally:
        process.join()


def _content_of(out: Path) -> dict[str, str]:
    with DatasetStore.open(out) as store:
        export(
            *(store.items(), store.vocabulary, out / "export", ["coco_panoptic"]), overwrite=True
        )
    found = {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("labels", "videos", "export")
        for path in sorted((out / name).rglob("*"))
        if path.is_file()
    }
    with sqlite3.connect(out / MANIFEST) as db:
        items = db.execute(
            "SELECT name, key, state, content, error, height, width, frames, quality FROM items"
        ).fetchall()
        segments = db.execute(
            "SELECT i.name, s.id, s.category, s.area, s.score, s.quality FROM segments s "
            "JOIN items i ON i.id = s.item"
        ).fetchall()
    found |= {f"item {row[0]}": repr(row[1:]) for row in items}
    found |= {f"segment {row[0]} {row[1]}": repr(row[2:]) for row in segments}
    found["number of items"] = str(len(items))
    found["number of label files"] = str(sum(name.startswith(("labels", "v")) for name in found))
    found["left over"] = str(sorted(path.name for path in out.glob(".partial/*")))
    return found


def differences(expected: dict[str, str], got: dict[str, str]) -> list[str]:
    return [n for n in sorted(expected.keys() | got.keys()) if expected.get(n) != got.get(n)]


def killed_run(
    pipeline: PanopticPipeline,
    source: Path,
    out: Path,
    settings: DatasetSettings,
    duration: float,
    rng: np.random.Generator,
) -> Killed:
    """Begun, killed and begun again, until it is through or has been killed often enough."""
    run = Killed()
    while True:
        process = begin(pipeline, source, out, settings)
        last = len(run.seconds) == MOST_KILLS
        wait = None if last else float(rng.uniform(0, duration))
        process.join(wait)
        if process.exitcode is not None:
            if process.exitcode != 0:
                run.differences.append(f"the run ended with {process.exitcode}")
            return run
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        run.seconds.append(round(wait or 0, 3))
        run.labelled.append(_labelled(out))


def _labelled(out: Path) -> int:
    if not (out / MANIFEST).exists():
        return 0
    with sqlite3.connect(out / MANIFEST) as db:
        try:
            return int(db.execute("SELECT COUNT(*) FROM items WHERE state = 'done'").fetchone()[0])
        except sqlite3.OperationalError:  # killed before it had tables
            return 0


def ray_run(source: Path, out: Path, settings: DatasetSettings) -> Killed:
    """One run on two Ray workers, of which one is killed while it labels."""
    import threading

    import psutil

    run = Killed()
    begun = time.perf_counter()

    def kill_one() -> None:
        while not run.seconds:
            time.sleep(0.05)
            if _labelled(out) < 2:
                continue
            for process in psutil.Process().children(recursive=True):
                if "ChunkActor" in " ".join(process.cmdline()) or "MapWorker" in process.name():
                    process.kill()
                    run.seconds.append(round(time.perf_counter() - begun, 3))
                    run.labelled.append(_labelled(out))
                    return

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    pipeline = PanopticPipeline.from_pretrained("demo")
    label_dataset(pipeline, source, WORDS, out, settings=settings)
    killer.join(1)
    if not run.seconds:
        run.differences.append("no worker was found to be killed")
    return run


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")


def measure(arguments: argparse.Namespace) -> Outcome:
    settings = DatasetSettings(batch=2, chunk=6)
    pipeline = PanopticPipeline.from_pretrained("demo")
    # Whoever edits the code meanwhile must not change what later copies of this process do.
    for name in ("panoptic.video.track", "panoptic.dataset.engines.local", "filelock", "av"):
        importlib.import_module(name)
    runs: list[Killed] = []
    with tempfile.TemporaryDirectory(prefix="panoptic-kill-") as name:
        folder = Path(name)
        vendors = artwork(arguments.quick)["seen"]
        drawn = (folder / "in", arguments.images, arguments.seed, vendors)
        drawing = FORK.Process(target=make_source, args=drawn)
        drawing.start()
        drawing.join()
        start = time.perf_counter()
        process = begin(pipeline, folder / "in", folder / "undisturbed", settings)
        process.join()
        duration = time.perf_counter() - start
        expected = content_of(folder / "undisturbed")
        print(f"undisturbed: {duration:.1f} s, {_labelled(folder / 'undisturbed')} labelled")
        for number in range(arguments.runs if arguments.engine == "local" else 1):
            out = folder / "out"
            if arguments.engine == "ray":
                on_ray = DatasetSettings(batch=2, chunk=6, workers=2, engine="ray")
                run = ray_run(folder / "in", out, on_ray)
            else:
                rng = np.random.default_rng((arguments.seed, number))
                run = killed_run(pipeline, folder / "in", out, settings, duration, rng)
            run.differences += differences(expected, content_of(out))
            runs.append(run)
            print(
                f"run {number + 1}: killed at {run.seconds} s with {run.labelled} labelled; "
                f"{len(run.differences)} differences {run.differences[:3]}",
                flush=True,
            )
            shutil.rmtree(out)
    failed = sum(bool(run.differences) for run in runs)
    kills = sum(len(run.seconds) for run in runs)
    verdict = (
        f"{len(runs)} runs, {kills} kills: {len(runs) - failed} equal to the undisturbed run to "
        f"the byte, {failed} not"
    )
    content = {
        "machine": arguments.machine,
        **{"engine": arguments.engine, "images": arguments.images, "seed": arguments.seed},
        **{"undisturbed_seconds": round(duration, 1), "verdict": verdict},
        "runs": [asdict(run) for run in runs],
    }
    bounds = [
        Bound("runs that differ", failed, most=0),
        Bound("kills", kills, least=1),
        Bound("labelled undisturbed", _items(expected), least=arguments.images + 1),
    ]
    stem = "kill" if arguments.engine == "local" else "kill_ray"
    return Outcome(content, _text(arguments, duration, runs, verdict), verdict, bounds, stem)


def _items(content: dict[str, str]) -> int:
    """Those with labels, of what ``content_of`` found."""
    return sum("'done'" in row for name, row in content.items() if name.startswith("item "))


def _text(arguments: Any, duration: float, runs: list[Killed], verdict: str) -> str:
    progress = [count for run in runs for count in run.labelled]
    lines = [
        f"# Killed and gone on with, engine {arguments.engine}", "",
        f"`python -m benchmarks.kill --engine {arguments.engine} --runs {len(runs)} "
        f"--images {arguments.images}`", "",
        f"{verdict}. Compared are all label files, an export to COCO panoptic, and all of the "
        "manifest but times.", "",
        f"Of {arguments.images} pictures, a video and two broken files, between {min(progress)} "
        f"and {max(progress)} items were labelled when it was killed." if progress else "", "",
        f"Undisturbed: {duration:.0f} s.",
    ]  # fmt: skip
    return "\n".join(lines)


BENCHMARK = Benchmark(
    "benchmarks.kill",
    __doc__,
    measure,
    options,
    quick={"runs": 2, "images": 8},
    quick_means=f"two runs over 8 pictures; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
