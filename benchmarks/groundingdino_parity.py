"""The package groundingdino-py against transformers, on the same random weights at full size.

``make groundingdino-parity``, or with the package at hand:
``python -m benchmarks.groundingdino_parity [--config GroundingDINO_SwinB_cfg.py]``.
Writes ``benchmarks/results/groundingdino_parity.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detectors.groundingdino_bridge import build, declare_torchvision_operators

declare_torchvision_operators()  # before anything imports transformers

from detectors.groundingdino_weights import load_original  # noqa: E402
from detectors.image_transform import ImageTransform  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "groundingdino_parity.md"
# Picture, the short side that it is resized to, and the precision.
CASES = (
    ((480, 640), 256, torch.float32),
    ((640, 427), 256, torch.float32),
    ((300, 900), 320, torch.float32),
    ((480, 640), 800, torch.float32),
    ((480, 640), 800, torch.float64),
)
# "car. car door. traffic light. dog." and "fire hydrant. tricycle." in BERT's word pieces.
CAPTIONS = {
    "car. car door. traffic light. dog.": (
        101, 2482, 1012, 2482, 2341, 1012, 4026, 2422, 1012, 3899, 1012, 102,
    ),
    "fire hydrant. tricycle.": (101, 2543, 26018, 3372, 1012, 13012, 23490, 1012, 102),
}  # fmt: skip


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights of about unit gain: initialised to zero, box heads and gates would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            flat = weight.ndim < 2
            noise = torch.randn(weight.shape, generator=generator)
            noise *= 0.1 if flat else 0.7 / weight[0].numel() ** 0.5
            is_norm = flat and name.endswith("weight")
            weight.copy_(noise + 1 if is_norm else noise)


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Coarse colours under noise, so that there is something at every scale."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (height // 50 + 1, width // 50 + 1, 3), dtype=np.uint8)
    coarse = coarse.repeat(50, 0).repeat(50, 1)[:height, :width]
    return coarse + rng.integers(0, 50, coarse.shape, dtype=np.uint8)


def compare(theirs: Any, ours: Any, cases: Any, captions: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    base = ImageTransform.grounding_dino()
    for i, (size, short_side, dtype) in enumerate(cases):
        longest = round(short_side * 1333 / 800)
        transform = ImageTransform(base.mean, base.std, shortest=short_side, longest=longest)
        pixels = transform(picture(*size, seed=i))[None].to(dtype)
        mask = torch.ones((1, *pixels.shape[2:]), dtype=torch.int64)
        for text, ids in captions.items():
            outputs, seconds = [], []
            for model in (theirs.to(dtype), ours.to(dtype)):
                start = time.perf_counter()
                with torch.inference_mode():
                    outputs.append(
                        model(pixel_values=pixels, pixel_mask=mask, input_ids=torch.tensor([ids]))
                    )
                seconds.append(time.perf_counter() - start)
            a, b = (o.logits[0, :, : len(ids)] for o in outputs)
            boxes = (outputs[0].pred_boxes[0] - outputs[1].pred_boxes[0]).abs().amax(dim=1)
            rows.append(
                {
                    "image": f"{pixels.shape[2]} x {pixels.shape[3]}",
                    "dtype": str(dtype).removeprefix("torch."),
                    "caption": text,
                    "logits": (a - b).abs().max().item(),
                    "spread": a.std().item(),
                    "boxes": boxes.max().item(),
                    "median": boxes.median().item(),
                    "far": int((boxes > 1e-3).sum()),
                    "seconds": seconds,
                }
            )
            print(rows[-1], flush=True)
    return rows


def report(config: str, parameters: int, rows: list[dict[str, Any]]) -> str:
    lines = [
        "# groundingdino-py and transformers on the same weights",
        "",
        f"`{config}` at its full size ({parameters / 1e6:.0f} million parameters), random weights "
        "of unit gain, saved as an original `.pth` and read into transformers' class by "
        "`detectors.groundingdino_weights`. On a CPU, "
        f"torch {torch.__version__}. Written by `python -m benchmarks.groundingdino_parity`.",
        "",
        "The largest differences over all 900 boxes: of logits (their standard deviation beside "
        "it), and of box coordinates, which are fractions of the image; then the median over the "
        "boxes, and how many are further apart than 0.001.",
        "",
        "| input | precision | caption | logits | (spread) | boxes | median | > 0.001 | seconds, "
        "package / transformers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        a, b = row["seconds"]
        lines.append(
            f"| {row['image']} | {row['dtype']} | {row['caption']} | {row['logits']:.1e} | "
            f"{row['spread']:.1f} | {row['boxes']:.1e} | {row['median']:.1e} | {row['far']} | "
            f"{a:.1f} / {b:.1f} |"
        )
    lines += [
        "",
        "One thing differs in the code: before it takes their logit, transformers keeps a box's "
        "coordinates 1e-5 away from 0 and 1, the authors 1e-3. Boxes that reach across the whole "
        "image may differ by that much, and so may queries that stem from padding.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="GroundingDINO_SwinT_OGC.py")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)))
    parser.add_argument("--captions", type=int, default=len(CAPTIONS), help="how many")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    import groundingdino
    from transformers import BertConfig

    config = Path(groundingdino.__file__).parent / "config" / arguments.config
    theirs = build(config, BertConfig())
    randomise(theirs, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        torch.save({"model": theirs.model.state_dict()}, path)
        ours = load_original(path)
    cases = [CASES[i] for i in arguments.cases]
    rows = compare(theirs, ours, cases, dict(list(CAPTIONS.items())[: arguments.captions]))
    RESULTS.parent.mkdir(exist_ok=True)
    parameters = sum(p.numel() for p in theirs.parameters())
    RESULTS.write_text(report(arguments.config, parameters, rows), encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
