"""What the decoder's other answers say of a mask: did it see something else that it might be?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sam2core.mask_decoder import MaskPrediction
from sam2core.memory import Memory


def rivals_of(every: MaskPrediction) -> Tensor:
    """Of N prompts the :attr:`~sam2core.memory.Memory.rival` (N,), in [0, 1], of the best of their
    M masks: the least IoU of its box with the box of it and another answer together.

    1 where all others lie within its box, small where one reaches far beyond. An empty mask has 1.
    """
    inside = every.logits > 0
    rows = torch.arange(len(every), device=inside.device)
    best = inside[rows, every.iou.argmax(dim=1)]
    joined = inside | best[:, None]
    # The mask's box lies in that of more, so that their IoU is the quotient of their areas.
    areas = _box_areas(best)[:, None].float() / _box_areas(joined).clamp(min=1)
    return torch.where(best.flatten(1).any(dim=1), areas.amin(dim=1), 1.0)


def with_rivals(answers: Sequence[Memory], every: MaskPrediction) -> list[Memory]:
    """The answers for N objects with what :func:`rivals_of` says of them."""
    rivals = rivals_of(every).tolist()
    return [replace(answer, rival=r) for answer, r in zip(answers, rivals, strict=True)]


def areas_of(logits: Tensor) -> list[float]:
    """The shares of the picture that masks (N, h, w) cover."""
    return (logits > 0).float().mean(dim=(1, 2)).tolist()


def _box_areas(masks: Tensor) -> Tensor:
    """Of the boxes around masks (..., h, w), in cells; 0 for an empty one."""
    return _extent(masks.any(dim=-1)) * _extent(masks.any(dim=-2))


def _extent(line: Tensor) -> Tensor:
    """From the first to the last True of (..., n), both counted."""
    places = torch.arange(1, line.shape[-1] + 1, device=line.device) * line
    first = torch.where(line, places, line.shape[-1] + 1).amin(dim=-1)
    return (places.amax(dim=-1) - first + 1).clamp(min=0)
