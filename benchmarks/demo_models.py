"""What the demo models can do on held-out scenes and clips: ``python -m benchmarks.demo_models``.

Each model has its part in :mod:`benchmarks.parts`. Results go to ``benchmarks/results`` as JSON
and as a table; parts that are not asked for keep their earlier numbers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.parts import Context, Figure

PARTS = ("grounding_dino", "clipseg", "sam2")
ROOT = Path(__file__).parent.parent


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--weights", type=Path, default=ROOT / "panoptic/demo/weights")
    parser.add_argument("--scenes", type=int, default=300, help="of each artwork, seen and unseen")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--pictures", type=Path, help="folder for sheets of predictions")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results")
    arguments = parser.parse_args()
    store = arguments.output / "demo_models.json"
    earlier = json.loads(store.read_text()) if store.exists() else {}
    results = {}
    for name in PARTS:
        if name not in arguments.parts:
            if name in earlier:
                results[name] = earlier[name]
            continue
        part = importlib.import_module(f"benchmarks.parts.{name}")
        context = Context(arguments.weights / name, arguments.scenes, arguments.clips)
        start = time.perf_counter()
        figures = part.measure(context)
        results[name] = {
            "scenes": context.scenes,
            "clips": context.clips,
            "seconds": round(time.perf_counter() - start, 1),
            "machine": platform.machine(),
            "figures": [asdict(f) | {"value": round(f.value, 4)} for f in figures],
        }
        if arguments.pictures is not None and hasattr(part, "picture"):
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            part.picture(context).save(arguments.pictures / f"{name}.png")
    arguments.output.mkdir(parents=True, exist_ok=True)
    store.write_text(json.dumps(results, indent=1) + "\n")
    text = table(results)
    store.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
