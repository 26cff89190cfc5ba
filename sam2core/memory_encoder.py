"""Memory encoder: what was seen and where the object was, as one small map."""

from __future__ import annotations

from torch import Tensor, nn

from sam2core.config import Sam2Config
from sam2core.layers import ChannelNorm
from sam2core.linear import Linear


class ConvNextBlock(nn.Module):
    """A ConvNeXt block (arXiv 2201.03545) with layer scale."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = ChannelNorm(dim)
        self.expand = Linear(dim, hidden)
        self.reduce = Linear(hidden, dim)
        self.scale = nn.Parameter(1e-6 * self.norm.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x)).permute(0, 2, 3, 1)
        y = self.scale * self.reduce(self.expand(y, "gelu"))
        return x + y.permute(0, 3, 1, 2)


class MemoryEncoder(nn.Module):
    """Image embedding (stride 16) and a mask at full size to memory features (stride 16)."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(4):  # each halves the mask and quadruples the channels: 1 to 256
            layers += [
                nn.Conv2d(4**i, 4 ** (i + 1), kernel_size=3, stride=2, padding=1),
                ChannelNorm(4 ** (i + 1)),
                nn.GELU(),
            ]
        self.mask_downsampler = nn.Sequential(*layers, nn.Conv2d(256, config.dim, 1))
        self.image_projection = nn.Conv2d(config.dim, config.dim, kernel_size=1)
        self.fuser = nn.Sequential(*(ConvNextBlock(config.dim, config.fuser_dim) for _ in range(2)))
        self.out = nn.Conv2d(config.dim, config.memory_dim, kernel_size=1)

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        """``features`` (N or 1, dim, h, w), ``masks`` (N, 1, S, S) to (N, memory_dim, h, w)."""
        masks = masks.to(self.image_projection.weight.dtype)
        fused = self.image_projection(features) + self.mask_downsampler(masks)
        return self.out(self.fuser(fused))
