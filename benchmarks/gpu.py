"""One run on a GPU, unattended: ``python -m benchmarks.gpu``.

Frames a second of ``VideoTracker`` with 1, 16, 64 and 128 objects, SAM 2.1 tiny and base-plus, in
each way that the tracker offers; of panoptic video with 30 segments, detectors and composing
included; and pictures a second of the pipeline in batches. Beside them, on the same weights and
pictures, transformers' ``Sam2VideoModel``, and the pipeline picture by picture with transformers'
own ``forward`` of Grounding DINO. Weights are random: speeds are real, answers mean nothing. Frames
for trackers come at the model's own size; memories are full before the clock starts.

Rows come in the order of what they are worth, each is written at once, and the run ends by itself
within ``--budget`` seconds, loading and warming up included. Results go to
``benchmarks/results/gpu.json`` and ``.md``. On an H100 it exits with 1 if tiny, in an exact way,
stays below 90, 34 and 13 frames a second with 1, 16 and 128 objects.

``--smoke`` runs every row at toy sizes on the CPU, whose speeds mean nothing, and writes nothing.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.full_size import MAX_BOXES, WholeForward
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome, add_device
from benchmarks.lib.full_size_models import save_models
from benchmarks.lib.gpu_subjects import (
    labelled_pictures,
    panoptic_video,
    save_sam2,
    track_ours,
    track_theirs,
)
from benchmarks.lib.host import clock
from benchmarks.lib.tracker_ways import TrackerWay, tracker_ways
from benchmarks.parity.shapes import MINI, SIZES, ModelShape
from panoptic.pipeline import PanopticPipeline
from panoptic.presets import DEMO_WEIGHTS
from panoptic.results.frame import PanopticFrame
from prompts import Vocabulary
from sam2core.precision import choose_dtype, name_of

GOALS = {1: 90.0, 16: 34.0, 128: 13.0}
GOALS_ON = "H100"
LEAST_LEFT = 8.0  # seconds below which no further row is begun
THEIRS = "transformers"


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    models: dict[str, ModelShape]
    objects: tuple[int, int, int, int]
    segments: int
    frame: tuple[int, int]
    batch: int
    warm: int
    """Frames before the clock starts; seven fill the memories, sixteen the pointers."""
    row_seconds: float


WHOLE = Scale(
    {"tiny": SIZES["tiny"], "base-plus": SIZES["base_plus"]},
    (1, 16, 64, 128), 30, (720, 1280), 8, 20, 5.0,
)  # fmt: skip
SMOKE = Scale({"tiny": MINI, "base-plus": MINI}, (1, 2, 3, 4), 6, (48, 64), 2, 1, 0.01)


@dataclass(frozen=True)
class Row:
    """``unit`` says what is counted, ``each`` how many a step of the subject are."""

    what: str
    model: str
    way: str
    objects: int
    subject: Callable[[], Iterator[Any]]
    unit: str = "frames"
    each: int = 1
    exact: bool = True


class TimeUp(BaseException):
    """The budget is spent. No ``Exception``: nothing on the way shall take it for its own."""


def rows(scale: Scale, folder: Path, device: str, dtype: torch.dtype) -> Iterator[Row]:
    """All rows, those that are worth most first."""
    one, few, many, most = scale.objects
    # Dynamo's share of compiling is tried by a smoke test, not Inductor's minutes on a CPU.
    eager, *others = tracker_ways(compile="eager" if scale is SMOKE else True)
    ours = partial(_track, scale, folder, device, dtype)
    theirs = partial(ours, None)
    yield from (ours(eager, "tiny", n) for n in (one, few, most))
    yield from (theirs("tiny", n) for n in (one, few))
    yield _video(scale, folder, device, dtype)
    yield from (ours(way, "tiny", n) for way in others[:1] for n in (one, few, most))
    yield from _pictures(scale, folder, device, dtype)
    yield from (ours(way, "tiny", n) for way in others[1:] for n in (one, few, most))
    yield from (ours(eager, "base-plus", n) for n in (one, few, most))
    yield theirs("base-plus", one)
    yield from (ours(way, "tiny", many) for way in (eager, *others))
    yield from (theirs("tiny", n) for n in (many, most))
    yield from (ours(way, "base-plus", n) for way in others for n in (one, few, most))
    yield from (ours(way, "base-plus", many) for way in (eager, *others))
    yield from (theirs("base-plus", n) for n in (few, many, most))


def _track(
    scale: Scale,
    folder: Path,
    device: str,
    dtype: torch.dtype,
    way: TrackerWay | None,
    model: str,
    objects: int,
) -> Row:
    shape = scale.models[model]

    def subject() -> Iterator[Any]:
        saved = save_sam2(shape, folder / model)
        if way is None:
            return track_theirs(saved, objects, shape.image_size, device, dtype)
        return track_ours(saved, way, objects, shape.image_size, device, dtype)

    if way is None:
        return Row("tracker", model, THEIRS, objects, subject)
    return Row("tracker", model, way.name, objects, subject, exact=way.exact)


def _vocabulary(scale: Scale) -> Vocabulary:
    """Words that the demo models know, too, a third of the segments stuff."""
    names = ("sky", "grass", "water", "sand", "brick", "wood", "snow", "road", "tile", "dirt")
    return Vocabulary(things=["cat", "car", "house"], stuff=list(names[: scale.segments // 3]))


def _pipeline(scale: Scale, folder: Path, device: str, dtype: torch.dtype) -> PanopticPipeline:
    """The models of the tiny preset at their real sizes; detectors of the demo for a smoke test."""
    models = DEMO_WEIGHTS if scale is SMOKE else folder / "preset"
    if not models.exists():
        save_models(models, tuple(c.name for c in _vocabulary(scale).stuff))
    sam2 = str(save_sam2(scale.models["tiny"], folder / "tiny"))
    pipeline = PanopticPipeline.from_pretrained(models, sam2=sam2, device=device, dtype=dtype)
    pipeline.settings = pipeline.settings.changed({"detector.max_boxes": MAX_BOXES})
    return pipeline


def _video(scale: Scale, folder: Path, device: str, dtype: torch.dtype) -> Row:
    def subject() -> Iterator[Any]:
        pipeline = _pipeline(scale, folder, device, dtype)
        return panoptic_video(pipeline, _vocabulary(scale), scale.segments, scale.frame)

    return Row("panoptic video", "tiny", "eager", scale.segments, subject)


def _pictures(scale: Scale, folder: Path, device: str, dtype: torch.dtype) -> Iterator[Row]:
    def subject(batch: int, whole: bool) -> Iterator[Any]:
        pipeline = _pipeline(scale, folder, device, dtype)
        if whole:
            pipeline.things._steps = WholeForward(pipeline.things.model)  # type: ignore[attr-defined]
        return labelled_pictures(pipeline, _vocabulary(scale), scale.frame, batch)

    ours, theirs = partial(subject, scale.batch, False), partial(subject, 1, True)
    yield Row(f"pictures, {scale.batch} a batch", "tiny", "eager", 0, ours, "pictures", scale.batch)
    yield Row("pictures, one by one", "tiny", THEIRS, 0, theirs, "pictures")


def time_row(row: Row, scale: Scale, device: str, deadline: float) -> dict[str, Any]:
    """The row's figures, or why there are none."""
    found: dict[str, Any] = {
        **{"what": row.what, "model": row.model, "way": row.way, "objects": row.objects},
        **{"unit": row.unit, "exact": row.exact},
    }
    now, start = clock(device), time.perf_counter()
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    try:
        subject = row.subject()
        for _ in range(scale.warm):
            next(subject)
        begin = now()
        found["seconds before"] = time.perf_counter() - start
        last: Any = None
        steps, until = 0, min(time.perf_counter() + scale.row_seconds, deadline - 1)
        while steps < 3 or time.perf_counter() < until:
            last = next(subject)
            steps += 1
        found |= {"steps": steps, "a second": steps * row.each / (now() - begin)}
        if isinstance(last, PanopticFrame):
            found["shown"] = len(last.segmentation)
    except Exception as error:  # too little memory, say: the other rows go on
        found["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    if on_gpu:
        found["peak MiB"] = torch.cuda.max_memory_allocated(device) / 2**20
    return found


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises ``TimeUp`` within the block when so many seconds are over."""

    def end(*_: Any) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def table(found: list[dict[str, Any]], dtype: str) -> str:
    lines = [
        f"Random weights, {dtype}. Frames, or pictures, a second.",
        "",
        "| | model | way | objects | a second | times transformers | before it, s | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        rate = f"{row['a second']:.3g}" if "a second" in row else row["failed"]
        theirs = _theirs(found, row)
        objects = f"{row['objects'] or ''}"
        if "shown" in row:
            objects += f", of which {row['shown']} show"
        times = f"{row['a second'] / theirs:.2f}" if theirs and "a second" in row else ""
        lines.append(
            f"| {row['what']} | {row['model']} | {row['way']} | {objects} | {rate} "
            f"| {times} | {row.get('seconds before', 0):.1f} | {row.get('peak MiB', 0):,.0f} |"
        )
    return "\n".join(lines)


def _theirs(found: list[dict[str, Any]], row: dict[str, Any]) -> float | None:
    """What transformers comes to with the same model and number of objects."""
    same = ("unit", "model", "objects")
    if row["way"] == THEIRS or row["what"] == "panoptic video":
        return None
    return next(
        (
            other["a second"]
            for other in found
            if other["way"] == THEIRS
            and "a second" in other
            and all(other[key] == row[key] for key in same)
        ),
        None,
    )


def bounds(found: list[dict[str, Any]]) -> list[Bound]:
    """The goals, of the best exact way of ours."""
    best: dict[int, float] = {}
    for row in found:
        ours = row["what"] == "tracker" and row["model"] == "tiny" and row["way"] != THEIRS
        if ours and row["exact"] and row["objects"] in GOALS and "a second" in row:
            best[row["objects"]] = max(best.get(row["objects"], 0.0), row["a second"])
    return [
        Bound(f"frames a second, {n} objects", best.get(n, float("nan")), least=goal)
        for n, goal in GOALS.items()
    ]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=float, default=345, help="seconds for all (default: 345)")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, to see that it runs")
    add_device(parser)


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    device, start = arguments.device, time.perf_counter()
    if device == "cpu" and not arguments.smoke:
        raise NotMeasured("there is no GPU here: --smoke tries everything at toy sizes")
    scale = SMOKE if arguments.smoke else WHOLE
    dtype = choose_dtype(device)
    judged = not arguments.smoke and GOALS_ON in arguments.machine
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        every = list(rows(scale, Path(folder), device, dtype))

        def outcome() -> Outcome:
            text = table(found, name_of(dtype))
            verdict = f"{len(found)} of {len(every)} rows in {time.perf_counter() - start:.0f} s"
            numbers = {"rows": found, "dtype": name_of(dtype), "of": len(every)}
            stem = None if arguments.smoke else ""
            return Outcome(numbers, text, verdict, bounds(found) if judged else (), stem)

        deadline = start + arguments.budget
        for row in every:
            left = deadline - time.perf_counter()
            if left < LEAST_LEFT:
                break
            try:
                with time_limit(left):
                    found.append(time_row(row, scale, device, deadline))
            except TimeUp:
                break
            gc.collect()
            if device.startswith("cuda"):
                torch.cuda.empty_cache()
            yield outcome()
        if not found:
            yield outcome()


BENCHMARK = Benchmark(
    "benchmarks.gpu",
    __doc__,
    measure,
    options,
    quick={"smoke": True},
    quick_means="as --smoke",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
