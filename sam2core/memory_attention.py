"""Memory attention: the features of a frame, conditioned on what is remembered of an object.

SAM 2 paper (arXiv 2408.00714), section 4 and appendix D.1, with 2-D rotary positions.

A memory enters as keys and values, and most of the keys doesn't depend on the frame that asks.
Projection and rotation are linear, so a key is a sum, ``R(W m) + R(W (place + time) + b)``: the
first is of the memory alone and can be kept beside it (:mod:`~sam2core.kept_keys`), the second of
its age alone and is the same for all objects. Values are linear in the memory too, and the weights
of a softmax sum to 1: attending to the memory itself, which has a quarter of the channels, and
projecting what comes out is the same.

Memories may also be of fewer tokens (:mod:`~sam2core.pooled_memory`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.attention_kernels import attend, attend_in_pieces, folds_values, quickest
from sam2core.config import Sam2Config
from sam2core.layers import flatten_map, unflatten_map
from sam2core.linear import Linear
from sam2core.memory_tokens import (
    LOG_4,
    FoldedMemories,
    MemoryBatch,
    MemoryTokens,
    ProjectedMemory,
)
from sam2core.merged_frame import MergedFrame
from sam2core.pooled_memory import choose_places, tokens_at, with_pooled
from sam2core.position import AxialRope, rotate, sine_map

Rope = tuple[Tensor, Tensor]


class SelfAttention(nn.Module):
    """Single-head attention whose queries and keys are turned by their place in the picture."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.q = Linear(dim, dim)
        self.k = Linear(dim, dim)
        self.v = Linear(dim, dim)
        self.out = Linear(dim, dim)

    def forward(self, x: Tensor, rope: Rope, merged: int = 0) -> Tensor:
        """(N, h*w, dim) to the same. The first ``merged`` tokens stand for four cells."""
        q, k, v = rotate(self.q(x), *rope), rotate(self.k(x), *rope), self.v(x)
        q, k, v = (t.unsqueeze(1) for t in (q, k, v))
        return self.out(attend(q, k, v, merged, LOG_4).squeeze(1))


class CrossAttention(nn.Module):
    """Single-head attention of a frame to memories; pointers have no place and aren't turned."""

    def __init__(self, dim: int, memory_dim: int) -> None:
        super().__init__()
        self.q = Linear(dim, dim)
        self.k = Linear(memory_dim, dim)
        self.v = Linear(memory_dim, dim)
        self.out = Linear(dim, dim)

    def project(self, features: Tensor, rope: Rope, values: bool) -> Tensor:
        """Memories (M, h*w, memory_dim) to what keys have of them, and with ``values`` to these:
        (M, 1 or 2, h*w, dim)."""
        found = [rotate(F.linear(features, self.k.weight), *rope)]
        return torch.stack([*found, self.v(features)] if values else found, dim=1)

    def forward(self, x: Tensor, memory: MemoryBatch | FoldedMemories, rope: Rope) -> Tensor:
        """Queries (1 or N, h*w, dim) to answers (N, h*w, dim)."""
        q = rotate(self.q(x), *rope)
        if isinstance(memory, FoldedMemories):
            return self.out(self.v(self._attend_folded(q, memory.layer, memory.memory)))
        k, v = memory.keys, memory.values
        q = q.expand(len(k), -1, -1).contiguous()  # as cuDNN needs it
        y = F.scaled_dot_product_attention(
            q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1), attn_mask=memory.bias
        ).squeeze(1)
        return self.out(y if v.shape[2] == k.shape[2] else self.v(y))

    def _attend_folded(self, q: Tensor, layer: int, memory: MemoryTokens) -> Tensor:
        pointer_keys = self.k(memory.pointer_tokens()[0])
        rows = range(len(memory.projected))
        return torch.stack([self._attend_alone(q, n, layer, memory, pointer_keys[n]) for n in rows])

    def _attend_alone(
        self, q: Tensor, n: int, layer: int, memory: MemoryTokens, pointer_keys: Tensor
    ) -> Tensor:
        """Queries (1 or N, h*w, dim) of the n-th object on its memories, over values before their
        projection: (h*w, memory_dim)."""
        own = memory.in_order([each.keys[layer, 0] for each in memory.projected[n]])
        timed = memory.in_order(memory.timed_for(layer, n))
        _, pointer_values = memory.pointer_tokens()
        values = torch.cat((*memory.in_order(memory.tokens[n]), pointer_values[n])).to(q.dtype)
        keys = torch.empty((len(values), q.shape[2]), dtype=q.dtype)
        *spatial, rest = keys.split([*map(len, own), len(pointer_keys)])
        for first, second, whole in zip(own, timed, spatial, strict=True):
            torch.add(first, second, out=whole)
        rest.copy_(pointer_keys)
        counted = memory.pooled * len(memory.ages[n])
        q = q[n % len(q), None]
        return attend_in_pieces(q, keys[None], values[None], counted, LOG_4)[0]


class MemoryAttentionLayer(nn.Module):
    """Self-attention of the frame, cross-attention to the memories, MLP; all pre-norm."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim = config.dim
        self.norm1 = nn.LayerNorm(dim)
        self.self_attention = SelfAttention(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.cross_attention = CrossAttention(dim, config.memory_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.expand = Linear(dim, config.memory_mlp_dim)
        self.reduce = Linear(config.memory_mlp_dim, dim)

    def forward(
        self, x: Tensor, memory: MemoryBatch | FoldedMemories, rope: Rope, merged: int = 0
    ) -> Tensor:
        x = x + self.self_attention(self.norm1(x), rope, merged)
        # In the first layer the frame is the same for every object until here.
        x = x + self.cross_attention(self.norm2(x), memory, rope)
        return x + self.reduce(self.expand(self.norm3(x), "relu"))


class MemoryAttention(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.rope = AxialRope(config.dim)
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(config) for _ in range(config.memory_layers)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.compiled = False
        """Whether layers are compiled: then they see objects as one batch on any device."""

    def project(
        self,
        features: Tensor,
        side: int,
        like: Tensor,
        pooled: bool,
        run: Callable[..., Tensor] | None = None,
    ) -> list[ProjectedMemory]:
        """What can be kept of memories (M, h*w, memory_dim) of a grid of ``side`` x ``side``, for
        queries ``like`` those. ``pooled``: as memories of fewer tokens. ``run`` may be what calls a
        function of tensors."""
        values = (self.compiled and like.device.type == "cpu") or not folds_values(like, pooled)
        compute = functools.partial(self._keys_of, side=side, values=values)
        keys = run(compute, features) if run else compute(features)
        if not pooled:
            return [ProjectedMemory(row) for row in keys]
        places = choose_places(keys[:, :, 0], side)
        return [
            ProjectedMemory(tokens_at(own, at, side), tokens_at(each, at, side), at)
            for own, each, at in zip(keys, features, places, strict=True)
        ]

    def _keys_of(self, features: Tensor, side: int, values: bool) -> Tensor:
        return self.keys_of(features, self.rope.rotation(side, side), values)

    def keys_of(self, features: Tensor, rope: Rope, values: bool) -> Tensor:
        """Memories (M, h*w, memory_dim) to what the layers' keys have of them, and with ``values``
        to these: (M, layers, 1 or 2, h*w, dim)."""
        return torch.stack([each.project(features, rope, values) for each in self._cross()], dim=1)

    def time(self, memory_time: Tensor, side: int, dtype: torch.dtype, pooled: bool) -> Tensor:
        """What keys have of their place and of ages (A, memory_dim): (layers, A, h*w, dim), and
        with ``pooled`` as :func:`~sam2core.pooled_memory.with_pooled` gives it."""
        place = flatten_map(sine_map(memory_time.shape[1], side, side, memory_time.device))
        placed = place.to(memory_time.dtype) + memory_time[:, None]
        rope = self.rope.rotation(side, side)
        whole = torch.stack([rotate(each.k(placed), *rope).to(dtype) for each in self._cross()])
        return with_pooled(whole, side) if pooled else whole

    def forward(
        self, features: Tensor, memory: MemoryTokens, merged: MergedFrame | None = None
    ) -> Tensor:
        """Condition a frame (1 or N, dim, h, w) on the memories of N objects: (N, dim, h, w).

        With ``merged`` a frame is of fewer tokens."""
        return self.through(features, self.seen(memory), merged)

    def seen(self, memory: MemoryTokens) -> Iterator[MemoryBatch | FoldedMemories]:
        """What one layer after the other attends to: object by object where values are folded out
        on a CPU, else as one batch."""
        if memory.folded and memory.timed.device.type == "cpu":
            return (FoldedMemories(i, memory) for i in range(len(self.layers)))
        return self.batches(memory)

    def batches(self, memory: MemoryTokens) -> Iterator[MemoryBatch]:
        """:meth:`seen` as one batch."""
        pointer_keys, pointer_values = memory.pointer_tokens()
        bias, cross = None, self._cross()
        if memory.pooled:
            counted = memory.pooled * len(memory.ages[0])
            every = sum(len(p.keys[0, 0]) for p in memory.projected[0]) + pointer_keys.shape[1]
            bias = memory.timed.new_full((1, 1, 1, counted), LOG_4)
            bias = F.pad(bias, (0, every - counted))
        values = pointer_values.to(memory.timed.dtype)
        if memory.folded:
            values = memory.joined(memory.tokens, values)
        for i, keys in enumerate(memory.keys(lambda i: cross[i].k(pointer_keys))):
            if not memory.folded:
                projected = [[p.keys[i, 1] for p in row] for row in memory.projected]
                values = memory.joined(projected, cross[i].v(pointer_values))
            yield MemoryBatch(keys, values, bias)

    def through(
        self,
        features: Tensor,
        seen: Iterable[MemoryBatch | FoldedMemories],
        merged: MergedFrame | None = None,
    ) -> Tensor:
        """A frame (1 or N, dim, h, w) through all layers, each of which attends to its own of what
        is ``seen`` of N objects: (N, dim, h, w)."""
        height, width = features.shape[-2:]
        position = sine_map(features.shape[1], height, width, features.device)
        x = flatten_map(features + 0.1 * position.to(features.dtype))
        # With the strides of what layers give, so that the first needs no compiled one of its own.
        x = x.flatten(0, 1).unflatten(0, (len(x), -1))
        rope, whole = self.rope.rotation(height, width), x
        if merged is not None:
            cos, sin = self.rope.rotation_with_blocks(height)
            rope = cos[merged.places], sin[merged.places]
            x = merged.tokens(whole)
        first = x
        with quickest(x):
            for layer, each in zip(self.layers, seen, strict=True):
                x = layer(x, each, rope, 0 if merged is None else merged.merged)
        if merged is not None:
            x = merged.spread(whole, x - first)
        return unflatten_map(self.norm(x), height, width)

    def _cross(self) -> list[CrossAttention]:
        layers = cast("list[MemoryAttentionLayer]", self.layers)
        return [layer.cross_attention for layer in layers]
