"""One function for every case: how far two sides' answers are apart, by the measures promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.parity.answers import ClipAnswer, ImageAnswer

LOGITS_BOUND = 1e-4
IOU_BOUND = 0.999
SCORES_BOUND = 5e-4
EFFECT_BOUND = 0.01


@dataclass(frozen=True)
class Distance:
    """Between two sides' answers to one case.

    `logits` largest difference of any logit over the standard deviation of the reference's;
    `iou` smallest IoU of two masks; `scores` largest difference of estimated IoU and of presence
    (a logit); `effect` the largest difference of any logit over what wrong memories would change
    (root mean square, the smaller of "shift" and "swap"), None for images; `ties` see `ClipRun`;
    `absent` of how many answers the reference found the object absent, of `answers`.
    """

    logits: float
    iou: float
    scores: float
    effect: float | None = None
    ties: int = 0
    absent: int = 0
    answers: int = 0

    @property
    def failures(self) -> list[str]:
        """What is out of bounds, in words; nothing where the sides agree."""
        found = [
            (self.logits <= LOGITS_BOUND, f"logits differ by {self.logits:.1e} of their std"),
            (self.iou >= IOU_BOUND, f"masks agree to an IoU of {self.iou:.5f} only"),
            (self.scores <= SCORES_BOUND, f"IoU or presence scores differ by {self.scores:.1e}"),
            (
                self.effect is None or self.effect <= EFFECT_BOUND,
                f"logits differ by {self.effect} of what wrong memories change",
            ),
        ]
        return [text for fine, text in found if not fine]  # NaN is never fine


def compare_images(ours: Sequence[ImageAnswer], theirs: Sequence[ImageAnswer]) -> Distance:
    """Of one case, prompt by prompt."""
    pairs = list(zip(ours, theirs, strict=True))
    std = torch.stack([answer.logits for answer in theirs]).std()
    return Distance(
        logits=float(max(_gap(a.logits, b.logits) for a, b in pairs) / std),
        iou=min(_iou(x, y) for a, b in pairs for x, y in zip(a.logits, b.logits, strict=True)),
        scores=max(max(_gap(a.iou, b.iou), _gap(a.presence, b.presence)) for a, b in pairs),
        absent=sum(bool(answer.presence <= 0) for answer in theirs),
        answers=len(theirs),
    )


def compare_clips(
    ours: Sequence[ClipAnswer],
    theirs: Sequence[ClipAnswer],
    effects: dict[str, float],
    ties: int = 0,
) -> Distance:
    """Of one case, visit by visit and object by object."""
    mine = {(answer.visit, answer.object_id): answer for answer in ours}
    if set(mine) != {(answer.visit, answer.object_id) for answer in theirs}:
        raise ValueError("the sides answered for different visits or objects")
    pairs = [(mine[answer.visit, answer.object_id], answer) for answer in theirs]
    predicted = [a.logits for a in theirs if a.presence > 0 and not a.given]
    # Where no mask was predicted there is nothing to compare: the std is NaN, which fails.
    std = torch.stack(predicted or [torch.tensor([math.nan] * 2)]).std()
    gap = max(_gap(a.logits, b.logits) for a, b in pairs)
    return Distance(
        logits=float(gap / std),
        iou=min(_iou(a.logits, b.logits) for a, b in pairs),
        scores=max(max(abs(a.iou - b.iou), abs(a.presence - b.presence)) for a, b in pairs),
        effect=gap / min(effects.values()),
        ties=ties,
        absent=sum(answer.presence <= 0 for answer in theirs),
        answers=len(theirs),
    )


def _gap(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def _iou(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of the masks of two logit maps; two empty ones agree."""
    first, second = a > 0, b > 0
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0
