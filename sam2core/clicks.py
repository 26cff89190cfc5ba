"""What was given for an object on a frame, brought together into one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sam2core.arrays import as_numbers
from sam2core.errors import PromptError
from sam2core.layers import resize
from sam2core.prompt_encoder import Prompt
from sam2core.transforms import LOGIT_LIMIT, to_prompt


@dataclass(frozen=True, eq=False)
class Click:
    """Points (K, 2) with labels (K,), and a box (4,), in pixels of the frame; any may be None.

    Each may be an array, a list, or a tensor on any device, and is copied into an array: it has
    to last, and what was given may change. Raises ``PromptError`` for what holds no numbers.
    """

    points: Any = None
    labels: Any = None
    box: Any = None

    def __post_init__(self) -> None:
        for name in ("points", "labels", "box"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, as_numbers(value, name).copy())
        if self.box is not None and self.box.shape != (4,):
            if self.box.shape != (1, 4):
                raise PromptError(
                    f"one object takes one box (4,) as xyxy, got shape {self.box.shape}; others "
                    "are prompted by ids of their own"
                )
            object.__setattr__(self, "box", self.box[0])


def join_clicks(
    clicks: Sequence[Click], size: tuple[int, int], image_size: int, earlier: Tensor | None
) -> Prompt:
    """All clicks on a frame of ``size``, in the order given, with the logits (h, w) they refine.

    The prompt is on the CPU.

    Raises ``PromptError`` for a click that is empty, malformed or outside of the frame.
    """
    parts = [
        to_prompt(*size, image_size, _one(c.points), _one(c.labels), _one(c.box)) for c in clicks
    ]
    logits = None
    if earlier is not None:
        # On the CPU, where the rest of the prompt is.
        logits = earlier.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)[None, None].cpu()
    points = torch.cat([p.points for p in parts], dim=1)
    labels = torch.cat([p.labels for p in parts], dim=1)
    return Prompt(points, labels, logits)


def square_masks(masks: Tensor, side: int) -> Tensor:
    """Masks (N, H, W) of 0 and 1 at the model's square, float (N, 1, side, side) of 0 and 1."""
    resized = resize((masks[:, None] > 0).float(), (side, side), antialias=True)
    return (resized >= 0.5).float()


def _one(value: Any) -> Any:
    """One prompt as a batch of one."""
    return None if value is None else value[None]
