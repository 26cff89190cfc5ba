"""Mean intersection over union of stuff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.scenes import LabelledScene


@dataclass(frozen=True)
class StuffIoU:
    """``mean`` over the kinds of stuff that occur, ``by_name`` of each, ``accuracy`` of pixels."""

    mean: float
    by_name: dict[str, float]
    accuracy: float


def stuff_iou(
    predicted: np.ndarray, scenes: Sequence[LabelledScene], stuff: Sequence[str]
) -> StuffIoU:
    """IoU of stuff over all pixels whose truth is stuff; ``predicted`` (N, H, W) holds indices
    into ``stuff``. What lies under things isn't asked."""
    confusion = np.zeros((len(stuff), len(stuff)), np.int64)
    for labels, scene in zip(predicted, scenes, strict=True):
        for segment_id, name in scene.stuff.items():
            found = np.bincount(labels[scene.ids == segment_id], minlength=len(stuff))
            confusion[stuff.index(name)] += found
    right = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - right
    occurs = confusion.sum(1) > 0
    iou = right / np.maximum(union, 1)
    return StuffIoU(
        float(iou[occurs].mean()),
        {n: round(float(v), 4) for n, v, o in zip(stuff, iou, occurs, strict=True) if o},
        float(right.sum() / confusion.sum()),
    )
