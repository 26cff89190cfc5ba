"""Videos that are killed or interrupted lose nothing: ``python -m benchmarks.kill_video``.

Two demo clips, a file and a folder of pictures, are labelled by ``panoptic video`` with the demo
models: once undisturbed in all formats, and then again and again into new folders, with other
formats asked for each time, each time ended by SIGKILL or by Ctrl-C at a random moment and gone on
with by ``--resume``, until all formats are asked for and it is let be. After every end, whatever
the records in the folder claim must be there and be the undisturbed run's to the byte; in the end,
everything. Exits with 1 where anything differs. Results go to
``benchmarks/results/kill_video.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.lib.artwork import PACKAGED
from benchmarks.lib.clip_files import write_video
from benchmarks.lib.frame import Benchmark, Bound, Outcome
from panoptic.cli import main
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.formats.video_formats import VIDEO_FORMATS
from panoptic.formats.video_output import VideoInfo
from panoptic.pipeline import PanopticPipeline
from panoptic.video.clip_record import records
from prompts import Vocabulary

SIZE = (96, 96)
WORDS = ["--things", "cat, car, tree", "--stuff", "sky, grass, water"]
KINDS = ("kill", "interrupt")
MOST_ENDS = 4
FORK = multiprocessing.get_context("fork")
# Whoever edits the code meanwhile must not change what copies of this process do.
LOADED = (
    *("panoptic.commands.video", "panoptic.commands.recipe", "panoptic.dataset.fingerprint"),
    *("panoptic.video.passes", "panoptic.video.resumable_tracking", "panoptic.video.given_clips"),
    *("filelock", "av", "supervision", "torch"),
)


@dataclass
class Disturbed:
    """One run: how and when it was ended, and what was wrong."""

    ends: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    """What was asked for each time."""
    claimed: list[int] = field(default_factory=list)
    """Formats of clips that were said to be whole after each end."""
    differences: list[str] = field(default_factory=list)


def make_clips(folder: Path, frames: int, seed: int) -> None:
    world = World(load_artwork(PACKAGED), seed=HELD_OUT_WORLD)
    first = make_clip(world, "cut", seed, frames, SIZE)
    write_video(folder / "first.mkv", first.frames)
    (folder / "second").mkdir()
    for number, frame in enumerate(make_clip(world, "late-entry", seed, 8, SIZE).frames):
        Image.fromarray(frame).save(folder / "second" / f"{number:02}.png")


def label(clips: Path, out: Path, formats: Sequence[str], resume: bool) -> None:
    """In a process of its own, which may end at any moment."""
    import torch

    torch.set_num_threads(1)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    given = [str(clips / "first.mkv"), str(clips / "second"), *WORDS, "--models", "demo"]
    given += ["--checkpoint-every", "4", "--format", ",".join(formats), "-o", str(out)]
    os._exit(main(["video", *given, *(["--resume"] if resume else [])]))


def files_of(out: Path) -> dict[str, bytes]:
    """All files but hidden ones."""
    paths = (path for path in sorted(out.rglob("*")) if path.is_file())
    named = {path.relative_to(out).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(".")}


def false_claims(out: Path, expected: dict[str, bytes]) -> tuple[int, list[str]]:
    """How much is said to be whole, and what of that isn't there as it should be."""
    claims, wrong = 0, []
    for name, record in records(out):
        info = VideoInfo(name, Vocabulary.parse("any"))
        for each, written in record.formats.items():
            claims += 1
            paths = VIDEO_FORMATS[each].files(out, info)
            names = {path.relative_to(out).as_posix() for path in paths}
            if written.frames != record.summary.get("frames", written.frames):
                wrong.append(f"{name} {each} claims {written.frames} frames")
            wanted = {n for n in expected if n in names or _belongs(n, name, each)}
            if names != wanted:
                wrong.append(f"{name} {each} lacks {sorted(wanted - names)[:3]}")
            wrong += [n for n in names if (out / n).read_bytes() != expected.get(n)]
    listing = out / "vipseg" / "pred.json"
    for video in json.loads(listing.read_text())["annotations"] if listing.exists() else ():
        for frame in video["annotations"]:
            path = f"vipseg/pan_pred/{video['video_id']}/{frame['file_name']}"
            if not (out / path).exists() or (out / path).read_bytes() != expected[path]:
                wrong.append(f"pred.json lists {path}")
    return claims, wrong


def _belongs(path: str, clip: str, format: str) -> bool:
    """Whether a file of the undisturbed run is a format's, of a clip."""
    folder = {"overlay": "overlays", "timeline": "timelines"}.get(format, format)
    shared = "vipseg/pred.json"
    rest = path.removeprefix(f"{folder}/")
    return path.startswith(f"{folder}/") and clip in rest and path != shared


def disturbed_run(
    clips: Path, out: Path, expected: dict[str, bytes], seconds: float, seed: Sequence[int]
) -> Disturbed:
    """Begun, ended and gone on with, until it was ended often enough; then it is let be."""
    run, rng = Disturbed(), np.random.default_rng(seed)
    for number in range(MOST_ENDS + 1):
        last = number == MOST_ENDS
        chosen = [name for name in VIDEO_FORMATS if last or rng.random() < 0.5] or ["overlay"]
        process = FORK.Process(target=label, args=(clips, out, chosen, number > 0))
        process.start()
        wait = float(rng.uniform(0, seconds))
        process.join(None if last else wait)
        kind = KINDS[int(rng.integers(2))]
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL if kind == "kill" else signal.SIGINT)
            process.join()
            run.ends.append(f"{kind} after {wait:.2f} s")
        elif process.exitcode != 0:
            run.differences.append(f"it ended by itself with {process.exitcode}")
        run.formats.append(" ".join(chosen))
        claims, wrong = false_claims(out, expected)
        run.claimed.append(claims)
        run.differences += wrong
    found = files_of(out)
    names = sorted(expected.keys() | found.keys())
    run.differences += [name for name in names if expected.get(name) != found.get(name)]
    return run


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ends", type=int, default=50, help="of each kind, at the least")
    parser.add_argument("--frames", type=int, default=20, help="of the first clip")
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace) -> Outcome:
    PanopticPipeline.from_pretrained("demo")  # loads the libraries, and computes nothing
    for name in LOADED:
        importlib.import_module(name)
    runs: list[Disturbed] = []
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="panoptic-kill-video-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        _in_a_copy(make_clips, folder / "in", arguments.frames, arguments.seed)
        begun = time.perf_counter()
        _in_a_copy(label, folder / "in", folder / "whole", tuple(VIDEO_FORMATS), False)
        seconds = time.perf_counter() - begun
        expected = files_of(folder / "whole")
        print(f"undisturbed: {seconds:.1f} s, {len(expected)} files")
        while any(ends[kind] < arguments.ends for kind in KINDS):
            seed = (arguments.seed, len(runs))
            run = disturbed_run(folder / "in", folder / "out", expected, seconds, seed)
            runs.append(run)
            ends.update(end.split()[0] for end in run.ends)
            print(
                f"run {len(runs)}: {', '.join(run.ends)}; claimed {run.claimed}; "
                f"{len(run.differences)} differences {run.differences[:3]}",
                flush=True,
            )
            shutil.rmtree(folder / "out")
    failed = sum(bool(run.differences) for run in runs)
    verdict = (
        f"{len(runs)} runs, {ends['kill']} kills and {ends['interrupt']} interruptions: "
        f"{len(runs) - failed} whole and equal to the undisturbed run to the byte, {failed} not"
    )
    content = {
        "machine": arguments.machine,
        **{"frames": [arguments.frames, 8], "seed": arguments.seed, "files": len(expected)},
        **{"undisturbed_seconds": round(seconds, 1), "verdict": verdict},
        "runs": [asdict(run) for run in runs],
    }
    claims = sum(sum(run.claimed[:-1]) for run in runs)
    bounds = [
        Bound("runs that differ", failed, most=0),
        Bound("claims looked at before the end", claims, least=1),
        *(Bound(f"{kind}s", ends[kind], least=arguments.ends) for kind in KINDS),
        Bound("files of the undisturbed run", len(expected), least=2 * arguments.frames),
    ]
    return Outcome(content, _text(arguments, verdict, claims, seconds), verdict, bounds)


def _in_a_copy(target, *arguments) -> None:  # type: ignore[no-untyped-def]
    """Runs in a copy of this process, for this one to stay fit to be copied."""
    process = FORK.Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{target.__name__} ended with {process.exitcode}")


def _text(arguments: argparse.Namespace, verdict: str, claims: int, seconds: float) -> str:
    lines = [
        "# Videos killed, interrupted and gone on with", "",
        f"`python -m benchmarks.kill_video --ends {arguments.ends} "
        f"--frames {arguments.frames}`", "",
        f"{verdict}. Each time other formats were asked for; compared are all files of all six "
        "formats.", "",
        f"In between, {claims} formats of clips were said to be whole: each was there, to the "
        "byte." if "0 not" in verdict else "", "",
        f"Two clips of {arguments.frames} and 8 frames; undisturbed: {seconds:.0f} s.",
    ]  # fmt: skip
    return "\n".join(lines)


BENCHMARK = Benchmark(
    "benchmarks.kill_video",
    __doc__,
    measure,
    options,
    quick={"ends": 2, "frames": 10},
    quick_means="two ends of each kind, a clip of ten frames",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
