"""The trained demo SAM 2 in sam2core and in transformers: ``python -m benchmarks.demo_parity``.

``benchmarks.parity`` compares random weights, of all sizes; here are weights that were trained, so
that the memory says something. For each scenario of the demo world a held-out clip is followed
from the exact masks of its first frame to its end by both. The reference is transformers' video
model read by its own ``from_pretrained`` from the shipped folder, with Meta's behaviour where the
two differ (``benchmarks.parity.corrected``), each object in a session of its own.

Exits with 1 if a mask of a whole clip (all frames, all objects) has an IoU below 0.999.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.presets import DEMO_WEIGHTS
from sam2core import Sam2, VideoTracker, load
from sam2core.tracker_settings import TrackerSettings
from sam2core.transforms import to_masks, to_pixels

IOU_BOUND = 0.999
LEAST_PIXELS = 40  # of an object that is followed, in the first frame


@dataclass(frozen=True)
class Distance:
    """How far two runs of a clip are apart: the least IoU of an object over the whole clip, the
    largest difference of logits over their standard deviation, and how often either found an
    object absent."""

    scenario: str
    frames: int
    objects: int
    iou: float
    logits: float
    absent: int


def ours(model: Sam2, clip: Clip, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits (T, N, h, w) and masks (T, N, H, W)."""
    # As the reference here: memories in float32, nothing filled for show.
    settings = TrackerSettings(memory_dtype=torch.float32, fill_hole_area=0)
    tracker = VideoTracker(model, clip.frames, settings)
    tracker.prompt_masks(ids, [clip.truth[0].ids == i for i in ids], frame_index=0)
    frames = list(tracker.propagate())
    logits = np.stack([frame.logits.cpu().numpy() for frame in frames])
    return logits, np.stack([frame.masks() for frame in frames])


@torch.inference_mode()
def theirs(model: Any, clip: Clip, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The same of transformers' model, an object at a time."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    side = model.config.image_size
    height, width = clip.frames.shape[1:3]
    pixels = torch.cat([to_pixels(frame, side) for frame in clip.frames])
    logits = []
    for object_id in ids:
        session = Sam2VideoInferenceSession(
            video=pixels,
            video_height=side,
            video_width=side,
            dtype=torch.float32,
            max_vision_features_cache_size=len(pixels),
        )
        session.obj_id_to_idx(1)
        mask = torch.from_numpy(clip.truth[0].ids == object_id).float()[None, None]
        if (height, width) != (side, side):
            raise ValueError(f"the clip must have the model's size {side}, not {height}x{width}")
        session.add_mask_inputs(0, 0, mask)
        session.obj_with_new_inputs = [1]
        logits.append([model(session, frame_idx=t).pred_masks[0, 0] for t in range(len(pixels))])
    stacked = torch.stack([torch.stack(rows) for rows in logits], 1)
    masks = np.stack([to_masks(frame[:, None], height, width)[:, 0].numpy() for frame in stacked])
    return stacked.numpy(), masks


def compare(model: Sam2, reference: Any, clip: Clip) -> Distance:
    ids = [i for i, track in clip.tracks.items() if track.visible[0] >= LEAST_PIXELS]
    (logits, masks), (their_logits, their_masks) = (
        ours(model, clip, ids),
        theirs(reference, clip, ids),
    )
    inside = (masks & their_masks).sum((0, 2, 3))
    union = (masks | their_masks).sum((0, 2, 3))
    there = (their_logits > -1000).all((2, 3))  # those of an absent object are a constant
    difference = np.abs(logits - their_logits)[there].max()
    return Distance(
        clip.scenario,
        len(clip.frames),
        len(ids),
        float(np.min(np.where(union, inside / np.maximum(union, 1), 1.0))),
        float(difference / their_logits[there].std()),
        int((~there).sum()),
    )


def reference_model(folder: Path) -> Any:
    """transformers' video model from a folder in the hub's format."""
    from benchmarks.parity.corrected import CorrectedVideo

    return CorrectedVideo.from_pretrained(folder, dtype=torch.float32).eval()


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=DEMO_WEIGHTS / "sam2")
    parser.add_argument("--frames", type=int, default=48, help="of each clip (default: 48)")
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))


def measure(arguments: argparse.Namespace) -> Outcome:
    model = load(arguments.weights, dtype=torch.float32)
    reference = reference_model(arguments.weights)
    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    lines = [
        "| scenario | frames | objects | least IoU | logits | absent |",
        "|---|---|---|---|---|---|",
    ]
    rows = []
    for seed, name in enumerate(arguments.scenarios):
        found = compare(model, reference, make_clip(world, name, seed, arguments.frames))
        rows.append(found)
        lines.append(
            f"| {found.scenario} | {found.frames} | {found.objects} | {found.iou:.5f} "
            f"| {found.logits:.1e} | {found.absent} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    lines += [
        "",
        "IoU over a whole clip, of the worst object; largest difference of a logit over the "
        "standard deviation of the reference's; answers in which the object is absent.",
    ]
    least = min(row.iou for row in rows)
    return Outcome(
        {"scenarios": [asdict(row) for row in rows]},
        "\n".join(lines),
        f"least IoU {least:.5f} over {len(rows)} clips (bound {IOU_BOUND})",
        [Bound("least IoU", least, least=IOU_BOUND)],
    )


BENCHMARK = Benchmark(
    "benchmarks.demo_parity",
    __doc__,
    measure,
    options,
    quick={"scenarios": ["behind-thing", "cut-back"], "frames": 16},
    quick_means="two scenarios of 16 frames",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
