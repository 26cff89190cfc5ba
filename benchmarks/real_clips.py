"""Real clips, a model of full size: ``python -m benchmarks.real_clips``.

Every video file of a folder is opened, decoded from end to end, and a few frames are tracked
forward and backward with a randomly initialised model of the real size (or ``--checkpoint``).
Each clip runs in a process of its own, so that its peak memory is its own.

An error in a clip ends it all, and so does one that decodes to fewer frames than it says or
whose masks have another size. Without a folder of clips, ``--quick`` takes one that it draws.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

import sam2core
from benchmarks.lib.clip_files import write_video
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.host import peak_bytes
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from sam2core.config import Sam2Config
from sam2core.frames import VideoFile, prefetch

MEDIA = Path(__file__).parents[2] / "shared" / "media" / "video"
ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")


@dataclass(frozen=True)
class Job:
    path: Path
    source: str
    """A size of randomly initialised model, or a checkpoint."""
    image_size: int
    frames: int
    objects: int
    threads: int
    seed: int


@dataclass(frozen=True)
class Clip:
    """One clip's row. Seconds, but for ``decoded_per_second``; ``peak`` in bytes."""

    name: str
    height: int
    width: int
    frames: int
    opening: float
    decoded_per_second: float
    tracked: int
    prompting: float
    per_frame: float
    peak_decoding: int
    peak: int


def measure_clip(job: Job) -> Clip:
    torch.set_num_threads(job.threads)
    start = time.perf_counter()
    video = VideoFile(job.path)
    opening = time.perf_counter() - start

    start = time.perf_counter()
    count = sum(1 for _ in prefetch(video.frames(), lambda item: item[1]))
    decoding = time.perf_counter() - start
    if count != len(video):
        raise RuntimeError(f"{job.path}: {count} frames came of {len(video)}")
    peak_decoding = peak_bytes()

    tracker = sam2core.VideoTracker(load_model(job), video)
    middle = len(video) // 2
    height, width = video.size
    start = time.perf_counter()
    for i in range(job.objects):
        x, y = width * (i + 1) / (job.objects + 2), height * (i % 3 + 1) / 5
        box = np.array([x, y, x + width / 6, y + height / 4])
        tracker.prompt(i, box=box, frame_index=middle)
    prompting = time.perf_counter() - start

    start = time.perf_counter()
    tracked = 0
    forward = tracker.propagate(middle, min(middle + job.frames, len(video)))
    for frame in (*forward, *tracker.propagate(middle, max(middle - 2, -1), reverse=True)):
        masks = frame.masks()
        if masks.shape != (job.objects, height, width):
            raise RuntimeError(f"{job.path}: masks are {masks.shape}")
        tracked += 1
    tracking = time.perf_counter() - start
    return Clip(
        job.path.name,
        height,
        width,
        count,
        opening,
        count / decoding,
        tracked,
        prompting,
        tracking / tracked,
        peak_decoding,
        peak_bytes(),
    )


def load_model(job: Job) -> sam2core.Sam2:
    if job.source not in ("tiny", "small", "base_plus", "large"):
        return sam2core.load(job.source)
    torch.manual_seed(job.seed)  # the process is this clip's own
    config = Sam2Config.preset(job.source, image_size=job.image_size)
    return sam2core.Sam2(config).eval().requires_grad_(False)


def table(clips: list[Clip]) -> str:
    lines = [
        "| clip | frames | opening | decoding | peak, decoding | tracked | first prompts | "
        "a tracked frame | peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for c in clips:
        lines.append(
            f"| {c.name} | {c.frames} of {c.width} x {c.height} | {c.opening:.2f} s | "
            f"{c.decoded_per_second:.0f} frames/s | {c.peak_decoding / 2**20:.0f} MiB | "
            f"{c.tracked} | {c.prompting:.1f} s | {c.per_frame:.1f} s | "
            f"{c.peak / 2**20:.0f} MiB |"
        )
    return "\n".join(lines) + "\n"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--media", type=Path, default=MEDIA, help="folder of video files")
    parser.add_argument(
        "--checkpoint", default="tiny", help="size of a random model, or what sam2core.load takes"
    )
    parser.add_argument("--image-size", type=int, default=1024, help="of the random model")
    parser.add_argument("--frames", type=int, default=6, help="to track forward in each clip")
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace) -> Outcome:
    paths = [p for p in sorted(arguments.media.glob("*")) if p.suffix.lower() in ENDINGS]
    if arguments.quick:
        paths = sorted(paths, key=lambda path: path.stat().st_size)[:1]
    with tempfile.TemporaryDirectory() as folder:
        if not paths and arguments.quick:
            paths = [draw_clip(Path(folder) / "drawn.mkv")]
        if not paths:
            raise NotMeasured(f"there are no video files in {arguments.media}; see --media")
        jobs = [
            Job(
                path,
                arguments.checkpoint,
                arguments.image_size,
                arguments.frames,
                arguments.objects,
                arguments.threads,
                arguments.seed,
            )
            for path in paths
        ]
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            clips = list(pool.imap(measure_clip, jobs))
    about = f"{arguments.checkpoint}, {arguments.image_size} pixels, {arguments.objects} objects"
    most = max(clip.peak for clip in clips) / 2**20
    return Outcome(
        {"machine": arguments.machine, "model": about, "clips": [asdict(c) for c in clips]},
        f"{about}\n\n{table(clips)}",
        f"{len(clips)} of {len(paths)} clips decoded and tracked; peak memory {most:.0f} MiB",
        [Bound("clips", len(clips), least=len(paths))],
    )


def draw_clip(path: Path) -> Path:
    world = World(load_artwork(), seed=HELD_OUT_WORLD)
    write_video(path, make_clip(world, "pan", 0, 12, (180, 320)).frames)
    return path


BENCHMARK = Benchmark(
    "benchmarks.real_clips",
    __doc__,
    measure,
    options,
    quick={"frames": 2, "image_size": 512},
    quick_means="two frames forward and two back of the smallest clip, 512 pixels",
    keeps_results=False,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
