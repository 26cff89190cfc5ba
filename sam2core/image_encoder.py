"""Image encoder: Hiera and a feature pyramid neck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.config import Sam2Config
from sam2core.hiera import Hiera
from sam2core.layers import no_autocast


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
        self, pixels: Tensor, skips: Sequence[nn.Conv2d], positions: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) to maps of strides 4, 8 and 16, (B, C, S/stride, S/stride).
        :meth:`positions` may be given.

        Nothing but ``skips`` is done with those of strides 4 and 8, so these go through both
        projections at once: the product of two matrices, a tenth of the work.
        """
        laterals = cast("list[nn.Conv2d]", self.laterals)
        maps = self.trunk(pixels, positions)
        fine, middle = (
            _at_once(x, lateral, skip)
            for x, lateral, skip in zip(maps[:2], laterals[:2], skips, strict=True)
        )
        coarse, coarsest = (lateral(x) for lateral, x in zip(laterals[2:], maps[2:], strict=True))
        return fine, middle, coarse + F.interpolate(coarsest, scale_factor=2.0, mode="nearest")


def _at_once(x: Tensor, first: nn.Conv2d, second: nn.Conv2d) -> Tensor:
    """Two 1 x 1 convolutions of a map, one after another."""
    assert first.bias is not None
    assert second.bias is not None
    with no_autocast(x):
        weight = second.weight.flatten(1) @ first.weight.flatten(1)
        bias = second.weight.flatten(1) @ first.bias + second.bias
    return F.conv2d(x, weight[..., None, None], bias)
