"""What compact and half precision cost in masks: ``python -m benchmarks.tracker_modes``.

Held-out demo clips, the shipped demo SAM 2. The things of each clip's first frame are prompted by
their true masks and followed to its end by the mode ``exact`` in float32, the same in bfloat16, and
``compact`` (``TrackerSettings.mode``): J&F of all things, and the IoU of the masks of a whole clip
with those of exact in float32. Then each clip is labelled from words by the whole of panoptic
video, in both modes: VPQ.

Exits with 1 if bfloat16's IoU with float32 is below 0.98 or its J&F more than 0.5 lower, or if
J&F or VPQ of compact are more than 1.0 lower than of exact.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.paired import difference
from benchmarks.video_quality import words_for
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.measure.contour import boundary_f, region_j
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.pipeline import PanopticPipeline
from panoptic.settings.video import VideoSettings
from sam2core import Sam2, TrackerSettings, VideoTracker
from sam2core.tracker_settings import Mode

WAYS: dict[str, tuple[Mode, torch.dtype]] = {
    "exact": ("exact", torch.float32),
    "exact, bfloat16": ("exact", torch.bfloat16),
    "compact": ("compact", torch.float32),
}
EXACT, HALF, COMPACT = WAYS
CHOSEN = ("behind-thing", "move", "turn-and-grow", "lookalikes-cross", "pan", "leave-and-return",
          "light", "medley")  # fmt: skip
LEAST_PIXELS = 40  # of a thing that is followed, in the first frame
LEAST_IOU, MOST_HALF, MOST_COMPACT = 0.98, 0.5, 1.0


@dataclass(frozen=True)
class Run:
    """One clip one way. J&F and VPQ in percent; ``iou`` with exact, ``vpq`` not of bfloat16."""

    clip: str
    way: str
    jf: float
    iou: float
    vpq: float | None


def follow(model: Sam2, clip: Clip, ids: Sequence[int], way: str) -> np.ndarray:
    """Masks (T - 1, N, H, W) from the second frame on."""
    mode, dtype = WAYS[way]
    before, model.compute_dtype = model.compute_dtype, dtype
    try:
        tracker = VideoTracker(model, settings=TrackerSettings(mode=mode))
        tracker.step(clip.frames[0], masks={i: clip.truth[0].ids == i for i in ids})
        return np.stack([tracker.step(frame).masks() for frame in clip.frames[1:]])
    finally:
        model.compute_dtype = before


def j_and_f(masks: np.ndarray, clip: Clip, ids: Sequence[int]) -> float:
    both = [
        (region_j(mask, truth.ids == i) + boundary_f(mask, truth.ids == i)) / 2
        for frame, truth in zip(masks, clip.truth[1:], strict=True)
        for mask, i in zip(frame, ids, strict=True)
    ]
    return 100 * float(np.mean(both))


def vpq_of(pipeline: PanopticPipeline, clip: Clip, seed: int, mode: Mode) -> float:
    settings = VideoSettings(tracker_mode=mode)
    frames = pipeline.track(
        clip.frames, words_for(clip, (2, seed)), settings=settings, progress=False
    )
    report = evaluate_video([frame.segmentation for frame in frames], clip.truth)
    assert report.vpq is not None
    return 100 * report.vpq.vpq()


def runs_of(pipeline: PanopticPipeline, clip: Clip, seed: int, vpq: bool) -> list[Run]:
    model = pipeline.segmenter.model
    ids = [i for i, track in clip.tracks.items() if track.visible[0] >= LEAST_PIXELS]
    exact = follow(model, clip, ids, EXACT)
    found = []
    for way, (mode, dtype) in WAYS.items():
        masks = exact if way == EXACT else follow(model, clip, ids, way)
        union = (masks | exact).sum()
        asked = vpq and dtype == torch.float32
        found.append(
            Run(
                f"{clip.scenario} {seed}",
                way,
                j_and_f(masks, clip, ids),
                float((masks & exact).sum() / union) if union else 1.0,
                vpq_of(pipeline, clip, seed, mode) if asked else None,
            )
        )
    return found


def judged(runs: Sequence[Run]) -> Outcome:
    by_way = {way: [run for run in runs if run.way == way] for way in WAYS}
    jf = {way: [run.jf for run in found] for way, found in by_way.items()}
    vpq = {way: [r.vpq for r in found if r.vpq is not None] for way, found in by_way.items()}
    iou = {way: float(np.mean([run.iou for run in found])) for way, found in by_way.items()}
    lines = [
        "| clip | J&F " + " | J&F ".join(WAYS) + f" | IoU {HALF} | IoU {COMPACT} | VPQ {EXACT} "
        f"| VPQ {COMPACT} |",
        "|---" * (len(WAYS) + 5) + "|",
    ]
    for rows in zip(*by_way.values(), strict=True):
        cells = [rows[0].clip, *(f"{run.jf:.1f}" for run in rows)]
        cells += [f"{run.iou:.4f}" for run in rows[1:]]
        cells += ["" if run.vpq is None else f"{run.vpq:.1f}" for run in (rows[0], rows[2])]
        lines.append("| " + " | ".join(cells) + " |")
    lost = {way: float(np.mean(jf[EXACT]) - np.mean(jf[way])) for way in WAYS}
    lines += ["", f"J&F {COMPACT} over {EXACT}: {difference(jf[COMPACT], jf[EXACT])}."]
    bounds = [
        Bound(f"IoU of {HALF}", iou[HALF], least=LEAST_IOU),
        Bound(f"J&F lost by {HALF}", lost[HALF], most=MOST_HALF),
        Bound(f"J&F lost by {COMPACT}", lost[COMPACT], most=MOST_COMPACT),
    ]
    said = f"J&F {np.mean(jf[EXACT]):.1f}, bfloat16 {np.mean(jf[HALF]):.1f}, compact "
    said += f"{np.mean(jf[COMPACT]):.1f}; IoU with exact {iou[HALF]:.4f} and {iou[COMPACT]:.4f}"
    if vpq[EXACT]:
        lines[-1] += f" VPQ: {difference(vpq[COMPACT], vpq[EXACT])}."
        less = float(np.mean(vpq[EXACT]) - np.mean(vpq[COMPACT]))
        bounds.append(Bound(f"VPQ lost by {COMPACT}", less, most=MOST_COMPACT))
        said += f"; VPQ {np.mean(vpq[EXACT]):.1f} and {np.mean(vpq[COMPACT]):.1f}"
    lines.append("With twice the standard error, over the same clips.")
    said += f", {len(jf[EXACT])} clips"
    numbers = {"runs": [asdict(run) for run in runs]}
    return Outcome(numbers, "\n".join(lines), said, bounds)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(CHOSEN))
    parser.add_argument("--clips", type=int, default=2, help="of each scenario (default: 2)")
    parser.add_argument("--frames", type=int, default=24, help="of each clip (default: 24)")
    parser.add_argument("--no-vpq", action="store_true", help="follow true masks alone")


def measure(arguments: argparse.Namespace) -> Outcome:
    torch.set_num_threads(1)  # models as small as these get no quicker with more
    pipeline = PanopticPipeline.from_pretrained("demo", device="cpu", dtype="float32")
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    runs: list[Run] = []
    for seed in range(arguments.clips):
        for name in arguments.scenarios:
            clip = make_clip(world, name, seed, arguments.frames)
            found = runs_of(pipeline, clip, seed, not arguments.no_vpq)
            said = ", ".join(f"{run.way} {run.jf:.1f} {run.vpq or 0:.1f}" for run in found)
            print(f"{found[0].clip}: {said}", file=sys.stderr, flush=True)
            runs += found
    return judged(runs)


BENCHMARK = Benchmark(
    "benchmarks.tracker_modes",
    __doc__,
    measure,
    options,
    quick={"scenarios": ["move"], "clips": 1, "frames": 8},
    quick_means="one short clip",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
