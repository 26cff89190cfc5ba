"""What was given for an object on a frame, brought together into one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sam2core.prompt_encoder import Prompt
from sam2core.transforms import to_prompt

LOGIT_LIMIT = 32.0
"""Earlier logits are clipped to this before they refine a mask; larger ones say nothing more."""


@dataclass(frozen=True, eq=False)
class Click:
    """Points (K, 2) with labels (K,), and a box (4,), in pixels of the frame; any may be None."""

    points: Any = None
    labels: Any = None
    box: Any = None


def join_clicks(
    clicks: Sequence[Click], size: tuple[int, int], image_size: int, earlier: Tensor | None
) -> Prompt:
    """All clicks on a frame of ``size``, in the order given, with the logits (h, w) they refine.

    Raises ``PromptError`` for a click that is empty, malformed or outside of the frame.
    """
    parts = [
        to_prompt(*size, image_size, _one(c.points), _one(c.labels), _one(c.box)) for c in clicks
    ]
    logits = None
    if earlier is not None:
        logits = earlier.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)[None, None]
    points = torch.cat([p.points for p in parts], dim=1)
    labels = torch.cat([p.labels for p in parts], dim=1)
    return Prompt(points, labels, logits)


def square_masks(masks: Tensor, side: int) -> Tensor:
    """Masks (N, H, W) of 0 and 1 at the model's square, float (N, 1, side, side) of 0 and 1."""
    resized = F.interpolate(
        (masks[:, None] > 0).float(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    return (resized >= 0.5).float()


def _one(value: Any) -> Any:
    """One prompt as a batch of one."""
    return None if value is None else np.asarray(value)[None]
