"""Mask decoder: image embedding and prompt to masks, their quality, presence and pointer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.config import Sam2Config
from sam2core.layers import ChannelNorm, Mlp, flatten_map, unflatten_map
from sam2core.two_way import TwoWayTransformer

STABILITY_DELTA = 0.05
STABILITY_THRESHOLD = 0.98
ABSENT_LOGIT = -1024.0
"""Mask logit of every pixel of an object that is not in the picture."""


@dataclass(frozen=True)
class MaskPrediction:
    """What the decoder says of N prompts, with M masks each.

    ``logits`` (N, M, S/4, S/4) mask logits; ``iou`` (N, M) predicted IoU in [0, 1];
    ``pointer`` (N, M, dim) object pointers, (N, M, 0) of a model for images alone; ``presence``
    (N, 1) logit, above 0: the object is in the picture.
    """

    logits: Tensor
    iou: Tensor
    pointer: Tensor
    presence: Tensor

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: slice | Tensor) -> MaskPrediction:
        return MaskPrediction(
            self.logits[index], self.iou[index], self.pointer[index], self.presence[index]
        )

    def best(self) -> MaskPrediction:
        """Of every prompt the mask with the highest predicted IoU (M becomes 1)."""
        rows = torch.arange(len(self), device=self.iou.device)[:, None]
        best = self.iou.argmax(dim=1, keepdim=True)
        return MaskPrediction(
            self.logits[rows, best], self.iou[rows, best], self.pointer[rows, best], self.presence
        )

    @staticmethod
    def cat(parts: list[MaskPrediction]) -> MaskPrediction:
        return MaskPrediction(
            torch.cat([p.logits for p in parts]),
            torch.cat([p.iou for p in parts]),
            torch.cat([p.pointer for p in parts]),
            torch.cat([p.presence for p in parts]),
        )


class MaskDecoder(nn.Module):
    """SAM's decoder with SAM 2's high-resolution skips and presence head (SAM 2, appendix D)."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim, num_masks = config.dim, 4
        self.presence_token = nn.Parameter(torch.randn(1, dim))
        self.iou_token = nn.Parameter(torch.randn(1, dim))
        self.mask_tokens = nn.Parameter(torch.randn(num_masks, dim))
        self.transformer = TwoWayTransformer(dim, config.decoder_heads, config.decoder_mlp_dim)
        self.upscale1 = nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2)
        self.upscale_norm = ChannelNorm(dim // 4)
        self.upscale2 = nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2)
        self.skip8 = nn.Conv2d(dim, dim // 4, kernel_size=1)
        self.skip4 = nn.Conv2d(dim, dim // 8, kernel_size=1)
        self.hypernetworks = nn.ModuleList(Mlp((dim, dim, dim, dim // 8)) for _ in range(num_masks))
        self.iou_head = Mlp((dim, config.iou_hidden_dim, config.iou_hidden_dim, num_masks))
        self.presence_head = Mlp((dim, dim, dim, 1))
        self.pointer_head = Mlp((dim, dim, dim, dim)) if config.tracks else None

    def forward(
        self,
        features: Tensor,
        fine: tuple[Tensor, Tensor],
        position: Tensor,
        tokens: Tensor,
        visible: Tensor | None,
        dense: Tensor,
    ) -> MaskPrediction:
        """All four masks of every prompt: the single one first, then the three of multimask.

        ``features`` (N or 1, dim, h, w); ``fine`` maps of strides 4 and 8, already projected
        by ``skip4`` and ``skip8`` (N or 1, C, ., .); ``position`` (1, dim, h, w); ``tokens``
        (N, K, dim), ``visible`` and ``dense`` from the prompt encoder.
        """
        n, (height, width) = len(tokens), features.shape[-2:]
        own = torch.cat((self.presence_token, self.iou_token, self.mask_tokens))
        tokens = torch.cat((own.expand(n, -1, -1), tokens.to(own.dtype)), dim=1)
        if visible is not None:
            visible = F.pad(visible, (len(own), 0), value=True)
        image = flatten_map(features + dense.to(features.dtype)).expand(n, -1, -1)
        place = flatten_map(position.to(features.dtype))
        tokens, image = self.transformer(tokens, image, place, visible)

        presence = self.presence_head(tokens[:, 0])
        iou = self.iou_head(tokens[:, 1]).sigmoid()
        mask_tokens = tokens[:, 2 : 2 + len(self.mask_tokens)]
        logits = self._masks(unflatten_map(image, height, width), fine, mask_tokens)
        if self.pointer_head is None:
            return MaskPrediction(logits, iou, mask_tokens[..., :0], presence)
        return MaskPrediction(logits, iou, self.pointer_head(mask_tokens), presence)

    def _masks(self, image: Tensor, fine: tuple[Tensor, Tensor], mask_tokens: Tensor) -> Tensor:
        stride4, stride8 = fine
        x = F.gelu(self.upscale_norm(self.upscale1(image) + stride8))
        x = F.gelu(self.upscale2(x) + stride4)
        weights = torch.stack(
            [net(mask_tokens[:, i]) for i, net in enumerate(self.hypernetworks)], dim=1
        )
        return torch.einsum("nmc,nchw->nmhw", weights, x)


def multimask(prediction: MaskPrediction) -> MaskPrediction:
    """The three masks for an ambiguous prompt, of the four that the decoder gives."""
    return MaskPrediction(
        prediction.logits[:, 1:],
        prediction.iou[:, 1:],
        prediction.pointer[:, 1:],
        prediction.presence,
    )


def single_mask(prediction: MaskPrediction, dynamic: bool = True) -> MaskPrediction:
    """The one mask for an unambiguous prompt.

    With ``dynamic``, a mask whose area changes much with the threshold (stability below 0.98
    at +-0.05) gives way to the best of the other three (SAM 2, appendix D.1). The pointer
    stays that of the single mask's token, as in the reference implementations.
    """
    logits, iou = prediction.logits[:, :1], prediction.iou[:, :1]
    if dynamic:
        inside = (logits > STABILITY_DELTA).sum(dim=(-2, -1)).float()
        around = (logits > -STABILITY_DELTA).sum(dim=(-2, -1)).float()
        stable = torch.where(around > 0, inside / around, 1.0) >= STABILITY_THRESHOLD
        other = multimask(prediction).best()
        logits = torch.where(stable[..., None, None], logits, other.logits)
        iou = torch.where(stable, iou, other.iou)
    return MaskPrediction(logits, iou, prediction.pointer[:, :1], prediction.presence)
