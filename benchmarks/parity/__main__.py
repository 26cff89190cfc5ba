"""sam2core beside transformers' SAM 2, on the same random weights: ``python -m benchmarks.parity``.

Each row is one case (see `cases`) on one model, with what `compare.Distance` measures:

- logits: largest difference of any logit, over the standard deviation of the reference's;
- memory: the same difference over what wrong memories (those of another object, or of one frame
  earlier) would change;
- IoU: the smallest of any two masks; scores: largest difference of estimated IoU and presence;
- ties: pixels of clicked masks so close to the threshold that noise decides (see `ClipRun`);
- absent: answers in which the reference found the object absent, of all.

Exits with 1 if a bound is missed. ``--quick`` takes a small custom model, in both versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.parity.calibration import comparison_state
from benchmarks.parity.compare import EFFECT_BOUND, IOU_BOUND, LOGITS_BOUND, SCORES_BOUND
from benchmarks.parity.reference import published
from benchmarks.parity.run import Row, compare_model
from benchmarks.parity.shapes import MINI, SIZES, VERSIONS, ModelShape

BOUNDS = {
    "logits": LOGITS_BOUND,
    "memory": EFFECT_BOUND,
    "iou": IOU_BOUND,
    "scores": SCORES_BOUND,
}


def table(rows: list[Row]) -> str:
    """Markdown, with what is out of bounds in bold."""
    lines = [
        "| model | side | case | logits | memory | IoU | scores | ties | absent |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        effect = "" if row["effect"] is None else f"{row['effect']:.3%}"
        cells = [
            row["model"],
            f"{row['size']} px",
            f"{row['kind']}: {row['case']}",
            f"{row['logits']:.1e}",
            effect,
            f"{row['iou']:.5f}",
            f"{row['scores']:.1e}",
            str(row["ties"]),
            f"{row['absent']}/{row['answers']}",
        ]
        if row["failures"]:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        lines.append("| " + " | ".join(cells) + " |")
    effects = [row["effect"] for row in rows if row["effect"] is not None] or [0.0]
    worst = [
        f"{len(rows)} cases; worst: logits {max(row['logits'] for row in rows):.1e} of their "
        f"standard deviation (bound {LOGITS_BOUND:.0e}),",
        f"memory {max(effects):.3%} (bound {EFFECT_BOUND:.0%}),",
        f"IoU {min(row['iou'] for row in rows):.5f} (bound {IOU_BOUND}),",
        f"scores {max(row['scores'] for row in rows):.1e} (bound {SCORES_BOUND:.0e}).",
    ]
    return "\n".join(lines) + "\n\n" + " ".join(worst) + "\n"


def machine(device: str) -> str:
    """What it ran on, in words."""
    name = platform.processor() or platform.machine()
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    return (
        f"{name}, {os.cpu_count()} CPU cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def models(
    arguments: argparse.Namespace,
) -> Iterator[tuple[ModelShape, str, int, dict[str, Tensor]]]:
    """Shape, version, side of the clips and weights of every model that is asked for."""
    if arguments.checkpoint:
        shape, version, state = published(arguments.checkpoint)
        yield shape, version, shape.image_size, state
        return
    shapes = [MINI]
    if not arguments.quick:
        shapes = [SIZES[size].at(arguments.image_size) for size in arguments.sizes]
    for shape in shapes:
        clip_size = shape.image_size if arguments.quick else arguments.clip_size
        for version in arguments.versions:
            state = comparison_state(shape.at(clip_size), version, arguments.seed, arguments.device)
            yield shape, version, clip_size, state


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="a small model, under a minute")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--versions", nargs="+", choices=VERSIONS, default=list(VERSIONS))
    parser.add_argument("--cases", nargs="+", help="only the cases of these names")
    parser.add_argument("--image-size", type=int, default=1024, help="side of single images")
    parser.add_argument(
        "--clip-size", type=int, default=256, help="side of the clips' frames; 1024 takes hours"
    )
    parser.add_argument("--checkpoint", help="public weights instead: hub id or folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(argv)
    torch.backends.cudnn.allow_tf32 = False  # float32 is what is compared
    if arguments.quick:
        torch.set_num_threads(1)  # a model this small only loses time to threads
    start, rows = time.perf_counter(), []
    for shape, version, clip_size, state in models(arguments):
        for row in compare_model(
            shape,
            version,
            state,
            clip_size=clip_size,
            seed=arguments.seed,
            device=arguments.device,
            random_weights=not arguments.checkpoint,
            wanted=lambda name: not arguments.cases or name in arguments.cases,
        ):
            rows.append(row)
            outcome = "; ".join(row["failures"]) or "ok"
            print(f"{row['model']}, {row['kind']}: {row['case']}: {outcome}", file=sys.stderr)
    if not rows:
        parser.error(f"no case is called any of {arguments.cases}")
    seconds = time.perf_counter() - start
    where = f"{machine(arguments.device)}; {seconds:.0f} s"
    text = f"{table(rows)}\n{where}\n"
    print(text)
    if arguments.json:
        content = {"machine": where, "bounds": BOUNDS, "rows": rows}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(text)
    return 1 if any(row["failures"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
