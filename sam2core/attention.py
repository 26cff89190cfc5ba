"""Multi-head attention with separate projections, as the mask decoder uses it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.linear import Linear


class Attention(nn.Module):
    """Attention of ``dim`` channels, computed in ``inner_dim`` channels."""

    def __init__(self, dim: int, inner_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = Linear(dim, inner_dim)
        self.k = Linear(dim, inner_dim)
        self.v = Linear(dim, inner_dim)
        self.out = Linear(inner_dim, dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None = None) -> Tensor:
        """Queries (N, Q, dim), keys and values (N, K, dim) to (N, Q, dim).

        ``visible`` (N, K), bool, says which keys count; None: all.
        """
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for t in (self.q(q), self.k(k), self.v(v))
        )
        mask = None if visible is None else visible[:, None, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).flatten(2))
