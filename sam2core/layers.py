"""Small building blocks that several parts share."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.linear import Linear


class Mlp(nn.Module):
    """Linear layers with an activation between them: ``widths=(in, hidden, ..., out)``."""

    def __init__(self, widths: tuple[int, ...], gelu: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(a, b) for a, b in itertools.pairwise(widths))
        self.activation = "gelu" if gelu else "relu"

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x, self.activation)
        return self.layers[-1](x)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) map."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def resize(maps: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    """Bilinear resize of (N, M, H, W) maps, in float32 whatever the autocast says.

    On the device of ``maps``; by the CPU where the device can't: Apple's has the antialiased
    operator since torch 2.7.
    """
    maps = maps.float()
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    try:
        return F.interpolate(
            maps, size=size, mode="bilinear", align_corners=False, antialias=antialias
        )
    except NotImplementedError:
        if maps.device.type == "cpu":
            raise
        return resize(maps.cpu(), size, antialias).to(maps.device)


def flatten_map(x: Tensor) -> Tensor:
    """(B, C, H, W) to tokens (B, H*W, C)."""
    return x.flatten(2).transpose(1, 2)


def unflatten_map(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens (B, H*W, C) to (B, C, H, W)."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, height, width)


def no_autocast(x: Tensor) -> torch.autocast:
    """Context in which positions are computed in full precision under an outer autocast."""
    return torch.autocast(x.device.type, enabled=False)
