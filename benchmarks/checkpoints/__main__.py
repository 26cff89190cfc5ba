"""Every public checkpoint's reader against transformers: ``python -m benchmarks.checkpoints``.

For each preset's parts and each other detector a folder as published (random weights, saved by
transformers, see the package's note) is read by both, and features, logits, boxes and masks of
the same picture are compared. Results go to ``benchmarks/results/checkpoints.json`` and ``.md``.
Exits with 1 where a bound is missed.

``--device cuda`` compares on a GPU, both sides in float32 without TF32.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.checkpoints import compare
from benchmarks.checkpoints.sizes import use_transformers_swin
from benchmarks.checkpoints.standin import (
    CLIPSEG,
    DETECTORS,
    GROUNDING_DINO,
    MM_GROUNDING_DINO,
    OMDET,
    OWLV2,
    SAM2,
    SAM2_IMAGES,
    Repository,
    save,
)
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome, add_device

LARGEST = 1e-4  # standard deviations
LEAST_IOU = 0.999
# At real size by default: a preset each of the sizes that differ in more than their depth, and
# what fits a machine of 24 GB within a quarter of an hour.
REAL_SIZE = tuple(r for r in SAM2 if r.name.startswith("facebook/sam2.1"))
REAL_SIZE_DETECTORS = (GROUNDING_DINO, MM_GROUNDING_DINO, CLIPSEG, OWLV2, OMDET)


def compare_one(repository: Repository, small: bool, device: str) -> dict[str, Any]:
    """One checkpoint: how it was read, and how far it is from transformers'."""
    start = time.perf_counter()
    change = use_transformers_swin if repository is OMDET and find_spec("timm") is None else None
    with tempfile.TemporaryDirectory() as folder:
        made = save(repository, Path(folder), small=small, change=change)
        if repository in (*SAM2, SAM2_IMAGES):
            found = compare.sam2(made, device)
        else:
            size = (150, 200) if small else (480, 640)
            found = compare.detector(made, compare.picture(*size), device)
    gc.collect()
    # Pixels of SAM 2 are told and not judged: ours are Meta's, which transformers' processor rounds
    # to 8 bits after resizing. The models are compared on the same ones.
    judged = [d for d in found if not (d.what == "pixels" and repository in (*SAM2, SAM2_IMAGES))]
    return {
        "checkpoint": repository.name,
        "size": "small" if small else "real",
        "differences": [asdict(difference) for difference in found],
        "largest": max(d.largest for d in judged),
        "iou": min((d.iou for d in found if d.iou is not None), default=None),
        "seconds": round(time.perf_counter() - start, 1),
    }


def missed(row: dict[str, Any]) -> bool:
    return row["largest"] > LARGEST or (row["iou"] is not None and row["iou"] < LEAST_IOU)


def table(results: dict[str, Any]) -> str:
    lines = [
        "# Public checkpoints, read from folders as published",
        "",
        "Random weights, saved by transformers' own classes with the configuration and processor",
        "files of each repository (`benchmarks/checkpoints/published`), read by transformers and",
        "by us. The largest difference of any value, in standard deviations of the values (at",
        f"most {LARGEST}), and the least IoU of masks (at least {LEAST_IOU}). Pixels of SAM 2",
        "stand apart, where torchvision was there to compare them: transformers' processor rounds",
        "them to 8 bits after resizing, Meta's and ours don't; both models saw ours.",
        "",
        "| checkpoint | size | compared | largest difference | least IoU | | pixels |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["checkpoints"]:
        compared = ", ".join(d["what"] for d in row["differences"] if d["what"] != "pixels")
        pixels = {d["what"]: f"{d['largest']:.1e}" for d in row["differences"]}.get("pixels", "")
        iou = "" if row["iou"] is None else f"{row['iou']:.4f}"
        verdict = "**missed**" if missed(row) else "equal"
        lines.append(
            f"| {row['checkpoint']} | {row['size']} | {compared} | {row['largest']:.1e} | {iou} | "
            f"{verdict} | {pixels} |"
        )
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", metavar="TEXT", help="of checkpoints whose names hold this")
    parser.add_argument(
        "--real", action="store_true", help="every preset at real size, SAM 2.0 as well"
    )
    add_device(parser, "cpu")


def measure(arguments: argparse.Namespace) -> Outcome:
    torch.backends.cudnn.allow_tf32 = False  # one side's rounding would hide the other's mistakes
    start = time.perf_counter()
    rows = []
    for repository in (*SAM2, SAM2_IMAGES, *DETECTORS):
        if arguments.only and arguments.only not in repository.name:
            continue
        real = repository in (*REAL_SIZE, *REAL_SIZE_DETECTORS) or (
            arguments.real and repository in SAM2
        )
        rows.append(compare_one(repository, arguments.quick or not real, arguments.device))
        row = rows[-1]
        print(
            f"{row['checkpoint']} ({row['size']}): {row['largest']:.1e}"
            + ("" if row["iou"] is None else f", IoU {row['iou']:.4f}")
            + f", {row['seconds']} s",
            flush=True,
        )
    if not rows:
        raise NotMeasured(f"no checkpoint's name holds {arguments.only!r}")
    results = {
        "checkpoints": rows,
        "seconds": round(time.perf_counter() - start, 1),
        "machine": arguments.machine,
    }
    wrong = [row["checkpoint"] for row in rows if missed(row)]
    verdict = f"{len(rows) - len(wrong)} of {len(rows)} checkpoints are read as transformers does"
    if wrong:
        verdict += f", but not {', '.join(wrong)}"
    ious = [row["iou"] for row in rows if row["iou"] is not None]
    bounds = [
        Bound("largest difference", max(row["largest"] for row in rows), most=LARGEST),
        *([Bound("least IoU", min(ious), least=LEAST_IOU)] if ious else []),
    ]
    stem = "checkpoints" if arguments.device == "cpu" else "checkpoints_gpu"
    return Outcome(results, table(results), verdict, bounds, None if arguments.only else stem)


BENCHMARK = Benchmark(
    "benchmarks.checkpoints",
    __doc__,
    measure,
    options,
    quick_means="small models of the same kinds",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
