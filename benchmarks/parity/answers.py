"""What either side answers: plain tensors, so that one function compares them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageAnswer:
    """`logits` (N, M, S/4, S/4) before any threshold, `iou` (N, M), `presence` (N,) logits."""

    logits: Tensor
    iou: Tensor
    presence: Tensor


@dataclass(frozen=True)
class ClipAnswer:
    """Of one object after one visit: `logits` (S/4, S/4), -1024 throughout where the object is
    absent; `iou` as estimated (1 for a mask that was given); `presence` a logit; `given` whether
    the mask was given, not predicted."""

    visit: int
    object_id: int
    logits: Tensor
    iou: float
    presence: float
    given: bool
