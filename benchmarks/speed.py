"""SAM 2's tracker beside transformers' and Meta's own: ``python -m benchmarks.speed``.

The same random weights of SAM 2.1 tiny and the same frames for all, in one run, in turns: the image
encoder, and a frame with 1, 4, 8 and 16 objects whose banks are full (``benchmarks.lib.
speed_peers``), in bfloat16 and float32, and the most memory that a process of its own takes with
four objects. Ours runs in both modes of ``TrackerSettings``. Meta's takes part where the package
sam2 is installed, which ``make speed-peers`` does beside this environment:
``.speed/bin/python -m benchmarks.speed``.

Seconds are medians over rounds, the processor's (of all threads) and the clock's. Ratios are to the
quicker of the references, by the processor's, which others at work on the machine change least.
Threads that wait for others use up processor time too: on a busy machine ``--threads 1`` is fairer
to what is made of many small steps.

Exits with 1 if exact takes more than 0.5 of the quicker reference's time in bfloat16 or 0.85 in
float32 with 4 or 8 objects, the encoder more than 0.7, or compact more than 0.25 in bfloat16.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.host import peak_bytes
from benchmarks.lib.speed_peers import Ours, Tracker, trackers, write_weights
from benchmarks.parity.shapes import MINI, SIZES, ModelShape
from sam2core import TrackerSettings
from sam2core.precision import DTYPES

EXACT, COMPACT = "ours, exact", "ours, compact"
ENCODER = "encoder"
MOST_EXACT = {"bfloat16": 0.5, "float32": 0.85}
MOST_ENCODER, MOST_COMPACT = 0.7, 0.25
JUDGED = (4, 8)
PEAK_OBJECTS = 4

Makers = Mapping[str, Callable[[Path, torch.dtype], Tracker]]


@dataclass(frozen=True)
class Row:
    """What one tracker took: ``what`` is the encoder or a number of objects, in seconds."""

    dtype: str
    what: str
    name: str
    processor: tuple[float, ...]
    clock: tuple[float, ...]


def makers(shape: ModelShape) -> Makers:
    """All that are here, ours in both modes."""
    found = trackers(shape)
    del found["ours"]
    compact = TrackerSettings(mode="compact")
    return {EXACT: Ours, COMPACT: partial(Ours, settings=compact), **found}


def in_turns(
    dtype: str, what: str, steps: Mapping[str, Callable[[], Any]], rounds: int
) -> list[Row]:
    """Each of the steps once a round, one after another."""
    processor: dict[str, list[float]] = {name: [] for name in steps}
    clock: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            busy, start = time.process_time(), time.perf_counter()
            step()
            clock[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - busy)
    rows = [Row(dtype, what, n, tuple(processor[n]), tuple(clock[n])) for n in steps]
    for row in rows:
        said = ", ".join(f"{seconds:.2f}" for seconds in row.processor)
        print(f"{dtype}, {what}, {row.name}: {said}", file=sys.stderr, flush=True)
    return rows


def ready(tracker: Tracker, count: int) -> Callable[[], Any]:
    """A step with ``count`` objects. Ours takes one before, as its keys are those of a tracker that
    has been going for long; to the others all steps are alike."""
    tracker.fill(count)
    if isinstance(tracker, Ours):
        tracker.step()
    return tracker.step


def peak_of(name: str, shape: ModelShape, folder: Path, dtype: str, threads: int) -> int:
    """The most memory in bytes that a process takes for a frame, in one of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (name, shape, folder, dtype, threads))


def _peak(name: str, shape: ModelShape, folder: Path, dtype: str, threads: int) -> int:
    torch.set_num_threads(threads)
    tracker = makers(shape)[name](folder, DTYPES[dtype])
    ready(tracker, PEAK_OBJECTS)()
    return peak_bytes()


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    threads = arguments.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    shape = MINI if arguments.quick else SIZES["tiny"]
    known = makers(shape)
    rows: list[Row] = []
    peaks: dict[str, int] = {}
    judged = not arguments.quick
    rounds = dict(zip(arguments.objects, arguments.rounds, strict=True))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_weights(shape, folder)
        made = {
            dtype: {name: make(folder, DTYPES[dtype]) for name, make in known.items()}
            for dtype in arguments.dtypes
        }
        for dtype, here in made.items():
            encoders = {name: t.encode for name, t in here.items() if name != COMPACT}
            for encode in encoders.values():
                encode()  # the first is slower
            rows += in_turns(dtype, ENCODER, encoders, max(arguments.rounds))
        for count, each in rounds.items():
            for dtype, here in made.items():
                steps = {name: ready(tracker, count) for name, tracker in here.items()}
                rows += in_turns(dtype, str(count), steps, each)
                for tracker in here.values():
                    tracker.clear()
                yield outcome(rows, peaks, threads, judged)
        if not arguments.no_peak:
            for name in known:
                peaks[name] = peak_of(name, shape, folder, arguments.dtypes[0], threads)
            yield outcome(rows, peaks, threads, judged)


def ratios(rows: Sequence[Row]) -> dict[tuple[str, str, str], float]:
    """By dtype, what and name: the median time over that of the quicker reference."""
    found = {}
    for row in rows:
        others = [
            median(each.processor)
            for each in rows
            if (each.dtype, each.what) == (row.dtype, row.what) and not each.name.startswith("ours")
        ]
        found[row.dtype, row.what, row.name] = median(row.processor) / min(others)
    return found


def bounds(rows: Sequence[Row]) -> list[Bound]:
    found = []
    for (dtype, what, name), ratio in ratios(rows).items():
        title = f"{name} {dtype} {what}" + ("" if what == ENCODER else " objects")
        if what == ENCODER and name == EXACT:
            found.append(Bound(title, ratio, most=MOST_ENCODER))
        elif what in map(str, JUDGED) and name == EXACT:
            found.append(Bound(title, ratio, most=MOST_EXACT[dtype]))
        elif what in map(str, JUDGED) and name == COMPACT and dtype == "bfloat16":
            found.append(Bound(title, ratio, most=MOST_COMPACT))
    return found


def table(rows: Sequence[Row], peaks: Mapping[str, int], threads: int) -> str:
    names = list(dict.fromkeys(row.name for row in rows))
    others = [name for name in names if not name.startswith("ours")]
    lines = [
        "| dtype | what | " + " | ".join(names) + " | exact | compact |",
        "|---" * (4 + len(names)) + "|",
    ]
    shares = ratios(rows)
    for dtype, what in dict.fromkeys((row.dtype, row.what) for row in rows):
        here = {row.name: row for row in rows if (row.dtype, row.what) == (dtype, what)}
        cells = [
            f"{median(here[n].processor):.2f} ({median(here[n].clock):.2f})" if n in here else ""
            for n in names
        ]
        ours = [shares.get((dtype, what, name)) for name in (EXACT, COMPACT)]
        cells += ["" if share is None else f"{share:.2f}" for share in ours]
        times = len(next(iter(here.values())).processor)
        told = "encoder" if what == ENCODER else f"frame, {what} objects"
        lines.append(f"| {dtype} | {told}, {times} x | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"Seconds of the processor, {threads} thread{'s' if threads > 1 else ''}, and of the clock "
        f"in brackets, medians; shares of the quicker of {' and '.join(others)}.",
    ]
    if peaks:
        told = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in peaks.items())
        dtype = rows[0].dtype
        lines.append(f"Peak memory of a process, {PEAK_OBJECTS} objects, {dtype}, MB: {told}.")
    return "\n".join(lines)


def outcome(rows: Sequence[Row], peaks: Mapping[str, int], threads: int, judged: bool) -> Outcome:
    shares = ratios(rows)
    said = ", ".join(
        f"{share:.2f} ({dtype}, {what}{'' if what == ENCODER else ' objects'})"
        for (dtype, what, name), share in shares.items()
        if name == EXACT
    )
    return Outcome(
        {"threads": threads, "rows": [asdict(row) for row in rows], "peak_bytes": dict(peaks)},
        table(rows, peaks, threads),
        f"exact takes of the quicker reference's time {said}",
        bounds(rows) if judged else (),
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument(
        "--rounds", type=int, nargs="+", default=[5, 3, 3, 1], help="for each number of objects"
    )
    parser.add_argument(
        "--dtypes", nargs="+", choices=list(MOST_EXACT), default=["bfloat16", "float32"]
    )
    parser.add_argument("--threads", type=int, help="default: as many as torch takes")
    parser.add_argument("--no-peak", action="store_true", help="leave memory out")


BENCHMARK = Benchmark(
    "benchmarks.speed",
    __doc__,
    measure,
    options,
    quick={"objects": [1, 2], "rounds": [2, 2], "no_peak": True},
    quick_means="a model too small to say anything of speed, in which nothing is judged",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
