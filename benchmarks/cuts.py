"""Where the cut detector finds other shots: hard and soft transitions, flashes, and none at all.

    python -m benchmarks.cuts [--quick] [--folder FOLDER]

Every two of some shots, of the demo world and of the video files in ``--folder``, are joined in
each way. *Found* is a cut from which on the new shot is what is seen: at the earliest in the last
third of a dissolve, in the second half of a dip. *Extra* are further cuts, most of them in its
middle. Shots themselves, whole, and with flashes of light, should have none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.transitions import LIGHTS, Frames, Joined, cut, dip, dissolve, flash
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector
from sam2core.frames import open_frames

JOINS: dict[str, Callable[[Frames, Frames], Joined]] = {
    "cut": cut,
    **{f"dissolve of {n}": partial(dissolve, length=n) for n in (2, 4, 10, 20)},
    **{f"dip to black of {2 * n}": partial(dip, length=n, grey=0) for n in (1, 3, 8)},
    **{f"dip to white of {2 * n}": partial(dip, length=n, grey=255) for n in (3, 8)},
}
JOINED = ("move", "pan", "flow", "late-entry", "shake")
"""The scenarios of which every two are joined: still and moving cameras, things that come."""
SHOT = 40
LATE = 6
LEAST_FOUND = 0.9


def cuts_of(frames: Frames) -> list[int]:
    settings = VideoSettings()
    detector = CutDetector(settings.cut_distance, settings.cut_ratio)
    return [index for index, frame in enumerate(frames) if detector.step(frame)]


def judge(name: str, joined: Joined, cuts: list[int]) -> tuple[bool, int]:
    """Whether the transition was found in time, and how many cuts there are besides."""
    share = {"cut": 0.0, "dissolve": 1 / 3, "dip": 1 / 2}[name.split()[0]]
    first = joined.stop - share * (joined.stop - joined.start)
    found = any(first <= at <= joined.stop + LATE for at in cuts)
    return found, len(cuts) - found


def shots(vendors: tuple[str, ...], seeds: range, length: int) -> dict[str, tuple[Frames, int]]:
    """One clip a scenario and seed: its frames, and how many true cuts it has."""
    world = World(load_artwork(vendors), seed=HELD_OUT_WORLD)
    found = {}
    for scenario in SCENARIOS:
        for seed in seeds:
            clip = make_clip(world, scenario, seed, length)
            found[f"{scenario} {seed}"] = list(clip.frames), len(clip.cuts)
    return found


def real_shots(folder: Path, length: int) -> dict[str, tuple[Frames, int]]:
    """The beginning of each video file, at a width of 160: all that is looked at is less."""
    found = {}
    for path in sorted(folder.glob("*.mp4")):
        frames = [Image.fromarray(frame) for _, frame in open_frames(path).frames(0, length)]
        size = 160, max(1, round(160 * frames[0].height / frames[0].width))
        found[path.stem] = [np.asarray(f.resize(size, Image.Resampling.BOX)) for f in frames], 0
    return found


def measure_kind(given: dict[str, tuple[Frames, int]], joined: list[str]) -> dict[str, Any]:
    """What is found within some shots, and between those of them that are joined."""
    within = {name: len(cuts_of(frames)) - true for name, (frames, true) in given.items()}
    pieces = [given[name][0][:SHOT] for name in joined]
    between = {}
    for name, join in JOINS.items():
        judged = [
            judge(name, made, cuts_of(made.frames))
            for made in (join(*pair) for pair in permutations(pieces, 2))
        ]
        between[name] = [len(judged), sum(f for f, _ in judged), sum(e for _, e in judged)]
    flashes = {
        name: [len(pieces), sum(len(cuts_of(flash(piece, 20, 1, light))) for piece in pieces)]
        for name, light in LIGHTS.items()
    }
    false = sum(map(abs, within.values()))
    return {"shots": len(given), "false": false, "joined": between, "flashes": flashes}


def measure(arguments: argparse.Namespace) -> Outcome:
    numbers = {}
    for kind, vendors in artwork(arguments.quick).items():
        given = shots(vendors, range(arguments.clips), arguments.frames)
        numbers[kind] = measure_kind(given, [f"{name} 0" for name in JOINED[: arguments.joined]])
    if arguments.folder is not None:
        given = real_shots(arguments.folder, arguments.frames)
        if len(given) < 2:
            raise NotMeasured(f"expected two .mp4 files or more in {arguments.folder}")
        numbers["real"] = measure_kind(given, list(given))
    bounds = []
    for kind, found in numbers.items():
        bounds.append(Bound(f"false cuts within shots, {kind}", found["false"], most=0))
        for name, (count, hits, _) in found["joined"].items():
            bounds.append(Bound(f"{name} found, {kind}", hits / count, least=LEAST_FOUND))
    return Outcome(numbers, table(numbers), "cuts, soft ones too, are found, and no others", bounds)


def table(numbers: dict[str, Any]) -> str:
    kinds = list(numbers)
    lines = [
        "Found and extra cuts, of so many joined pairs; of flashes and shots, cuts that aren't.",
        "",
        "| | " + " | ".join(kinds) + " |",
        "|---" * (1 + len(kinds)) + "|",
    ]
    for name in JOINS:
        cells = [numbers[kind]["joined"][name] for kind in kinds]
        lines.append(f"| {name} | " + " | ".join(f"{f} of {n}, {e}" for n, f, e in cells) + " |")
    for name in LIGHTS:
        cells = [numbers[kind]["flashes"][name] for kind in kinds]
        lines.append(f"| flash: {name} | " + " | ".join(f"{c} in {n}" for n, c in cells) + " |")
    wrong = [f"{numbers[kind]['false']} in {numbers[kind]['shots']}" for kind in kinds]
    return "\n".join([*lines, f"| whole shots | {' | '.join(wrong)} |"])


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clips", type=int, default=3, help="of each scenario")
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--joined", type=int, default=len(JOINED), help="shots, each with each")
    parser.add_argument("--folder", type=Path, help="video files of one shot each, joined as well")


BENCHMARK = Benchmark(
    "benchmarks.cuts",
    __doc__,
    measure,
    options,
    quick={"clips": 1, "frames": 40, "joined": 2},
    quick_means=f"one clip a scenario, two of them joined; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
