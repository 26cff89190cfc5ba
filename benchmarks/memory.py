"""Memory over a long stream: ``python -m benchmarks.memory``.

Streams 10,000 frames through ``VideoTracker.step`` of a small randomly initialised model. Objects
come (by mask, box or click), are corrected, leave the picture, are prompted again and are
removed. Resident memory must not grow with the number of frames once banks are full: its slope,
by least squares, must stay below a twentieth of what it would be if one memory of one object were
kept from each frame; over short streams, below 2 MiB in all, as it takes steps of pages. So must
that of shorter streams under each of the other memory policies. As a check of the check, a stream
with ``BankSettings.keep_all``, which keeps everything by request, must lie above that bound.

A tracker with ``frames`` can go back: of each frame it keeps on the host what a memory can be
encoded from again. What its banks hold beside that, on the device, must not grow as it goes forth
and back.

Exits with 1 if a bound is missed. ``--quick`` streams 700 frames.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import get_args

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.host import peak_bytes, resident_bytes
from sam2core import BankSettings, MemoryBank, Sam2, Sam2Config, TrackerSettings, VideoTracker
from sam2core.bank_settings import PolicyName
from sam2core.frame_order import frame_range

SMALL = Sam2Config(
    embed_dim=16,
    blocks=(1, 1, 2, 1),
    global_blocks=(3,),
    window_sizes=(8, 4, 4, 2),
    position_size=(4, 4),
    image_size=128,
    dim=64,
    decoder_heads=4,
    decoder_mlp_dim=64,
    iou_hidden_dim=32,
    mask_channels=4,
    memory_dim=64,
    memory_layers=1,
    memory_mlp_dim=64,
    fuser_dim=64,
)
BOUNDED = BankSettings(max_prompted=3, keep_prompted=4)
"""A stream that prompts again and again needs a limit on prompted memories, too."""
MOST_OBJECTS = 4
SAMPLED_EVERY = 10
SETTLING_FRAMES = 300
"""Before memory is judged: banks fill, and the allocator meets every size of batch."""
STEPS_OF_RESIDENT = 2 * 2**20
"""Resident memory takes steps; less than this over a whole stream says nothing."""
HEIGHT, WIDTH = 96, 128


@dataclass(frozen=True)
class Stream:
    """What one stream did. Bytes; slopes in bytes a frame, once it has settled."""

    name: str
    frames: int
    seconds: float
    objects: int
    prompts: int
    most_at_once: int
    resident_settled: int
    resident_at_the_end: int
    peak: int
    slope: float
    banks_at_most: int
    banks_slope: float
    resident_by_tenth: list[int]
    """Mean of each tenth of the stream, from its very beginning."""


def memory_bytes(config: Sam2Config) -> int:
    """Of one object in one frame, as it is kept: bfloat16 features, float32 logits and pointer."""
    cells = config.embedding_size**2
    return 2 * cells * config.memory_dim + 4 * config.mask_size**2 + 4 * config.dim


def settling(frames: int) -> int:
    """Frames that are not judged."""
    return max(frames // 10, min(SETTLING_FRAMES, frames // 3))


def slope_bound(frames: int) -> float:
    return max(memory_bytes(SMALL) / 20, STEPS_OF_RESIDENT / (frames - settling(frames)))


def slope(at: np.ndarray, values: list[int]) -> float:
    """By least squares, for resident memory grows in steps, and most pairs see none of them."""
    return float(np.polyfit(at, values, 1)[0])


def bank_bytes(banks: Iterator[MemoryBank]) -> int:
    """Of all tensors in the banks."""
    return sum(
        tensor.numel() * tensor.element_size()
        for bank in banks
        for memory in (*bank.prompted.values(), *bank.recent.values())
        for tensor in (memory.features, memory.logits, memory.pointer)
        if tensor is not None
    )


class Rolling:
    """Frames of a texture that goes by, any of them at any time."""

    size, fps, times = (HEIGHT, WIDTH), None, None

    def __init__(self, frames: int, seed: int) -> None:
        self._count = frames
        self._texture = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        return np.roll(self._texture, (index, 2 * index), axis=(0, 1))

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        return ((i, self[i]) for i in frame_range(len(self), start, stop, reverse))


def forth_and_back(name: str, model: Sam2, frames: int, seed: int) -> Stream:
    """Through a file of a third as many, back, and on again from a click in the middle."""
    rng = np.random.default_rng(seed)
    length = max(frames // 3, 30)
    tracker = VideoTracker(model, Rolling(length, seed))
    for object_id in range(1, MOST_OBJECTS + 1):
        prompt(tracker, object_id, rng, frame_index=0)
    resident, banks, most = [], [], 0
    start = time.perf_counter()
    for way in ((0, None, False), (length - 1, None, True), (length // 2, None, False)):
        if way[0] == length // 2:
            tracker.prompt(1, points=[[20, 20]], frame_index=way[0])
        for _ in tracker.propagate(*way):
            most += 1
            if most % SAMPLED_EVERY == 0:
                resident.append(resident_bytes())
                banks.append(bank_bytes(o.bank for o in tracker._objects.values()))
    seconds = time.perf_counter() - start
    return judged(
        name, most, seconds, (MOST_OBJECTS, MOST_OBJECTS + 1, MOST_OBJECTS), resident, banks
    )


def stream(name: str, model: Sam2, bank: BankSettings, frames: int, seed: int) -> Stream:
    rng = np.random.default_rng(seed)
    tracker = VideoTracker(model, settings=TrackerSettings(bank=bank))
    texture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    until: dict[int, int] = {}
    objects = prompts = most = 0
    resident, banks = [], []
    start = time.perf_counter()
    for t in range(frames):
        tracker.step(np.roll(texture, (t, 2 * t), axis=(0, 1)))
        for object_id in [i for i, end in until.items() if end <= t]:
            tracker.remove(object_id)
            del until[object_id]
        if t == 0 or (len(until) < MOST_OBJECTS and rng.random() < 0.1):
            objects += 1
            # The first stays to the end, the others for a while.
            until[objects] = frames if t == 0 else t + int(rng.integers(5, 200))
            prompt(tracker, objects, rng)
            prompts += 1
        if rng.random() < 0.05:
            prompt(tracker, int(rng.choice(list(until))), rng)
            prompts += 1
        most = max(most, len(until))
        if t % SAMPLED_EVERY == 0:
            resident.append(resident_bytes())
            banks.append(bank_bytes(o.bank for o in tracker._objects.values()))
    seconds = time.perf_counter() - start
    return judged(name, frames, seconds, (objects, prompts, most), resident, banks)


def judged(
    name: str,
    frames: int,
    seconds: float,
    counts: tuple[int, int, int],
    resident: list[int],
    banks: list[int],
) -> Stream:
    settled = settling(frames) // SAMPLED_EVERY
    at = np.arange(len(resident))[settled:] * SAMPLED_EVERY
    return Stream(
        name,
        frames,
        seconds,
        *counts,
        resident[settled],
        resident[-1],
        max(peak_bytes(), *resident),  # the kernel keeps its peak a little late
        slope(at, resident[settled:]),
        max(banks),
        slope(at, banks[settled:]),
        [int(np.mean(part)) for part in np.array_split(resident, 10)],
    )


def prompt(
    tracker: VideoTracker,
    object_id: int,
    rng: np.random.Generator,
    frame_index: int | None = None,
) -> None:
    """A box, a click, or a mask, which now and then is empty: the object has left."""
    x, y = int(rng.integers(0, WIDTH - 30)), int(rng.integers(0, HEIGHT - 30))
    kind = rng.integers(4)
    if kind == 0:
        tracker.prompt(object_id, box=[x, y, x + 28, y + 24], frame_index=frame_index)
    elif kind == 1:
        tracker.prompt(object_id, points=[[x + 10, y + 10]], frame_index=frame_index)
    else:
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[y : y + 24, x : x + 28] = kind == 2
        tracker.prompt(object_id, mask=mask, frame_index=frame_index)


def small_model(seed: int) -> Sam2:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Sam2(SMALL).eval().requires_grad_(False)


def table(streams: list[Stream], bound: float) -> str:
    mb = 2**20
    lines = [
        "| stream | frames | objects (at once) | prompts | resident once settled | at the end | "
        "peak | slope, bytes a frame | banks at most | slope of banks | ms a frame |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in streams:
        lines.append(
            f"| {s.name} | {s.frames} | {s.objects} ({s.most_at_once}) | {s.prompts} | "
            f"{s.resident_settled / mb:.1f} MiB | {s.resident_at_the_end / mb:.1f} MiB | "
            f"{s.peak / mb:.1f} MiB | {s.slope:.1f} | {s.banks_at_most / mb:.2f} MiB | "
            f"{s.banks_slope:.1f} | {1000 * s.seconds / s.frames:.1f} |"
        )
    lines.append("")
    lines.append(
        f"Bound on the slope: {bound:.0f} bytes a frame; one memory of one object is "
        f"{memory_bytes(SMALL)} bytes. The stream with keep_all keeps everything by request and "
        f"must lie above it. The one with frames keeps on the host what it needs to go back: of "
        f"that one only the banks are judged, which are what is on the device."
    )
    return "\n".join(lines) + "\n"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=int, default=10_000, help="how many (default: 10,000)")
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace) -> Outcome:
    frames = arguments.frames
    torch.set_num_threads(1)  # a model this small only loses time to threads
    model = small_model(arguments.seed)
    bound = slope_bound(frames)
    flat = stream("bounded bank", model, BOUNDED, frames, arguments.seed)
    shorter = max(frames // 4, 700)
    others = [
        stream(
            f"bounded bank, {name}", model, replace(BOUNDED, policy=name), shorter, arguments.seed
        )
        for name in get_args(PolicyName)
        if name != BOUNDED.policy
    ]
    back = forth_and_back("frames, forth and back", model, shorter, arguments.seed)
    everything = BankSettings(keep_all=True)
    growing = stream("keep_all", model, everything, max(frames // 10, 300), arguments.seed)
    streams, short_bound = [flat, *others, back, growing], slope_bound(shorter)
    return Outcome(
        {
            "machine": arguments.machine,
            "bound": bound,
            "streams": [asdict(each) for each in streams],
        },
        table(streams, bound),
        f"resident memory grows by {flat.slope:.0f} bytes a frame over {frames} frames, banks by "
        f"{flat.banks_slope:.1f} (bound {bound:.0f}); {growing.slope:.0f} where all is kept",
        [
            Bound("slope of resident memory", flat.slope, most=bound),
            Bound("slope of the banks", flat.banks_slope, most=bound),
            *(Bound(f"slope of {each.name}", each.slope, most=short_bound) for each in others),
            *(
                Bound(f"slope of the banks of {each.name}", each.banks_slope, most=bound)
                for each in (*others, back)
            ),
            Bound("slope where all is kept", growing.slope, least=bound),
        ],
    )


BENCHMARK = Benchmark(
    "benchmarks.memory",
    __doc__,
    measure,
    options,
    quick={"frames": 700},
    quick_means="700 frames",
    keeps_results=False,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
