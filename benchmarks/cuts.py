"""Where the cut detector finds other shots: hard and soft transitions, flashes, and none at all.

    python -m benchmarks.cuts [--quick] [--folder FOLDER]

Every two of some shots, of the demo world and of the video files in ``--folder``, are joined in
each way. *Found* is a cut from which on the new shot is what is seen: at the earliest in the last
third of a dissolve, in the second half of a dip. *Extra* are further cuts, most of them in its
middle. *Mirrored* and *close-up* are cuts to another view of one place, which leave the colours as
they are. Shots themselves, every frame of them, every second and third, and with flashes of light,
should have none; among the real ones are pans, zooms and moving things made of the photographs that
lie beside the clone, where these are there.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import sam2core
from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.transitions import (
    LIGHTS,
    Frames,
    Joined,
    close_up,
    cut,
    dip,
    dissolve,
    flash,
    mirrored,
)
from benchmarks.standins.real_clips import moving_things, panned, zoomed
from benchmarks.standins.real_scenes import MediaMissing, real_scenes
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.presets import PRESETS
from panoptic.settings.video import VideoSettings
from panoptic.video.cuts import CutDetector
from sam2core import ImageSegmenter
from sam2core.frames import open_frames

JOINS: dict[str, Callable[[Frames, Frames], Joined]] = {
    "cut": cut,
    **{f"dissolve of {n}": partial(dissolve, length=n) for n in (2, 4, 10, 20)},
    **{f"dip to black of {2 * n}": partial(dip, length=n, grey=0) for n in (1, 3, 8)},
    **{f"dip to white of {2 * n}": partial(dip, length=n, grey=255) for n in (3, 8)},
}
JOINED = ("move", "pan", "flow", "late-entry", "shake")
"""The scenarios of which every two are joined: still and moving cameras, things that come."""
PALETTE = ("mirrored", "close-up")
CLOSE = ((0.4, 0.5, 0.5), (0.6, 0.1, 0.4), (0.5, 0.9, 0.9), (0.35, 0.2, 0.8))
"""Share of the sides, and where: the middle, and to the sides of it."""
STEPS = (1, 2, 3)
EVERY = {1: "every frame", 2: "every second", 3: "every third"}
SHOT = 40
LATE = 6
LEAST_FOUND = 0.9


class Watched:
    """The cut detector on streams of frames, with the image features of the demo's SAM 2; what it
    saw of a frame once it doesn't look at again."""

    def __init__(self) -> None:
        self._segmenter = ImageSegmenter(sam2core.load(PRESETS["demo"].sam2))
        self._seen: dict[bytes, np.ndarray] = {}

    def forget(self) -> None:
        self._seen.clear()

    def cuts_of(self, frames: Frames, features: bool = True) -> list[int]:
        detector = CutDetector(VideoSettings())
        return [
            index
            for index, frame in enumerate(frames)
            if detector.step(frame, self._overview(frame) if features else None)
        ]

    def _overview(self, frame: np.ndarray) -> np.ndarray:
        key = hashlib.sha256(np.ascontiguousarray(frame)).digest()
        if key not in self._seen:
            tracker = self._segmenter.tracker()
            tracker.step(frame)
            self._seen[key] = tracker.overview()
        return self._seen[key]


def judge(name: str, joined: Joined, cuts: list[int]) -> tuple[bool, int]:
    """Whether the transition was found in time, and how many cuts there are besides."""
    share = {"dissolve": 1 / 3, "dip": 1 / 2}.get(name.split()[0], 0.0)
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
    """The beginning of each video file, at a width of 256: more than is looked at."""
    found = {}
    for path in sorted(folder.glob("*.mp4")):
        frames = [Image.fromarray(frame) for _, frame in open_frames(path).frames(0, length)]
        size = 256, max(1, round(256 * frames[0].height / frames[0].width))
        found[path.stem] = [np.asarray(f.resize(size, Image.Resampling.BOX)) for f in frames], 0
    return found


def photographed_shots(length: int) -> dict[str, tuple[Frames, int]]:
    """Pans, zooms and things that move before photographs: nothing where these aren't there."""
    try:
        scenes = real_scenes()
    except MediaMissing:
        return {}
    made = {
        f"{name} {number}": film(scene, number, length)
        for number, scene in enumerate(scenes)
        for name, film in (("pan", panned), ("zoom", zoomed))
    }
    for number, scene in enumerate(scenes):
        made[f"things {number}"] = moving_things(scene, scenes, number, length)
    return {name: ([f.image for f in frames], 0) for name, frames in made.items()}


def within_one_palette(pieces: Sequence[Frames]) -> dict[str, list[Joined]]:
    """Cuts that leave the colours as they are, of every piece in its middle."""
    close = [
        close_up(piece, len(piece) // 2, share, x, y)
        for number, piece in enumerate(pieces)
        for share, x, y in (CLOSE[number % len(CLOSE)], CLOSE[(number + 2) % len(CLOSE)])
    ]
    return {"mirrored": [mirrored(p, len(p) // 2) for p in pieces], "close-up": close}


def measure_kind(
    watched: Watched, given: dict[str, tuple[Frames, int]], joined: list[str]
) -> dict[str, Any]:
    """What is found within some shots, and between those of them that are joined."""
    watched.forget()
    within = {
        step: sum(
            abs(len(watched.cuts_of(frames[::step])) - true)
            for frames, true in given.values()
            if step == 1 or not true  # what is left of a short shot shows too little
        )
        for step in STEPS
    }
    pieces = [given[name][0][:SHOT] for name in joined]
    made = {name: [join(*p) for p in permutations(pieces, 2)] for name, join in JOINS.items()}
    made |= within_one_palette(
        [frames[:SHOT] for frames, true in given.values() if not true and len(frames) >= SHOT]
    )
    between = {}
    for name, films in made.items():
        judged = [judge(name, film, watched.cuts_of(film.frames)) for film in films]
        alone = [judge(name, film, watched.cuts_of(film.frames, False)) for film in films]
        found, extra = sum(f for f, _ in judged), sum(e for _, e in judged)
        between[name] = [len(judged), found, extra, sum(f for f, _ in alone)]
    flashes = {
        name: [len(pieces), sum(len(watched.cuts_of(flash(p, 20, 1, light))) for p in pieces)]
        for name, light in LIGHTS.items()
    }
    return {"shots": len(given), "false": within, "joined": between, "flashes": flashes}


def measure(arguments: argparse.Namespace) -> Outcome:
    numbers: dict[str, Any] = {}
    watched = Watched()
    for kind, vendors in artwork(arguments.quick).items():
        given = shots(vendors, range(arguments.clips), arguments.frames)
        numbers[kind] = measure_kind(
            watched, given, [f"{name} 0" for name in JOINED[: arguments.joined]]
        )
    if arguments.folder is not None:
        given = real_shots(arguments.folder, arguments.frames)
        if len(given) < 2:
            raise NotMeasured(f"expected two .mp4 files or more in {arguments.folder}")
        joined = list(given)
        numbers["real"] = measure_kind(
            watched, given | photographed_shots(arguments.frames), joined
        )
    bounds = []
    for kind, found in numbers.items():
        bounds += [
            Bound(f"false cuts within shots, {EVERY[step]}, {kind}", count, most=0)
            for step, count in found["false"].items()
        ]
        for name, (count, hits, *_) in found["joined"].items():
            bounds.append(Bound(f"{name} found, {kind}", hits / count, least=LEAST_FOUND))
    return Outcome(numbers, table(numbers), "cuts, soft ones too, are found, and no others", bounds)


def table(numbers: dict[str, Any]) -> str:
    kinds = list(numbers)
    lines = [
        "Found and extra cuts, of so many joined pairs, and in brackets what is found without "
        "image features; of flashes and shots, cuts that aren't.",
        "",
        "| | " + " | ".join(kinds) + " |",
        "|---" * (1 + len(kinds)) + "|",
    ]
    for name in [*JOINS, *PALETTE]:
        cells = [numbers[kind]["joined"][name] for kind in kinds]
        told = [f"{found} of {n}, {extra} ({alone})" for n, found, extra, alone in cells]
        lines.append(f"| {name} | {' | '.join(told)} |")
    for name in LIGHTS:
        cells = [numbers[kind]["flashes"][name] for kind in kinds]
        lines.append(f"| flash: {name} | " + " | ".join(f"{c} in {n}" for n, c in cells) + " |")
    for step, words in EVERY.items():
        wrong = [f"{numbers[k]['false'][step]} in {numbers[k]['shots']}" for k in kinds]
        lines.append(f"| shots, {words} | {' | '.join(wrong)} |")
    return "\n".join(lines)


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
