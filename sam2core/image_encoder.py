"""Image encoder: Hiera and a feature pyramid neck."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.config import Sam2Config
from sam2core.hiera import Hiera


class ImageEncoder(nn.Module):
    """Normalised pixels to three feature maps of the same width (SAM 2 paper, section 4).

    The map of stride 16 takes part in a top-down addition from stride 32, which itself is
    dropped; the maps of strides 4 and 8 are projections of the backbone's alone, because the
    mask decoder only wants fine detail from them.
    """

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.trunk = Hiera(config)
        self.laterals = nn.ModuleList(nn.Conv2d(c, config.dim, 1) for c in config.stage_dims)

    def positions(self, pixels: Tensor) -> Tensor:
        """What the backbone adds to pixels (B, 3, S, S) at its finest stride: (1, S/4, S/4, C)."""
        return self.trunk.positions(pixels)

    def forward(
        self, pixels: Tensor, positions: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) to maps of strides 4, 8 and 16, each (B, dim, S/stride, S/stride).
        :meth:`positions` may be given."""
        maps = self.trunk(pixels, positions)
        fine, middle, coarse, coarsest = (
            lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)
        )
        return fine, middle, coarse + F.interpolate(coarsest, scale_factor=2.0, mode="nearest")
