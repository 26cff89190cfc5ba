"""Masks on a GPU to layers and their map: all is computed there, and copied to the host at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from panoptic.compose.cleanup import FREE, fill_gaps
from panoptic.compose.on_device import ROUNDS, compose_on_device
from panoptic.video.mask_layers import STEPS, Levels


def composes_there(device: torch.device) -> bool:
    """Whether a device composes itself. It needs float64, which Apple's GPUs don't have."""
    return device.type == "cuda"


def steps_on_device(logits: Tensor) -> Tensor:
    """``mask_layers.to_steps`` of a tensor."""
    steps = (logits * STEPS).round().clamp(-128, 127).to(torch.int8)
    return torch.where((steps == 0) & (logits > 0), 1, steps)


@torch.inference_mode()
def steps_and_owner(
    logits: Tensor,
    chosen: list[int],
    size: tuple[int, int],
    levels: Levels,
    rounds_of_pieces: int = ROUNDS,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits (N, h, w) as steps, int8, and the map of those that are ``chosen``, by their places,
    as ``Layers.owner`` has it; None where the host has to compose it. The device is waited for
    once."""
    steps = steps_on_device(logits)
    pixels, cleanup = size[0] * size[1], levels.cleanup
    found = compose_on_device(
        torch.stack([steps[n] for n in chosen]),
        STEPS,
        levels.rounds(),
        size,
        max(levels.min_area * pixels, 1),
        cleanup.min_fragment * pixels,
        cleanup.seam * pixels**0.5,
        rounds_of_pieces,
    )
    flags = torch.stack([found.whole, found.filled]).view(torch.uint8)
    parts = [found.owner.view(torch.uint8), steps.view(torch.uint8), flags]
    copied = torch.cat([part.flatten() for part in parts]).cpu().numpy()
    owner = copied[: 2 * pixels].view(np.int16).reshape(size)
    whole, filled = copied[-2:]
    if not filled:
        owner[owner < FREE] = FREE
        fill_gaps(owner, cleanup.seam * pixels**0.5)
    host_steps = copied[2 * pixels : -2].view(np.int8).reshape(steps.shape)
    return host_steps, owner if whole else None
