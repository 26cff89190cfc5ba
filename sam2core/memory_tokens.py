"""What objects remember, as keys and values that a frame attends to: by object, or as a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sam2core.joined_keys import JoinedKeys, joins_on

LOG_4 = math.log(4)
"""What is added to the scores of keys that stand for four cells."""


@dataclass(frozen=True)
class ProjectedMemory:
    """What attention makes of one memory alone.

    ``keys`` (layers, 1 or 2, K, dim): of K keys what doesn't depend on place and age, and values
    where these aren't folded out. Of a memory of fewer tokens also these, ``tokens`` (K,
    memory_dim), and their ``places`` (K,), see :mod:`~sam2core.pooled_memory`; else its features
    are its tokens.
    """

    keys: Tensor
    tokens: Tensor | None = None
    places: Tensor | None = None


@dataclass(frozen=True)
class MemoryTokens:
    """What N objects of the same memory extent remember.

    ``tokens`` are those of their T spatial memories (K, memory_dim), ``projected`` what ``project``
    of :class:`~sam2core.memory_attention.MemoryAttention` makes of each, and ``ages`` (N, T) says
    of each which row it is of ``timed``, which its ``time`` gives. ``pointers`` (N, P, dim) come
    with the encoding of their distance, ``pointer_time`` (N, P, memory_dim). P may be 0. The first
    ``pooled`` tokens of each memory stand for four cells.
    """

    tokens: Sequence[Sequence[Tensor]]
    projected: Sequence[Sequence[ProjectedMemory]]
    ages: Sequence[Sequence[int]]
    timed: Tensor
    pointers: Tensor
    pointer_time: Tensor
    pooled: int = 0

    @property
    def folded(self) -> bool:
        """Whether values are folded out, so that none were projected."""
        return not self.projected[0] or len(self.projected[0][0].keys[0]) == 1

    def in_order(self, memories: Sequence[Tensor]) -> list[Tensor]:
        """Parts of T memories (..., K, C), one after another: pooled tokens of all, then others."""
        if not self.pooled:
            return [*memories]
        first = [each[..., : self.pooled, :] for each in memories]
        return first + [each[..., self.pooled :, :] for each in memories]

    def timed_for(self, layer: int, n: int) -> list[Tensor]:
        """Of each memory of an object, what its keys have of place and age."""
        rows = (self.timed[layer, age] for age in self.ages[n])
        return [
            row if each.places is None else row.index_select(0, each.places)
            for row, each in zip(rows, self.projected[n], strict=True)
        ]

    def timed_rows(self) -> Tensor:
        """Of each key (N, K) of spatial memories which row it is of a layer of ``timed``,
        flattened to (A * h*w, dim)."""
        device, length = self.timed.device, self.timed.shape[2]
        whole = torch.arange(length, device=device)
        places = [whole if p.places is None else p.places for row in self.projected for p in row]
        first = torch.tensor(self.ages, device=device)[..., None] * length
        rows = torch.stack(places).view(*first.shape[:2], -1) + first
        parts = (rows[..., : self.pooled], rows[..., self.pooled :])
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def joined(self, memories: Sequence[Sequence[Tensor]], rest: Tensor) -> Tensor:
        """Parts of the T memories of N objects (K, C), and then ``rest`` (N, P, C), in one piece
        (N, T*K + P, C)."""
        parts = [part for row in memories for part in self.in_order(row)]
        return torch.cat(
            (torch.cat(parts).to(rest.dtype).view(len(rest), -1, rest.shape[2]), rest), 1
        )

    def keys(self, pointer_keys: Callable[[int], Tensor]) -> Iterator[Tensor]:
        """The keys (N, T*K + P, dim) of one layer after the other, those of pointers given."""
        layers = range(len(self.timed))
        if joins_on(self.timed.device) and not self.pooled:
            joined = JoinedKeys([[p.keys for p in row] for row in self.projected], self.ages)
            yield from (joined.layer(i, self.timed[i], pointer_keys(i)) for i in layers)
            return
        rows = self.timed_rows()
        for i in layers:
            own = self.joined(
                [[p.keys[i, 0] for p in row] for row in self.projected], pointer_keys(i)
            )
            own[:, : rows.shape[1]] += self.timed[i].flatten(0, 1)[rows]
            yield own

    def pointer_tokens(self) -> tuple[Tensor, Tensor]:
        """Keys and values (N, P * dim / memory_dim, memory_dim).

        A pointer is longer than a memory token: it becomes several.
        """
        tokens = self.pointers.unflatten(-1, (-1, self.pointer_time.shape[-1]))
        timed = tokens + self.pointer_time[:, :, None].to(tokens.dtype)
        return timed.flatten(1, 2), tokens.flatten(1, 2)


@dataclass(frozen=True)
class MemoryBatch:
    """What a layer attends to of N objects, as tensors alone.

    ``keys`` (N, K, dim) and ``values`` (N, K, dim), or (N, K, memory_dim) before their projection.
    ``bias`` (1, 1, 1, K), if any, is added to scores.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor | None = None

    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.keys, self.values, self.bias

    @classmethod
    def all_of(cls, tensors: Sequence[Tensor | None]) -> Iterator[MemoryBatch]:
        """Those of several layers, of their :meth:`tensors` one after another."""
        for i in range(0, len(tensors), 3):
            yield cls(*tensors[i : i + 3])  # type: ignore[arg-type]


@dataclass(frozen=True)
class FoldedMemories:
    """What a layer attends to object by object, over values before their projection."""

    layer: int
    memory: MemoryTokens
