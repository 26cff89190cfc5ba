"""Two-way transformer: prompt tokens and image tokens attend to each other.

Paper: Segment Anything, arXiv 2304.02643, appendix A.
"""

from __future__ import annotations

from torch import Tensor, nn

from sam2core.attention import Attention
from sam2core.layers import Mlp


class TwoWayBlock(nn.Module):
    """Tokens among themselves, tokens to image, MLP, image to tokens."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attention = Attention(dim, dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.token_to_image = Attention(dim, dim // 2, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp((dim, mlp_dim, dim))
        self.norm3 = nn.LayerNorm(dim)
        self.image_to_token = Attention(dim, dim // 2, heads)
        self.norm4 = nn.LayerNorm(dim)

    def forward(
        self,
        tokens: Tensor,
        image: Tensor,
        token_position: Tensor,
        image_position: Tensor,
        visible: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        if self.first:
            # The tokens are their own positions here: adding them again would say it twice.
            tokens = self.self_attention(tokens, tokens, tokens, visible)
        else:
            placed = tokens + token_position
            tokens = tokens + self.self_attention(placed, placed, tokens, visible)
        tokens = self.norm1(tokens)

        image_placed = image + image_position
        tokens = tokens + self.token_to_image(tokens + token_position, image_placed, image)
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))

        placed = tokens + token_position
        image = image + self.image_to_token(image_placed, placed, tokens, visible)
        return tokens, self.norm4(image)


class TwoWayTransformer(nn.Module):
    """Two blocks and a last attention from the tokens to the image."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, depth: int = 2) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TwoWayBlock(dim, heads, mlp_dim, first=i == 0) for i in range(depth)
        )
        self.final_attention = Attention(dim, dim // 2, heads)
        self.final_norm = nn.LayerNorm(dim)

    def forward(
        self, tokens: Tensor, image: Tensor, image_position: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, dim) and image tokens (N, L, dim), both updated by the other.

        ``visible`` (N, T), bool, says which tokens count; None: all.
        """
        position = tokens
        for block in self.blocks:
            tokens, image = block(tokens, image, position, image_position, visible)
        attended = self.final_attention(tokens + position, image + image_position, image)
        return self.final_norm(tokens + attended), image
