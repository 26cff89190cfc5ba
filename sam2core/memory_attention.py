"""Memory attention: the features of a frame, conditioned on what is remembered of an object.

SAM 2 paper (arXiv 2408.00714), section 4 and appendix D.1, with 2-D rotary positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.config import Sam2Config
from sam2core.layers import flatten_map, unflatten_map
from sam2core.position import AxialRope, rotate, sine_map


class RopeAttention(nn.Module):
    """Single-head attention whose queries and keys are turned by their place in the picture."""

    def __init__(self, dim: int, key_dim: int) -> None:
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(key_dim, dim)
        self.v = nn.Linear(key_dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, rope: tuple[Tensor, Tensor], unplaced: int
    ) -> Tensor:
        """Queries (N, h*w, dim); keys and values (N, K, key_dim).

        The first K - ``unplaced`` keys are whole frames of h*w cells, and each frame is turned
        alike; the last ``unplaced`` (pointers) have no place and are not turned.
        """
        cos, sin = rope
        q, k, v = rotate(self.q(x), cos, sin), self.k(keys), self.v(values)
        frames, pointers = k[:, : k.shape[1] - unplaced], k[:, k.shape[1] - unplaced :]
        frames = rotate(frames.unflatten(1, (-1, len(cos))), cos, sin).flatten(1, 2)
        k = torch.cat((frames, pointers), dim=1) if unplaced else frames
        q, k, v = (t.unsqueeze(1) for t in (q, k, v))
        return self.out(F.scaled_dot_product_attention(q, k, v).squeeze(1))


class MemoryAttentionLayer(nn.Module):
    """Self-attention of the frame, cross-attention to the memories, MLP; all pre-norm."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim = config.dim
        self.norm1 = nn.LayerNorm(dim)
        self.self_attention = RopeAttention(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.cross_attention = RopeAttention(dim, config.memory_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, config.memory_mlp_dim)
        self.reduce = nn.Linear(config.memory_mlp_dim, dim)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, rope: tuple[Tensor, Tensor], unplaced: int
    ) -> Tensor:
        y = self.norm1(x)
        x = x + self.self_attention(y, y, y, rope, unplaced=0)
        # Until here the frame is the same for every object: one pass serves the whole batch.
        x = x.expand(len(keys), -1, -1)
        x = x + self.cross_attention(self.norm2(x), keys, values, rope, unplaced)
        return x + self.reduce(F.relu(self.expand(self.norm3(x))))


class MemoryAttention(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.rope = AxialRope(config.dim)
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(config) for _ in range(config.memory_layers)
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(
        self,
        features: Tensor,
        spatial: Tensor,
        spatial_time: Tensor,
        pointers: Tensor,
        pointer_time: Tensor,
    ) -> Tensor:
        """Condition a frame on the memories of N objects of the same memory extent.

        ``features`` (1 or N, dim, h, w) of the frame; ``spatial`` (N, T, h*w, memory_dim) and
        the embedding of the age of each of the T memories, ``spatial_time`` (N, T, memory_dim);
        ``pointers`` (N, P, dim) and the encoding of their distance, ``pointer_time``
        (N, P, memory_dim). P may be 0. Gives (N, dim, h, w).
        """
        height, width = features.shape[-2:]
        position = sine_map(features.shape[1], height, width, features.device)
        x = flatten_map(features + 0.1 * position.to(features.dtype))

        memory_dim = spatial.shape[-1]
        place = flatten_map(sine_map(memory_dim, height, width, features.device))
        placed = spatial + (place + spatial_time[:, :, None]).to(spatial.dtype)
        # A pointer is longer than a memory token: it becomes dim / memory_dim tokens.
        parts = pointers.shape[-1] // memory_dim
        pointer_tokens = pointers.unflatten(-1, (parts, memory_dim))
        timed = pointer_tokens + pointer_time[:, :, None].to(pointers.dtype)
        unplaced = pointers.shape[1] * parts

        keys = torch.cat((placed.flatten(1, 2), timed.flatten(1, 2)), dim=1)
        values = torch.cat((spatial.flatten(1, 2), pointer_tokens.flatten(1, 2)), dim=1)
        rope = self.rope.rotation(height, width)
        for layer in self.layers:
            x = layer(x, keys, values, rope, unplaced)
        return unflatten_map(self.norm(x), height, width)
