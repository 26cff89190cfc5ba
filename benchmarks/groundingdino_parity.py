"""The package groundingdino-py against transformers, on the same random weights at full size.

``make groundingdino-parity``, or with the package at hand:
``python -m benchmarks.groundingdino_parity [--config GroundingDINO_SwinB_cfg.py]``.
Writes ``benchmarks/results/groundingdino_parity.json`` and ``.md``, case by case; with ``--cases``
the rows of the others stay. Exits with 1 where the same queries in the same order come out
differently.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detectors.groundingdino_bridge import build, declare_torchvision_operators

declare_torchvision_operators()  # before anything imports transformers

from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome  # noqa: E402
from benchmarks.lib.random_weights import randomise  # noqa: E402
from detectors.groundingdino_weights import load_original  # noqa: E402
from detectors.image_transform import ImageTransform  # noqa: E402

# Of queries in the same order: logits in their standard deviations, boxes in sides of the image.
MOST_LOGITS, MOST_BOXES = 1e-4, 1e-5
# "car. car door. traffic light. dog." and "fire hydrant. tricycle." in BERT's word pieces.
CAPTIONS = {
    "car. car door. traffic light. dog.": (
        101, 2482, 1012, 2482, 2341, 1012, 4026, 2422, 1012, 3899, 1012, 102,
    ),
    "fire hydrant. tricycle.": (101, 2543, 26018, 3372, 1012, 13012, 23490, 1012, 102),
}  # fmt: skip
LONG, SHORT = CAPTIONS
# Picture and its seed, the short side that it is resized to, precision, caption.
CASES = (
    ((480, 640), 0, 256, torch.float32, LONG),
    ((640, 427), 1, 256, torch.float32, SHORT),
    ((300, 900), 2, 320, torch.float32, LONG),
    ((480, 640), 3, 800, torch.float32, LONG),
    ((480, 640), 4, 800, torch.float32, SHORT),
    ((480, 640), 4, 800, torch.float64, SHORT),
)
AS_IS = "as it is"
SAME_ORDER = "the package's order of queries"
EXPLANATION = (
    "Both models rate every place of the feature maps and take the 900 best as queries, the best "
    "first; the n-th gets the n-th learned embedding. Where two places rate the same but for "
    "rounding, the models may rank them differently; each of the two places then goes with the "
    "other's embedding, and these queries come out as different ones, though both models "
    "looked at the same places. Given the package's order of places, transformers gives the "
    "package's boxes. In float64 both come to one order by themselves (positions stay float32 "
    "in both, so that agreement is not to the last digit).",
    "",
    "One more thing differs in the code: before it takes their logit, transformers keeps a box's "
    "coordinates 1e-5 away from 0 and 1, the authors 1e-3. It can matter to queries from padding "
    "and from the outermost places of large maps, which have no box to start from (none was "
    "chosen here), and to boxes as large as the image. `tests/detectors/test_groundingdino_py.py` "
    "compares padded images with that difference taken out.",
)


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Coarse colours under noise, so that there is something at every scale."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (height // 50 + 1, width // 50 + 1, 3), dtype=np.uint8)
    coarse = coarse.repeat(50, 0).repeat(50, 1)[:height, :width]
    return coarse + rng.integers(0, 50, coarse.shape, dtype=np.uint8)


@contextmanager
def queries(count: int, given: Tensor | None = None) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Within the block, the choice of ``count`` queries is listed, or ``given``.

    Listed are the scores of all places (1, S), and which are chosen (1, count).
    """
    listed: list[tuple[Tensor, Tensor]] = []
    compute = torch.topk

    def topk(scores: Tensor, k: int, dim: int = -1) -> Any:
        assert k == count
        places = compute(scores, k, dim=dim)[1] if given is None else given
        listed.append((scores, places))
        return scores.gather(dim, places), places

    torch.topk = topk  # type: ignore[assignment]
    try:
        yield listed
    finally:
        torch.topk = compute


@torch.inference_mode()
def compare(theirs: Any, ours: Any, cases: Iterable[int]) -> Iterator[list[dict[str, Any]]]:
    """For each case a row, and another one with the same order of queries where it differed."""
    from transformers.models.grounding_dino.modeling_grounding_dino import (
        GroundingDinoEncoderOutput,
    )

    base = ImageTransform.grounding_dino()
    count = ours.config.num_queries
    for i in cases:
        size, seed, short_side, dtype, caption = CASES[i]
        longest = round(short_side * 1333 / 800)
        transform = ImageTransform(base.mean, base.std, shortest=short_side, longest=longest)
        pixels = transform(picture(*size, seed))[None].to(dtype)
        inputs: dict[str, Any] = {
            "pixel_values": pixels,
            "pixel_mask": torch.ones((1, *pixels.shape[2:]), dtype=torch.int64),
            "input_ids": torch.tensor([CAPTIONS[caption]]),
        }
        with queries(count) as listed:
            expected = theirs.to(dtype)(**inputs)
            found = ours.to(dtype)(**inputs)
        (scores, places), (_, others) = listed
        case = {
            "case": i,
            "image": f"{pixels.shape[2]} x {pixels.shape[3]}",
            "dtype": str(dtype).removeprefix("torch."),
            "caption": caption,
            "places": scores.shape[1],
            "no_box": int((found.init_reference_points == 1).all(dim=-1).sum()),
            "swapped": int((places != others).sum()),
            "missing": len(set(places[0].tolist()) - set(others[0].tolist())),
            "gap": (scores.gather(1, places) - scores.gather(1, others)).abs().max().item(),
        }
        rows = [case | {"compared": AS_IS} | difference(expected, found, inputs)]
        if case["swapped"]:
            inputs["encoder_outputs"] = GroundingDinoEncoderOutput(
                last_hidden_state_vision=found.encoder_last_hidden_state_vision,
                last_hidden_state_text=found.encoder_last_hidden_state_text,
            )
            with queries(count, places):
                found = ours(**inputs)
            rows.append(case | {"compared": SAME_ORDER} | difference(expected, found, inputs))
        yield rows


def difference(one: Any, two: Any, inputs: dict[str, Any]) -> dict[str, float]:
    """Of the outputs for all queries: logits of the caption's tokens, and boxes."""
    length = inputs["input_ids"].shape[1]
    a, b = (output.logits[0, :, :length] for output in (one, two))
    boxes = (one.pred_boxes[0] - two.pred_boxes[0]).abs().amax(dim=1)
    return {
        "logits": (a - b).abs().max().item(),
        "spread": a.std().item(),
        "boxes": boxes.max().item(),
        "median": boxes.median().item(),
        "far": int((boxes > 1e-3).sum()),
    }


def report(run: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    lines = [
        "# groundingdino-py and transformers on the same weights",
        "",
        f"`{run['config']}` at its full size ({run['parameters'] / 1e6:.0f} million parameters), "
        "random weights of unit gain, saved as an original `.pth` and read into transformers' "
        "class by `detectors.groundingdino_weights`. On a CPU, torch "
        f"{run['torch']}, transformers {run['transformers']}. Written by "
        "`python -m benchmarks.groundingdino_parity`.",
        "",
        "The largest differences over all 900 queries: of logits (their standard deviation in "
        "brackets), and of box coordinates, which are fractions of the image; then the median "
        "over the queries, and how many are further apart than 0.001.",
        "",
        "| input | precision | caption | transformers | logits | boxes | median | > 0.001 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['image']} | {row['dtype']} | {row['caption']} | {row['compared']} | "
            f"{row['logits']:.1e} ({row['spread']:.1f}) | {row['boxes']:.1e} | "
            f"{row['median']:.1e} | {row['far']} |"
        )
    lines += [
        "",
        "The queries: of how many places the 900 were chosen, how many of them only one model "
        "chose, how many have another rank in one than in the other, and how far their scores "
        "are apart (logits); and how many have no box to start from.",
        "",
        "| input | precision | caption | places | by one | other rank | apart | no box |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["compared"] == AS_IS:
            lines.append(
                f"| {row['image']} | {row['dtype']} | {row['caption']} | {row['places']} | "
                f"{row['missing']} | {row['swapped']} | {row['gap']:.1e} | {row['no_box']} |"
            )
    return "\n".join([*lines, "", *EXPLANATION, ""])


def bounds_of(rows: list[dict[str, Any]]) -> list[Bound]:
    """Queries in another order are other queries, and not judged; they are with the package's."""
    same = [row for row in rows if row["compared"] == SAME_ORDER or not row["swapped"]]
    logits = max((row["logits"] / row["spread"] for row in same), default=0.0)
    boxes = max((row["boxes"] for row in same), default=0.0)
    return [
        Bound("logits, of their standard deviation", logits, most=MOST_LOGITS),
        Bound("boxes, of the image", boxes, most=MOST_BOXES),
    ]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="GroundingDINO_SwinT_OGC.py")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)))
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    """An outcome after each case; rows of cases that were measured before are kept."""
    if find_spec("groundingdino") is None:
        raise NotMeasured(
            "it needs the package groundingdino-py: run `make groundingdino-parity`, which puts "
            "it into .groundingdino, or set PYTHONPATH=.groundingdino once that is there"
        )
    import groundingdino
    import transformers

    config = Path(groundingdino.__file__).parent / "config" / arguments.config
    theirs = build(config, transformers.BertConfig())
    randomise(theirs, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        torch.save({"model": theirs.model.state_dict()}, path)
        ours = load_original(path)
    run = {
        "config": arguments.config,
        "seed": arguments.seed,
        "parameters": sum(p.numel() for p in theirs.parameters()),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    store = arguments.results and arguments.results / "groundingdino_parity.json"
    before = json.loads(store.read_text(encoding="utf-8")) if store and store.is_file() else {}
    rows = before["rows"] if before.get("run") == run else []
    for new in compare(theirs, ours, arguments.cases):
        print(*new, sep="\n", file=sys.stderr, flush=True)
        rows = [row for row in rows if row["case"] != new[0]["case"]] + new
        rows.sort(key=lambda row: row["case"])
        cases = len({row["case"] for row in rows})
        yield Outcome(
            {"run": run, "rows": rows},
            report(run, rows),
            f"{cases} inputs through groundingdino-py and transformers",
            bounds_of(rows),
        )


BENCHMARK = Benchmark(
    "benchmarks.groundingdino_parity",
    __doc__,
    measure,
    options,
    quick={"cases": [0]},
    quick_means="one small picture",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
