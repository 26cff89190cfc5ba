"""Memory of panoptic video over a long stream: ``python -m benchmarks.video_memory``.

5,000 frames of the demo world, clip after clip with cuts between them, in which things come, go,
hide and return, are labelled by one session of the demo models. Resident memory must be flat once
as many things were seen as are remembered: its slope, by least squares, must stay below a tenth
of what it would be if a single memory of one segment were kept from each frame; the state that a
checkpoint holds is measured, too. Results go to ``benchmarks/results/video_memory.json`` and
``.md``; exits with 1 if the bound is missed.
"""

from __future__ import annotations

import argparse
import functools
import io
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.host import peak_bytes, resident_bytes
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.pipeline import PanopticPipeline
from panoptic.settings.video import VideoSettings
from panoptic.video.session import VideoSession
from sam2core.config import Sam2Config

SIZE = (128, 128)
SCENARIOS = ("late-entry", "leave-and-return", "medley", "behind-thing", "cut-back")
CLIP = 50
SAMPLED_EVERY = 25
SETTLED = 0.4
"""Share of the stream before memory is judged: what is remembered fills up, and the allocator
meets every number of segments."""
STEPS_OF_RESIDENT = 8 * 2**20
"""Resident memory takes steps; less than this over what is judged says nothing."""


def stream(frames: int) -> Iterator[np.ndarray]:
    """Frames of clips, one after the other, each with things and places of its own.

    They are drawn in another process: the pictures that a world keeps at hand, more and more the
    longer it draws, are none of the session's memory.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for number in range(-(-frames // CLIP)):
            yield from pool.apply(drawn, (number,))[: frames - number * CLIP]


def drawn(number: int) -> np.ndarray:
    """Frames (CLIP, H, W, 3) of clip ``number``."""
    scenario = SCENARIOS[number % len(SCENARIOS)]
    return make_clip(world(), scenario, number, CLIP, SIZE).frames


@functools.cache
def world() -> World:
    return World(load_artwork(), seed=HELD_OUT_WORLD)


def memory_bytes(config: Sam2Config) -> int:
    """Of one segment in one frame, as it is kept: bfloat16 features, float32 logits and pointer."""
    cells = config.embedding_size**2
    return 2 * cells * config.memory_dim + 4 * config.mask_size**2 + 4 * config.dim


def state_bytes(session: VideoSession) -> int:
    """What a checkpoint of the session takes on disk."""
    buffer = io.BytesIO()
    torch.save(session.state(), buffer)
    return buffer.tell()


def slope(values: list[int]) -> float:
    """Bytes a frame by least squares, for memory grows in steps, and most pairs see none."""
    return float(np.polyfit(np.arange(len(values)) * SAMPLED_EVERY, values, 1)[0])


def label(pipeline: PanopticPipeline, frames: int, settings: VideoSettings) -> dict[str, Any]:
    from tqdm import tqdm

    session = pipeline.video_session(demo_vocabulary(), settings)
    resident, states, live = [], [], []
    events: Counter[str] = Counter()
    start = time.perf_counter()
    images = tqdm(stream(frames), total=frames, unit="frame", disable=None, leave=False)
    for index, image in enumerate(images):
        frame = session.step(image)
        events.update(event.kind for event in frame.events)
        if index % SAMPLED_EVERY == 0:
            resident.append(resident_bytes())
            states.append(state_bytes(session))
            live.append(len(frame.segmentation))
    settled = int(len(resident) * SETTLED)
    judged = (len(resident) - settled) * SAMPLED_EVERY
    one = memory_bytes(pipeline.segmenter.model.config)
    return {
        "frames": frames,
        "seconds": round(time.perf_counter() - start, 1),
        "events": dict(sorted(events.items())),
        "most_segments": max(live),
        "resident_by_tenth": [int(np.mean(part)) for part in np.array_split(resident, 10)],
        "state_by_tenth": [int(np.mean(part)) for part in np.array_split(states, 10)],
        "peak": max(peak_bytes(), *resident),
        "slope": slope(resident[settled:]),
        "bound": max(one / 10, STEPS_OF_RESIDENT / judged),
        "one_memory": one,
    }


def table(found: dict[str, Any]) -> str:
    mb = 2**20
    happened = ", ".join(f"{count} {kind}" for kind, count in found["events"].items())
    tenths = range(1, 11)
    resident = " | ".join(f"{v / mb:.0f}" for v in found["resident_by_tenth"])
    states = " | ".join(f"{v / mb:.2f}" for v in found["state_by_tenth"])
    lines = [
        f"{found['frames']} frames of {SIZE[1]} x {SIZE[0]} pixels in {found['seconds']:.0f} s; "
        f"at most {found['most_segments']} segments in a frame. Events: {happened}.",
        "",
        "| tenth of the stream | " + " | ".join(map(str, tenths)) + " |",
        "|---" * 11 + "|",
        f"| resident, MiB | {resident} |",
        f"| checkpoint, MiB | {states} |",
        "",
        f"Slope of resident memory after the first {SETTLED:.0%}: {found['slope']:.0f} bytes a "
        f"frame (bound {found['bound']:.0f}; one memory of one segment is {found['one_memory']}). "
        f"Peak {found['peak'] / mb:.0f} MiB.",
    ]
    return "\n".join(lines) + "\n"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--max-remembered", type=int, default=64, help="appearances kept (64)")


def measure(arguments: argparse.Namespace) -> Outcome:
    if arguments.frames < 10 * SAMPLED_EVERY:
        raise NotMeasured(f"a tenth of the stream needs {SAMPLED_EVERY} frames: give more --frames")
    torch.set_num_threads(1)
    pipeline = PanopticPipeline.from_pretrained("demo")
    settings = VideoSettings(max_remembered=arguments.max_remembered)
    found = label(pipeline, arguments.frames, settings)
    found["machine"] = arguments.machine
    return Outcome(
        found,
        table(found),
        f"resident memory grows by {found['slope']:.0f} bytes a frame over {found['frames']} "
        f"frames (bound {found['bound']:.0f})",
        [Bound("slope of resident memory", found["slope"], most=found["bound"])],
    )


BENCHMARK = Benchmark(
    "benchmarks.video_memory",
    __doc__,
    measure,
    options,
    quick={"frames": 10 * SAMPLED_EVERY},
    quick_means=f"{10 * SAMPLED_EVERY} frames, over which memory takes few of its steps",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
