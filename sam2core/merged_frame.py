"""A frame of fewer tokens for one object: where there is little to tell apart, one for 2 x 2 cells.

What memory attention adds to a frame changes little from cell to cell where the frame is even, and
matters little far from the object. There a block of 2 x 2 cells goes through all layers as one
token at its centre, which counts four times as a key. What the layers add to it is added to each of
its cells, which keep their own features. How many blocks stay whole is the same for all objects,
large and small, so that they go as one batch.

Of the literature this is nearest to merging tokens (arXiv 2303.17604: merged before a layer and
given back after it) and to the shortcut of background windows in Efficient-SAM2 (arXiv 2602.08224).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2core.memory import Memory, Selection
from sam2core.pooled_memory import rows_of_blocks, spread_of_blocks, with_pooled

WHOLE = 2
"""Of so many blocks of 2 x 2 cells one stays whole: five eighths of the tokens are left."""


@dataclass(frozen=True)
class MergedFrame:
    """Which tokens stand for a frame of ``side`` x ``side`` cells, for each of N objects.

    ``places`` (N, K) are rows of blocks and then cells, see
    :func:`~sam2core.pooled_memory.with_pooled`; the first ``merged`` are blocks.
    """

    places: Tensor
    merged: int
    side: int

    def tokens(self, x: Tensor) -> Tensor:
        """Of maps (1 or N, side * side, C) the tokens (N, K, C)."""
        both = with_pooled(x, self.side).expand(len(self.places), -1, -1)
        return both.gather(1, self.places[..., None].expand(-1, -1, x.shape[2]))

    def spread(self, x: Tensor, added: Tensor) -> Tensor:
        """Maps (N, side * side, C): ``x`` (1 or N, side * side, C) and what is ``added`` to its
        tokens (N, K, C)."""
        count, half = len(self.places), self.side // 2
        every = half * half + self.side * self.side
        ranks = torch.arange(self.places.shape[1], device=x.device).expand(count, -1)
        known = self.places.new_full((count, every), -1).scatter(1, self.places, ranks)
        of_block = known[:, : half * half].view(count, half, 1, half, 1)
        of_block = of_block.expand(-1, -1, 2, -1, 2).reshape(count, -1)
        of_cell = known[:, half * half :]
        source = torch.where(of_cell < 0, of_block, of_cell)
        return x + added.gather(1, source[..., None].expand(-1, -1, x.shape[2]))


def merged_frame(features: Tensor, selections: Sequence[Selection]) -> MergedFrame:
    """Tokens of a frame (1 or N, dim, side, side) for N objects of which something is remembered.

    A block is the more likely to stay whole the more its cells differ, and the nearer it is to the
    outline of what was last seen of the object: the variance counts by one over one and the square
    of the distance in blocks.
    """
    side, device = features.shape[-1], features.device
    outlines = torch.stack([_outline(each, side // 2, device) for each in selections])
    at = torch.arange(side // 2, device=device)
    place = torch.stack(torch.meshgrid(at, at, indexing="ij"), dim=-1).view(-1, 2)
    apart = (place[:, None] - place).square().sum(-1)
    distance = torch.where(outlines[:, None], apart, side * side).amin(-1)
    differ = spread_of_blocks(features.flatten(2).transpose(1, 2), side)
    order = (differ / (1 + distance)).argsort(dim=-1, descending=True, stable=True)
    merged = order.shape[1] - -(-order.shape[1] // WHOLE)
    return MergedFrame(rows_of_blocks(order, merged, side), merged, side)


def _outline(selection: Selection, blocks: int, device: torch.device) -> Tensor:
    """Which of ``blocks`` x ``blocks``, flattened, have a part of the outline of the last mask that
    isn't empty, or a neighbour on its other side; none if there is no mask."""
    for memory in _latest_first(selection):
        if memory.logits is None or memory.presence <= 0:
            continue
        inside = (memory.logits.to(device) > 0).float()[None]
        most, least = _widest(inside, blocks), -_widest(-inside, blocks)
        return (most != least).flatten()
    return torch.zeros(blocks * blocks, dtype=torch.bool, device=device)


def _widest(mask: Tensor, blocks: int) -> Tensor:
    """The maximum over each block and those around it."""
    return F.max_pool2d(F.max_pool2d(mask, mask.shape[-1] // blocks), 3, 1, padding=1)


def _latest_first(selection: Selection) -> list[Memory]:
    recent = sorted((pair for pair in selection.spatial if pair[1]), key=lambda pair: pair[1])
    return [memory for memory, _ in recent] + [m for m, age in selection.spatial if not age]
