"""Memories of fewer tokens: of 2 x 2 cells that are much alike, one.

EfficientTAM (arXiv 2411.18933, section 3.3) pools all of a memory over 2 x 2 cells, and lets a
pooled key count four times, by the logarithm of four added to its scores: where the four keys are
equal, that is the same attention. Its weights were trained for that. Those of SAM 2 weren't, and
on demo clips lost four points of J&F, most of which come back where the blocks whose keys differ
most, an eighth of them, stay whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

WHOLE = 8
"""Of so many blocks of 2 x 2 cells one stays whole: a third of the tokens is left."""


def pooled_count(side: int) -> int:
    """How many of the tokens of a memory of ``side`` x ``side`` cells are pooled ones."""
    blocks = (side // 2) ** 2
    return blocks - -(-blocks // WHOLE)


def choose_places(keys: Tensor, side: int) -> Tensor:
    """Which tokens stand for memories, by their keys (M, layers, side * side, C): (M, K) rows of
    what :func:`with_pooled` gives, pooled ones first.

    A block differs by the variance of its keys in each layer, as a share of what all blocks come to
    there: no layer outweighs the others by the size of its keys.
    """
    keys = keys.float()
    differ = (pool_cells(keys.square(), side) - pool_cells(keys, side) ** 2).sum(-1)
    share = differ / differ.mean(-1, keepdim=True).clamp(min=torch.finfo(keys.dtype).tiny)
    order = share.sum(1).argsort(dim=-1, descending=True, stable=True)
    whole, pooled = order.split([order.shape[1] - pooled_count(side), pooled_count(side)], dim=1)
    row, column = whole // (side // 2) * 2, whole % (side // 2) * 2
    cells = [(row + y) * side + column + x for y in range(2) for x in range(2)]
    return torch.cat((pooled, torch.cat(cells, dim=1) + order.shape[1]), dim=1)


def with_pooled(x: Tensor, side: int) -> Tensor:
    """Blocks and then cells of maps (..., side * side, C): (..., side * side * 5 / 4, C)."""
    return torch.cat((pool_cells(x, side), x), dim=-2)


def pool_cells(x: Tensor, side: int) -> Tensor:
    """Means over 2 x 2 cells of maps (..., side * side, C): (..., side * side / 4, C)."""
    grid = x.unflatten(-2, (side // 2, 2, side // 2, 2))
    return grid.mean((-4, -2)).flatten(-3, -2)
