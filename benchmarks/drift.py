"""How far a tracker's outlines drift from the truth: the demo SAM 2's, and the stand-in's.

    python -m benchmarks.drift [--quick]

Every thing of some clips is prompted with its true mask in the first frame, and followed from there
without any further prompt: by the demo SAM 2, and by the stand-in with the errors of
``USUAL_TRACKS``. The median IoU with the truth, over the things that show well, says how outlines
drift; what is lost or taken for another is beyond a median. What counts is by how much it falls
from the frame after the prompt on: how good it is there is a matter of the model and the picture.
Told, not judged: how fast published models drift isn't known here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Outcome
from benchmarks.standins.regimes import USUAL_TRACKS
from benchmarks.standins.tracker import StandinTracker
from benchmarks.standins.truth import TrueFrame, Truths
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.pipeline import PanopticPipeline
from sam2core import Tracker

SCENARIOS = ("move", "shake", "pan", "light", "turn-and-grow")
"""In which things stay in sight."""
LATER = (1, 5, 9, 17, 33)
"""Frames after the prompt."""
LEAST_AREA = 100
ABOUT = 17
"""Frames after which a thing that three of ten looks find is found again, a look every fifth."""
DEMO, STANDIN = "demo SAM 2", "stand-in, usual errors"


def measure(args: argparse.Namespace) -> Outcome:
    demo = PanopticPipeline.from_pretrained("demo", device="cpu")
    ious: dict[str, list[list[float]]] = {DEMO: [], STANDIN: []}
    for frames in clips(args.clips, args.quick):
        ious[DEMO] += followed(demo.segmenter.tracker(), frames)
        ious[STANDIN] += followed(StandinTracker(Truths(frames), USUAL_TRACKS), frames)
    medians = {name: np.nanmedian(np.array(rows), axis=0) for name, rows in ious.items()}
    falls = {name: float(m[0] - m[LATER.index(ABOUT)]) for name, m in medians.items()}
    return Outcome(
        {
            "frames_after": list(LATER),
            "median_iou": {name: m.tolist() for name, m in medians.items()},
            "things": len(ious[DEMO]),
        },
        table(medians, len(ious[DEMO])),
        f"outlines lose {falls[DEMO]:.3f} in {ABOUT} frames, the stand-in's {falls[STANDIN]:.3f}",
    )


def clips(number: int, quick: bool) -> Iterator[list[TrueFrame]]:
    for vendors in artwork(quick).values():
        world = World(load_artwork(vendors), seed=HELD_OUT_WORLD)
        for scenario in SCENARIOS:
            for seed in range(number):
                clip = make_clip(world, scenario, seed, max(LATER) + 1)
                yield [
                    TrueFrame(image, truth, f"{scenario} {seed}", index)
                    for index, (image, truth) in enumerate(
                        zip(clip.frames, clip.truth, strict=True)
                    )
                ]


def followed(tracker: Tracker, frames: Sequence[TrueFrame]) -> list[list[float]]:
    """By thing the IoU with its true mask at each of LATER; NaN where it hardly shows."""
    truth = frames[0].truth
    things = [s.id for s in truth.things if s.area >= LEAST_AREA]
    if not things:
        return []
    tracker.step(frames[0].image)
    tracker.prompt_masks(things, np.stack([truth.mask(id) for id in things]))
    found: dict[int, list[float]] = {id: [] for id in things}
    for frame in frames[1:]:
        answer = tracker.step(frame.image)
        if frame.index not in LATER:
            continue
        for id in things:
            true, mask = frame.truth.ids == id, answer.mask(id)
            iou = float((true & mask).sum() / (true | mask).sum()) if true.any() else np.nan
            found[id].append(iou if true.sum() >= LEAST_AREA else np.nan)
    return list(found.values())


def table(medians: dict[str, np.ndarray], things: int) -> str:
    rows = [
        f"Median IoU with the truth of {things} things, so many frames after the only prompt.",
        "",
        "| tracker | " + " | ".join(str(n) for n in LATER) + " |",
        "|---|" + "---|" * len(LATER),
        *(f"| {name} | " + " | ".join(f"{x:.3f}" for x in m) + " |" for name, m in medians.items()),
    ]
    return "\n".join(rows)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clips", type=int, default=3, help="of each scenario and artwork")


BENCHMARK = Benchmark(
    "benchmarks.drift", __doc__, measure, options, quick={"clips": 1}, quick_means=QUICK_MEANS
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
