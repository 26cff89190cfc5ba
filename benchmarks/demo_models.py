"""What the demo models can do on held-out scenes and clips: ``python -m benchmarks.demo_models``.

Each model has its part in :mod:`benchmarks.lib.parts`. Results go to ``benchmarks/results`` as JSON
and as a table; parts that are not asked for keep their earlier numbers. Exits with 1 where a
figure is below its least.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.parts import Context, Figure

PARTS = ("grounding_dino", "clipseg", "sam2")
ROOT = Path(__file__).parent.parent
# A dozen scenes are far from the mean of hundreds: so much less is let pass in a quick run, which
# shows what is broken and no more.
QUICK_ALLOWANCE = 0.3
# So few clips hide hardly anything, so that this figure says nothing of them.
NOT_JUDGED_QUICKLY = ("clips, absent when hidden",)


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table, a row a figure, with what is missed in bold."""
    lines = [
        "| model | figure | artwork | measured | least | goal |",
        "|---|---|---|---|---|---|",
    ]
    for part, result in results.items():
        for row in result["figures"]:
            figure = Figure(**row)
            missed = figure.least is not None and figure.value < figure.least
            value = f"**{figure.value:.3f}**" if missed else f"{figure.value:.3f}"
            least, goal = ("" if x is None else f"{x:.2f}" for x in (figure.least, figure.goal))
            lines.append(
                f"| {part} | {figure.name} | {figure.artwork} | {value} | {least} | {goal} |"
            )
    return "\n".join(lines) + "\n"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--weights", type=Path, default=ROOT / "panoptic/demo/weights")
    parser.add_argument("--scenes", type=int, default=300, help="of each artwork, seen and unseen")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--pictures", type=Path, help="folder for sheets of predictions")


def measure(arguments: argparse.Namespace) -> Outcome:
    store = arguments.results and arguments.results / "demo_models.json"
    earlier = json.loads(store.read_text()) if store and store.exists() else {}
    results = {}
    bounds = []
    for name in PARTS:
        if name not in arguments.parts:
            if name in earlier:
                results[name] = earlier[name]
            continue
        part = importlib.import_module(f"benchmarks.lib.parts.{name}")
        seen = artwork(arguments.quick)["seen"]
        context = Context(arguments.weights / name, arguments.scenes, arguments.clips, seen)
        start = time.perf_counter()
        figures: list[Figure] = part.measure(context)
        results[name] = {
            "scenes": context.scenes,
            "clips": context.clips,
            "seconds": round(time.perf_counter() - start, 1),
            "machine": platform.machine(),
            "figures": [asdict(f) | {"value": round(f.value, 4)} for f in figures],
        }
        allowance = QUICK_ALLOWANCE if arguments.quick else 0.0
        bounds += [
            Bound(f"{name}, {f.name}, {f.artwork}", f.value, least=f.least - allowance)
            for f in figures
            if f.least is not None and not (arguments.quick and f.name in NOT_JUDGED_QUICKLY)
        ]
        if arguments.pictures is not None and hasattr(part, "picture"):
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            part.picture(context).save(arguments.pictures / f"{name}.png")
    reached = sum(not bound.missed for bound in bounds)
    verdict = (
        f"{reached} of {len(bounds)} figures of {', '.join(arguments.parts)} reach their least"
    )
    return Outcome(results, table(results), verdict, bounds)


BENCHMARK = Benchmark(
    "benchmarks.demo_models",
    __doc__,
    measure,
    options,
    quick={"scenes": 12, "clips": 2},
    quick_means=f"12 scenes and 2 clips, figures may be {QUICK_ALLOWANCE} below their least and "
    "absence is only told; "
    f"{QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
