"""Tensors that are kept on the host for long, as small as it is easy, side by side in blocks."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_BYTES = 8 * 2**20


class HostRows:
    """Copies of tensors on the CPU, to the bit.

    They lie in large blocks: one by one, they would end up between what comes and goes with every
    frame, and keep the memory of that from being given back. A block is freed with the last tensor
    in it.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[torch.dtype, torch.Size], tuple[Tensor, int]] = {}
        self._constants: dict[tuple[float, torch.Size], Tensor] = {}

    def put(self, row: Tensor) -> Tensor:
        """A copy in the precision that the tensor has."""
        key = row.dtype, row.shape
        block, used = self._blocks.get(key, (None, 0))
        if block is None or used == len(block):
            count = max(1, BLOCK_BYTES // (row.numel() * row.element_size()))
            block, used = torch.empty((count, *row.shape), dtype=row.dtype), 0
        self._blocks[key] = block, used + 1
        return block[used].copy_(row)

    def put_masks(self, logits: Tensor) -> list[Tensor]:
        """Copies of masks (N, h, w), float32. What bfloat16 can say is kept in it, and constants
        (objects that are absent) as one number."""
        return [self._put_mask(row) for row in logits.cpu()]

    def _put_mask(self, row: Tensor) -> Tensor:
        first = row[0, 0]
        if torch.equal(row, first.expand_as(row)):
            key = float(first), row.shape
            return self._constants.setdefault(key, first.clone().expand_as(row))
        half = row.to(torch.bfloat16)
        return self.put(half if torch.equal(half.to(row.dtype), row) else row)
