"""What correcting costs, in clicks: ``python -m benchmarks.clicks``.

A simulated annotator works on held-out demo clips until every segment has an IoU of 0.85 in every
frame, or the budget is spent (:mod:`benchmarks.lib.annotator`: the protocol of the SAM 2 paper,
sections 5 and 6.1): a click in the middle of the largest error of the worst frame, at most three in
a frame, then propagation. A segment may take 24 clicks; frame by frame, three in each frame. Four
ways on the same models are compared (:mod:`benchmarks.lib.click_ways`):

- *our session*: words find what they find; the rest is corrected. A box counts as two clicks, each
  segment that has to be joined or removed as one.
- *our session, nothing found by words*: the same on an empty video, all boxed first.
- *frame by frame*: the image segmenter alone.
- *propagation restarted*: clicks with the image segmenter, and a tracker that is begun anew from
  each frame that was corrected, up to the next.

All are judged by the map that is shown. A frame counts for a segment where an IoU of 0.92 is
possible at all: by the true mask on the grid of the demo model's masks, 48 x 48 (smaller things
can't reach 0.85 by whatever clicks). Exits with 1 if our session takes more than a third of
the clicks of frame by frame, or not fewer than propagation restarted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from torch import Tensor

from benchmarks.lib.annotator import Effort, Task, annotate, overlap
from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.click_ways import FRAMES, OURS, RESTARTED, WAYS, way
from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.paired import difference
from benchmarks.video_quality import words_for
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.pipeline import PanopticPipeline
from panoptic.video.mask_layers import Layer
from sam2core import ImageEmbedding, ImageSegmenter, Sam2

SIZE = (192, 192)
GOAL, POSSIBLE = 0.85, 0.92
CHOSEN = ("move", "behind-thing", "lookalikes-cross", "pan", "medley")
LEAST_FRAMES = 4
"""In which a segment has to count to be one of those that are labelled."""
MOST_SHARE, LESS = 1 / 3, 0.99
MOST_REMEMBERED = 100
"""Embeddings of frames, a megabyte each."""


@dataclass(frozen=True)
class Labelled:
    """One segment of a clip by each way."""

    clip: str
    is_thing: bool
    frames: int
    efforts: Mapping[str, Effort]


def task(clip: Clip, side: int) -> Task:
    truth = np.stack([t.ids for t in clip.truth])
    counted = {}
    for id in clip.tracks:
        masks = {t: truth[t] == id for t in range(len(truth))}
        frames = tuple(t for t, mask in masks.items() if mask.any() and possible(mask, side))
        if len(frames) >= LEAST_FRAMES:
            counted[id] = frames
    return Task(truth, counted)


def possible(mask: np.ndarray, side: int) -> bool:
    """Whether a mask can be said on the grid of a model's logits."""
    layer = Layer.of_mask(0, 0, 1, 1, mask)
    small = Layer(0, 0, 1, 1, layer.resized(side, side))
    return overlap(small.resized(*mask.shape) > 0, mask) >= POSSIBLE


def label(
    pipeline: PanopticPipeline, clip: Clip, words: Any, name: str, ways: list[str]
) -> list[Labelled]:
    todo = task(clip, pipeline.segmenter.mask_size)
    efforts = {w: annotate(way(w, pipeline, clip, words), todo, GOAL) for w in ways}
    return [
        Labelled(name, clip.tracks[id].is_thing, len(frames), {w: efforts[w][id] for w in ways})
        for id, frames in todo.counted.items()
    ]


def remember_frames(model: Sam2) -> None:
    """Have a model look at each frame once: annotators come back to the same few."""
    look, known = model.encode_image, dict[bytes, ImageEmbedding]()

    def look_once(pixels: Tensor) -> ImageEmbedding:
        key = pixels.numpy().tobytes()
        if key not in known:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            known[key] = look(pixels)
        return known[key]

    model.encode_image = look_once  # type: ignore[method-assign]


def figures(labelled: list[Labelled], name: str) -> dict[str, float]:
    """Means over segments."""
    efforts = [one.efforts[name] for one in labelled]
    return {
        "clicks": float(np.mean([e.clicks for e in efforts])),
        "touched": float(np.mean([len(e.touched) for e in efforts])),
        "reached": 100 * float(np.mean([e.reached for e in efforts])),
        "done": 100 * float(np.mean([e.reached == 1 for e in efforts])),
        "iou": 100 * float(np.mean([e.iou for e in efforts])),
    }


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(CHOSEN))
    parser.add_argument("--artwork", nargs="+", choices=["seen", "unseen"],
                        default=["seen", "unseen"])  # fmt: skip
    parser.add_argument("--clips", type=int, default=1, help="of each scenario and artwork")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    pipeline = PanopticPipeline.from_pretrained("demo", device="cpu")
    assert isinstance(pipeline.segmenter, ImageSegmenter)
    remember_frames(pipeline.segmenter.model)
    labelled: list[Labelled] = []
    vendors = artwork(arguments.quick)
    worlds = {
        kind: World(load_artwork(vendors[kind]), seed=HELD_OUT_WORLD) for kind in arguments.artwork
    }
    for scenario, number, kind in product(
        arguments.scenarios, range(arguments.clips), arguments.artwork
    ):
        clip = make_clip(worlds[kind], scenario, number, arguments.frames, SIZE)
        name = f"{kind}/{scenario}/{number}"
        labelled += label(pipeline, clip, words_for(clip, (2, number)), name, arguments.ways)
        yield outcome(labelled, arguments)


def outcome(labelled: list[Labelled], arguments: argparse.Namespace) -> Outcome:
    groups = {
        "all segments": labelled,
        "things": [one for one in labelled if one.is_thing],
        "stuff": [one for one in labelled if not one.is_thing],
        "finished by every way": [
            one for one in labelled if all(e.reached == 1 for e in one.efforts.values())
        ],
    }
    numbers: dict[str, Any] = {
        group: {"segments": len(some), **{w: figures(some, w) for w in arguments.ways}}
        for group, some in groups.items()
        if some
    }
    numbers["clips"] = per_clip(labelled, arguments.ways)
    bounds, verdict = [], f"{len(labelled)} segments of {len(numbers['clips'])} clips"
    if {OURS, FRAMES, RESTARTED} <= set(arguments.ways):
        ours, frames, again = (
            sum(one.efforts[w].clicks for one in labelled) for w in (OURS, FRAMES, RESTARTED)
        )
        bounds = [
            Bound("clicks of our session over frame by frame", ours / frames, most=MOST_SHARE),
            Bound("over propagation restarted", ours / again, most=LESS),
        ]
        less = difference(
            [one.efforts[OURS].clicks for one in labelled],
            [one.efforts[RESTARTED].clicks for one in labelled],
        )
        verdict += (
            f": our session takes {ours / frames:.2f} of the clicks of frame by frame and "
            f"{ours / again:.2f} of those of propagation restarted ({less} a segment)"
        )
    return Outcome(numbers, table(numbers, arguments), verdict, bounds)


def per_clip(labelled: list[Labelled], ways: list[str]) -> dict[str, dict[str, float]]:
    """Clicks a segment."""
    names = dict.fromkeys(one.clip for one in labelled)
    return {
        name: {
            w: float(np.mean([one.efforts[w].clicks for one in labelled if one.clip == name]))
            for w in ways
        }
        for name in names
    }


def table(numbers: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    lines = [
        f"Until every segment of {arguments.frames} frames has an IoU of {GOAL} where that is "
        "possible, or the budget is spent. Means over segments; *reached*: frames that have that "
        "IoU in the end, *finished*: segments that have it in all.",
        "",
        "| segments | way | clicks | touched frames | reached % | finished % | IoU |",
        "|---|---|---|---|---|---|---|",
    ]
    for group, found in numbers.items():
        if group == "clips":
            continue
        for w in arguments.ways:
            f = found[w]
            lines.append(
                f"| {group} ({found['segments']}) | {w} | {f['clicks']:.1f} | {f['touched']:.1f} "
                f"| {f['reached']:.0f} | {f['done']:.0f} | {f['iou']:.1f} |"
            )
    ways = arguments.ways
    lines += ["", "Clicks a segment, by clip:", ""]
    lines += [f"| clip | {' | '.join(ways)} |", "|---" * (1 + len(ways)) + "|"]
    for name, found in numbers["clips"].items():
        lines.append(f"| {name} | " + " | ".join(f"{found[w]:.1f}" for w in ways) + " |")
    return "\n".join(lines)


BENCHMARK = Benchmark(
    "benchmarks.clicks",
    __doc__,
    measure,
    options,
    quick={"scenarios": ["zoom"], "artwork": ["seen"], "frames": 10},
    quick_means=f"one clip of 10 frames; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
