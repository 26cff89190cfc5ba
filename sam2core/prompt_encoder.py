"""Prompts: points, boxes and earlier mask logits, as tokens and as a map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sam2core.config import Sam2Config
from sam2core.layers import ChannelNorm, resize
from sam2core.position import RandomFourier

NEGATIVE, POSITIVE, TOP_LEFT, BOTTOM_RIGHT, PADDING = 0, 1, 2, 3, -1


@dataclass(frozen=True)
class Prompt:
    """N prompts in the model's coordinates, each of K points.

    ``points`` is (N, K, 2) as (x, y), in pixels of the square of ``image_size`` that the model
    sees; ``labels`` is (N, K): 1 positive, 0 negative, 2 and 3 the corners of a box, -1 padding,
    which has no influence at all. K may be 0: then the mask, or the memory, alone decides.
    ``mask_logits`` (N, 1, h, w), where given, are logits of an earlier answer. All are on one
    device, which must be the model's when it is asked.
    """

    points: Tensor
    labels: Tensor
    mask_logits: Tensor | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 3 or self.points.shape[-1] != 2:
            raise ValueError(f"points must be (N, K, 2), got {tuple(self.points.shape)}")
        if self.labels.shape != self.points.shape[:2]:
            raise ValueError(
                f"labels must be (N, K) = {tuple(self.points.shape[:2])} like the points, got "
                f"{tuple(self.labels.shape)}"
            )
        logits = self.mask_logits
        if logits is not None and (logits.ndim != 4 or logits.shape[:2] != (len(self.points), 1)):
            raise ValueError(
                f"mask_logits must be (N, 1, h, w) with N = {len(self.points)}, got "
                f"{tuple(logits.shape)}"
            )
        given = (self.points, self.labels) if logits is None else (self.points, self.labels, logits)
        devices = [str(part.device) for part in given]
        if len(set(devices)) > 1:
            raise ValueError(
                f"points, labels and mask_logits must be on one device, got {', '.join(devices)}"
            )

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: slice | Tensor) -> Prompt:
        logits = None if self.mask_logits is None else self.mask_logits[index]
        return Prompt(self.points[index], self.labels[index], logits)

    def to(self, device: torch.device) -> Prompt:
        logits = self.mask_logits
        return Prompt(
            self.points.to(device),
            self.labels.to(device),
            None if logits is None else logits.to(device),
        )

    @classmethod
    def empty(cls, count: int, device: torch.device) -> Prompt:
        """``count`` prompts without points."""
        points = torch.zeros(count, 0, 2, device=device)
        return cls(points, torch.zeros(count, 0, dtype=torch.long, device=device))


class PromptEncoder(nn.Module):
    """Prompt to tokens and to a map that is added to the image embedding."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.mask_size = config.mask_size
        self.position = RandomFourier(config.dim)
        self.label_embedding = nn.Parameter(torch.randn(4, config.dim))
        self.not_a_point = nn.Parameter(torch.randn(1, config.dim))
        self.no_mask = nn.Parameter(torch.randn(1, config.dim))
        c = config.mask_channels
        self.mask_embedding = nn.Sequential(
            nn.Conv2d(1, c // 4, kernel_size=2, stride=2),
            ChannelNorm(c // 4),
            nn.GELU(),
            nn.Conv2d(c // 4, c, kernel_size=2, stride=2),
            ChannelNorm(c),
            nn.GELU(),
            nn.Conv2d(c, config.dim, kernel_size=1),
        )

    def forward(self, prompt: Prompt) -> tuple[Tensor, Tensor | None, Tensor]:
        """Tokens (N, K + 2, dim), which of them count (N, K + 2; None: all), and the map.

        The map is (N, dim, S/16, S/16), or (1, dim, 1, 1) where no mask is given.
        """
        tokens, visible = self._embed_points(prompt.points, prompt.labels)
        return tokens, visible, self._embed_mask(prompt)

    def _embed_points(self, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        # The model was trained with lists that end in one token that is no point, and, where
        # there is no point at all, with two.
        tokens = self.position((points + 0.5) / self.image_size)  # +0.5: the pixel's centre
        tokens = tokens + self.label_embedding[labels.clamp(min=0)]
        end = self.not_a_point.to(tokens.dtype).expand(len(points), 2, -1)
        real = labels != PADDING
        without_points = ~real.any(dim=1, keepdim=True)
        if points.shape[1] == 0 or bool(without_points.all()):
            return end, None
        if bool(real.all()):
            return torch.cat((tokens, end[:, :1]), dim=1), None
        visible = torch.cat((real, torch.ones_like(without_points), without_points), dim=1)
        return torch.cat((tokens, end), dim=1), visible

    def _embed_mask(self, prompt: Prompt) -> Tensor:
        if prompt.mask_logits is None:
            return self.no_mask[..., None, None]
        size = (self.mask_size, self.mask_size)
        logits = resize(prompt.mask_logits, size, antialias=True)
        return self.mask_embedding(logits.to(self.no_mask.dtype))
