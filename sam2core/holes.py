"""Small holes of masks, filled: on the host by runs, on CUDA in tensors.

A hole is a group of cells at or below 0, connected also over corners.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from sam2core.pieces import small_pieces

FILLED_LOGIT = 0.1
"""Logit that a filled hole gets: inside, but barely (as the reference implementation has it)."""


def fill_holes(logits: Tensor, max_area: int, run: Callable[..., Tensor] | None = None) -> Tensor:
    """Masks of logits (N, h, w) with their holes of up to ``max_area`` cells filled.

    An empty mask stays empty. Where nothing is filled, ``logits`` themselves may be given back.
    ``run`` may be what calls a function of tensors on CUDA.
    """
    if max_area <= 0 or not logits.numel():
        return logits
    if logits.device.type == "cuda":
        compute = functools.partial(fill_on_device, max_area=max_area)
        return compute(logits) if run is None else run(compute, logits)
    return _on_host(logits, max_area)


def _on_host(logits: Tensor, max_area: int) -> Tensor:
    # numpy compares several times as quickly as torch does on one thread.
    holes = small_pieces(logits.detach().float().cpu().numpy() <= 0, max_area)
    if not len(holes):
        return logits
    filled = logits.clone(memory_format=torch.contiguous_format)
    filled.view(-1)[torch.from_numpy(holes).to(logits.device)] = FILLED_LOGIT
    return filled


def fill_on_device(logits: Tensor, max_area: int) -> Tensor:
    """:func:`fill_holes` without a look at what is computed, so that a GPU needn't be waited for.

    Each cell outside a mask takes the highest number among its neighbours outside, ``max_area``
    times. All cells of a hole have its highest number then, and no neighbour with another one; a
    part of a larger group that has the same number, and is no larger than a hole, does.
    """
    count, height, width = logits.shape
    outside = logits <= 0
    numbers = torch.arange(1, height * width + 1, device=logits.device, dtype=torch.float32)
    group = torch.where(outside, numbers.view(height, width), 0.0)
    for _ in range(max_area):
        group = torch.where(outside, max_pool2d(group, 3, 1, 1), 0.0)
    lowest = -max_pool2d(torch.where(outside, -group, -torch.inf), 3, 1, 1)
    divided = outside & ((max_pool2d(group, 3, 1, 1) != group) | (lowest != group))
    places = group.long().view(count, -1)
    # A cell on such a border weighs more than a hole may have.
    weights = torch.where(divided, max_area + 1, 1).view(count, -1)
    areas = weights.new_zeros(count, height * width + 1).scatter_add_(1, places, weights)
    small = areas.gather(1, places).view_as(logits) <= max_area
    empty = outside.all(-1).all(-1)[:, None, None]
    return torch.where(small & outside & ~empty, FILLED_LOGIT, logits)
