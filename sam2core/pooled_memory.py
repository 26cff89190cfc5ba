"""Memories of fewer tokens: of 2 x 2 cells that are much alike, one.

EfficientTAM (arXiv 2411.18933, section 3.3) pools all of a memory over 2 x 2 cells, and lets a
pooled key count four times, by the logarithm of four added to its scores: where the four keys are
equal, that is the same attention. Its weights were trained for that. Those of SAM 2 weren't, and
on demo clips lost four points of J&F, most of which come back where the blocks whose keys differ
most, a quarter of them, stay whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

WHOLE = 4
"""Of so many blocks of 2 x 2 cells one stays whole: seven sixteenths of the tokens are left."""


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
    differ = spread_of_blocks(keys, side)
    share = differ / differ.mean(-1, keepdim=True).clamp(min=torch.finfo(differ.dtype).tiny)
    order = share.sum(1).argsort(dim=-1, descending=True, stable=True)
    return rows_of_blocks(order, pooled_count(side), side)


def rows_of_blocks(order: Tensor, pooled: int, side: int) -> Tensor:
    """Of blocks in an order (M, blocks) the last ``pooled`` ones and the cells of the others: (M,
    K) rows of what :func:`with_pooled` gives, pooled ones first."""
    whole, pooled_ones = order.split([order.shape[1] - pooled, pooled], dim=1)
    row, column = whole // (side // 2) * 2, whole % (side // 2) * 2
    cells = [(row + y) * side + column + x for y in range(2) for x in range(2)]
    return torch.cat((pooled_ones, torch.cat(cells, dim=1) + order.shape[1]), dim=1)


def spread_of_blocks(x: Tensor, side: int) -> Tensor:
    """The variance within each block of 2 x 2 cells of maps (..., side * side, C), over all
    channels: (..., side * side / 4), float32."""
    x = x.float()
    square = pool_cells(x.square().sum(-1, keepdim=True), side)[..., 0]
    return square - pool_cells(x, side).square().sum(-1)


def tokens_at(x: Tensor, places: Tensor, side: int) -> Tensor:
    """The rows ``places`` (K,), pooled ones first, of what :func:`with_pooled` gives of a map (...,
    side * side, C), which is not made for it: (..., K, C)."""
    pooled = pooled_count(side)
    blocks = pool_cells(x, side).index_select(-2, places[:pooled])
    cells = x.index_select(-2, places[pooled:] - (side // 2) ** 2)
    return torch.cat((blocks, cells), dim=-2)


def with_pooled(x: Tensor, side: int) -> Tensor:
    """Blocks and then cells of maps (..., side * side, C): (..., side * side * 5 / 4, C)."""
    return torch.cat((pool_cells(x, side), x), dim=-2)


def pool_cells(x: Tensor, side: int) -> Tensor:
    """Means over 2 x 2 cells of maps (..., side * side, C): (..., side * side / 4, C)."""
    grid = x.unflatten(-2, (side // 2, 2, side // 2, 2))
    rows = grid[..., 0, :, :, :].float() + grid[..., 1, :, :, :]  # a tenth of what mean takes
    mean = (rows[..., 0, :] + rows[..., 1, :]) / 4
    return mean.to(x.dtype).flatten(-3, -2)
