"""Frames made ready for the model while it is at work, and on their way to its device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sam2core.prefetch import prefetch
from sam2core.transforms import to_pixels

Ready = tuple[int, tuple[int, int], Tensor]
"""A frame's index, its (height, width), and its pixels (1, 3, S, S) on the CPU."""


def read_ahead(
    frames: Iterator[tuple[int, np.ndarray]], side: int, device: torch.device, depth: int
) -> Iterator[Ready]:
    """Frames with their index, resized to ``side`` in the background, up to ``depth`` ahead.

    For CUDA they are in pinned memory, from which :func:`to_device` copies while the CPU goes on.
    """

    def prepare(item: tuple[int, np.ndarray]) -> Ready:
        index, rgb = item
        pixels = to_pixels(rgb, side)
        if device.type == "cuda":
            pixels = pixels.pin_memory()
        return index, (rgb.shape[0], rgb.shape[1]), pixels

    return prefetch(frames, prepare, depth)


def to_device(pixels: Tensor, device: torch.device) -> Tensor:
    """Pixels that nobody writes to any more, on the device.

    A copy from pinned memory to CUDA is only begun here. What is computed there comes after it,
    and torch gives the memory to nobody else before it has ended, so ``pixels`` may be dropped.
    From other memory, and to other devices, this waits for the copy.
    """
    return pixels.to(device, non_blocking=device.type == "cuda")
