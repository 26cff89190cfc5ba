"""Grounding DINO's attention between picture and words (arXiv 2303.05499, section 3.2).

As usually written, all tokens of the picture are projected to the width of the attention, four
times their own, as queries and as values, and what they gathered is projected back: of an
encoder's layer that is a third of the work. Words are few. A token's scores for T words in H heads
are its products with H * T vectors, the words' keys taken through the queries' weights once;
what it gathers is a sum of H * T vectors, the words' values taken through the output's weights;
and what a word gathers is a sum of tokens that is projected after it was added up. The numbers
are the same, by a part of the products.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def fuse(
    layer: Any, tokens_bnc: Tensor, words_btc: Tensor, padding_bn: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Tokens (B, N, C) and words (B, T, C) after they have seen each other.

    ``layer`` is a fusion layer of transformers' Grounding DINO, whose norms come before this: both
    are given normalised. ``padding`` is True where a token isn't part of the picture; words have
    none. In float32 but for the products, which an outer autocast may compute in less.
    """
    attention = layer.attn
    heads, width = attention.num_heads, attention.head_dim
    batch, count, channels = words_btc.shape

    def in_heads(x: Tensor) -> Tensor:
        return x.view(batch, count, heads, width).transpose(1, 2)

    keys = in_heads(attention.text_proj(words_btc)) * attention.scale  # (B, H, T, D)
    queries = attention.vision_proj
    asked = keys @ queries.weight.view(heads, width, channels).to(keys.dtype)
    constant = (keys * queries.bias.view(heads, 1, width)).sum(-1)
    scores = tokens_bnc @ asked.flatten(1, 2).transpose(1, 2)  # (B, N, H * T)
    scores = scores.float() + constant.float().flatten(1)[:, None]

    values = in_heads(attention.values_text_proj(words_btc))
    back = attention.out_vision_proj
    gain = layer.vision_param
    told = values @ (gain[:, None] * back.weight).T.view(heads, width, -1).to(values.dtype)
    shares = scores.view(batch, -1, heads, count).softmax(-1).flatten(2)
    tokens = tokens_bnc + (shares @ told.flatten(1, 2)).float() + gain * back.bias

    scores = scores.transpose(1, 2)
    if padding_bn is not None:
        scores = scores.masked_fill(padding_bn[:, None], float("-inf"))
    seen = (scores.softmax(-1) @ tokens_bnc).view(batch, heads, count, channels)
    projection = attention.values_vision_proj
    # The shares add up to one, so that the bias comes out as it is.
    seen = seen @ projection.weight.view(heads, width, channels).mT.to(seen.dtype)
    seen = seen + projection.bias.view(heads, 1, width)
    words = attention.out_text_proj(seen.transpose(1, 2).flatten(2))
    return tokens, words_btc + layer.text_param * words
