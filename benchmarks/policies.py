"""Memory policies on tracked true masks alone: ``python -m benchmarks.policies``.

The things of a held-out clip's first frame are prompted to the demo SAM 2 by their true masks, and
followed in a stream to its end under each policy of ``BankSettings``, without words, detectors or
corrections. Judged are all things by J&F, from the second frame on.

In the occlusions one thing is hidden for 8, 16 and 32 frames: clips of 64 frames of which the
hidden ones are thinned or shown more often, so that all else is the same. Of the thing that was
hidden there are two columns more: J&F after its return, and how many of the recent memories that
the frame of its return sees show it.

The time of a frame is that of the processor, over all clips. Exits with 1 if a policy takes more
than a tenth longer than ``sam2``, or if under ``filtered`` fewer than five of six memories show a
thing that was hidden for 32 frames, in the median clip: in some, the tracker takes what stands
before the thing for the thing itself, and no policy of memories can know.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.paired import difference
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.measure.contour import boundary_f, region_j
from panoptic.presets import DEMO_WEIGHTS
from sam2core import BankSettings, Sam2, TrackerSettings, VideoTracker, load
from sam2core.bank_settings import PolicyName

POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
PLAIN = POLICIES[0]
OCCLUSIONS = ("behind-thing", "behind-stuff", "leave-and-return")
HIDDEN_FOR = (8, 16, 32)
OTHERS = ("move", "turn-and-grow", "lookalikes-cross", "pan", "light", "medley")
LEAST_PIXELS = 40  # of a thing that is followed, in the first frame
MOST_TIME = 1.1
LEAST_SHOWN = 5.0


@dataclass(frozen=True)
class Story:
    """Frames (T, H, W, 3) and true ids (T, H, W) of things to follow. ``hidden`` was hidden last in
    the frame before ``returns``; both are None where nothing was."""

    name: str
    frames: np.ndarray
    truth: np.ndarray
    ids: tuple[int, ...]
    hidden: int | None = None
    returns: int | None = None


@dataclass(frozen=True)
class Run:
    """One story under one policy. J&F in percent; ``shown`` of the recent memories."""

    name: str
    policy: str
    jf: float
    seconds: float
    frames: int
    after: float | None = None
    shown: int | None = None


def followed(clip: Clip) -> tuple[int, ...]:
    """The things that the first frame shows."""
    return tuple(i for i, t in clip.tracks.items() if t.is_thing and t.visible[0] >= LEAST_PIXELS)


def story(clip: Clip) -> Story:
    truth = np.stack([t.ids for t in clip.truth])
    return Story(clip.scenario, clip.frames, truth, followed(clip))


def occlusion(clip: Clip, hidden_for: int) -> Story | None:
    """The clip with the longest occlusion in it made so many frames long; None without one."""
    spans = [
        (span.stop - span.start, i, span)
        for i in followed(clip)
        for span in clip.tracks[i].hidden
        if span.stop < len(clip.frames)
    ]
    if not spans:
        return None
    _, hidden, span = max(spans, key=lambda each: each[:2])
    within = np.linspace(span.start, span.stop - 1, hidden_for).round().astype(int)
    indices = [*range(span.start), *within, *range(span.stop, len(clip.frames))]
    truth = np.stack([clip.truth[i].ids for i in indices])
    name = f"{clip.scenario}, {hidden_for} frames"
    returns = span.start + hidden_for
    return Story(name, clip.frames[indices], truth, followed(clip), hidden, returns)


def stories(world: World, arguments: argparse.Namespace) -> Iterator[Story]:
    for name in arguments.scenarios:
        found, seed = 0, 0
        while found < arguments.clips and seed < 4 * arguments.clips:
            clip = make_clip(world, name, seed, 64 if name in OCCLUSIONS else 48)
            seed += 1
            if name not in OCCLUSIONS:
                found += 1
                yield story(clip)
            elif occlusion(clip, 1) is not None:
                found += 1
                made = (occlusion(clip, length) for length in arguments.hidden_for)
                yield from (each for each in made if each is not None)


def run(model: Sam2, told: Story, policy: PolicyName) -> Run:
    settings = TrackerSettings(bank=BankSettings(policy=policy))
    tracker = VideoTracker(model, settings=settings)
    masks = {i: told.truth[0] == i for i in told.ids}
    seconds, shown = 0.0, None
    values, after = [], []
    for index, frame in enumerate(told.frames):
        if index == told.returns:
            shown = memories_that_show(tracker, told, index)
        start = time.process_time()
        answer = tracker.step(frame, masks if index == 0 else None)
        if index:
            seconds += time.process_time() - start
            for i, mask in zip(answer.object_ids, answer, strict=True):
                true = told.truth[index] == i
                values.append(50 * (region_j(mask, true) + boundary_f(mask, true)))
                if i == told.hidden and told.returns is not None and index >= told.returns:
                    after.append(values[-1])
    score = float(np.mean(after)) if after else None
    frames = len(told.frames) - 1
    return Run(told.name, policy, float(np.mean(values)), seconds, frames, score, shown)


def memories_that_show(tracker: VideoTracker, told: Story, index: int) -> int:
    """Of the recent memories that frame ``index`` sees of the hidden thing, how many are of frames
    that show it."""
    assert told.hidden is not None
    seen = tracker._objects[told.hidden].bank.select(index).spatial
    shown = (bool((told.truth[m.frame_index] == told.hidden).any()) for m, age in seen if age > 0)
    return sum(shown)


def table(runs: Sequence[Run]) -> str:
    """Markdown: J&F of ``sam2`` and how the others differ, by paired clips."""
    others = POLICIES[1:]
    lines = [
        f"| scenario | clips | {PLAIN} | " + " | ".join(others) + " | once it is back: "
        f"{PLAIN} | " + " | ".join(others) + " | memories that show it: " + " / ".join(POLICIES)
        + " |",
        "|---" * (5 + 2 * len(others)) + "|",
    ]  # fmt: skip
    for name in [*dict.fromkeys(r.name for r in runs), None]:
        part = {p: [r for r in runs if r.policy == p and name in (r.name, None)] for p in POLICIES}
        jf = {p: [r.jf for r in found] for p, found in part.items()}
        after = {p: [r.after for r in found if r.after is not None] for p, found in part.items()}
        shown = [[r.shown for r in found if r.shown is not None] for found in part.values()]
        cells = [name or "**all**", str(len(jf[PLAIN])), f"{np.mean(jf[PLAIN]):.1f}"]
        cells += [str(difference(jf[p], jf[PLAIN])) for p in others]
        if after[PLAIN]:
            cells += [f"{np.mean(after[PLAIN]):.1f}"]
            cells += [str(difference(after[p], after[PLAIN])) for p in others]
            cells += [" / ".join(f"{np.mean(each):.1f}" for each in shown)]
        else:
            cells += [""] * (2 + len(others))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> None:
    known = [*OCCLUSIONS, *(name for name in SCENARIOS if name not in OCCLUSIONS)]
    default = [*OCCLUSIONS, *OTHERS]
    parser.add_argument("--weights", type=Path, default=DEMO_WEIGHTS / "sam2")
    parser.add_argument("--scenarios", nargs="+", choices=known, default=default)
    parser.add_argument("--clips", type=int, default=6, help="of each scenario (default: 6)")
    parser.add_argument("--hidden-for", type=int, nargs="+", default=list(HIDDEN_FOR))


def measure(arguments: argparse.Namespace) -> Outcome:
    model = load(arguments.weights)
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    runs = []
    for told in stories(world, arguments):
        runs += [run(model, told, policy) for policy in POLICIES]
        said = ", ".join(f"{r.policy} {r.jf:.1f}" for r in runs[-len(POLICIES) :])
        print(f"{told.name}: {said}", file=sys.stderr, flush=True)
    return judged(runs, max(arguments.hidden_for))


def judged(runs: Sequence[Run], longest: int) -> Outcome:
    """The figures of all runs; ``longest`` of the occlusions, in frames."""
    each = {p: [r for r in runs if r.policy == p] for p in POLICIES}
    a_frame = {p: sum(r.seconds for r in f) / sum(r.frames for r in f) for p, f in each.items()}
    times = {p: a_frame[p] / a_frame[PLAIN] for p in POLICIES}
    after = f"{longest} frames"
    shown = [r.shown for r in each["filtered"] if r.shown is not None and after in r.name]
    bounds = [Bound(f"time of {p} over {PLAIN}", times[p], most=MOST_TIME) for p in POLICIES[1:]]
    if shown:
        bounds.append(Bound("memories that show it", float(np.median(shown)), least=LEAST_SHOWN))
    mean = {p: float(np.mean([r.jf for r in f])) for p, f in each.items()}
    notes = (
        "J&F of all things in percent, of the others the paired difference with twice its standard "
        "error. Milliseconds of processor a frame: "
        + ", ".join(f"{p} {1000 * a_frame[p]:.1f}" for p in POLICIES)
        + "."
    )
    return Outcome(
        {"runs": [asdict(r) for r in runs], "seconds_a_frame": a_frame},
        f"{table(runs)}\n\n{notes}",
        "J&F "
        + ", ".join(f"{p} {mean[p]:.1f}" for p in POLICIES)
        + f" over {len(each[PLAIN])} runs",
        bounds,
    )


BENCHMARK = Benchmark(
    "benchmarks.policies",
    __doc__,
    measure,
    options,
    quick={"scenarios": ["behind-stuff"], "clips": 1, "hidden_for": [8]},
    quick_means="one clip of one scenario",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
