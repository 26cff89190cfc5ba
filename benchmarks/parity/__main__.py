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
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome, add_device
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
    return "\n".join(lines) + f"\n\n{worst(rows)}.\n"


def worst(rows: list[Row]) -> str:
    """The largest distance of each measure beside its bound."""
    effects = [row["effect"] for row in rows if row["effect"] is not None] or [0.0]
    found = [
        f"{len(rows)} cases; worst: logits {max(row['logits'] for row in rows):.1e} of their "
        f"standard deviation (bound {LOGITS_BOUND:.0e}),",
        f"memory {max(effects):.3%} (bound {EFFECT_BOUND:.0%}),",
        f"IoU {min(row['iou'] for row in rows):.5f} (bound {IOU_BOUND}),",
        f"scores {max(row['scores'] for row in rows):.1e} (bound {SCORES_BOUND:.0e})",
    ]
    return " ".join(found)


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


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--versions", nargs="+", choices=VERSIONS, default=list(VERSIONS))
    parser.add_argument("--cases", nargs="+", help="only the cases of these names")
    parser.add_argument("--image-size", type=int, default=1024, help="side of single images")
    parser.add_argument(
        "--clip-size", type=int, default=256, help="side of the clips' frames; 1024 takes hours"
    )
    parser.add_argument("--checkpoint", help="public weights instead: hub id or folder")
    parser.add_argument("--seed", type=int, default=0)
    add_device(parser, "cpu")


def measure(arguments: argparse.Namespace) -> Outcome:
    torch.backends.cudnn.allow_tf32 = False  # float32 is what is compared
    rows: list[Row] = []
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
        raise NotMeasured(f"no case is called any of {arguments.cases}")
    missed = sum(bool(row["failures"]) for row in rows)
    return Outcome(
        {"machine": arguments.machine, "bounds": BOUNDS, "rows": rows},
        table(rows),
        worst(rows),
        [Bound("cases out of bounds", missed, most=0)],
    )


BENCHMARK = Benchmark(
    "benchmarks.parity",
    __doc__,
    measure,
    options,
    quick_means="a small model of both versions",
    keeps_results=False,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
