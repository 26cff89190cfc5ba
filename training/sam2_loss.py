"""Losses of SAM 2: masks, their predicted quality, presence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2core import MaskPrediction

BCE_WEIGHT, DICE_WEIGHT, OTHERS_WEIGHT = 2.0, 1.0, 0.7
IOU_WEIGHT, PRESENCE_WEIGHT = 1.0, 0.2
_MARGIN = 2  # cells around the object's box that count as inside


@dataclass(frozen=True)
class Truth:
    """N targets at a quarter of the model's size: ``masks`` (N, h, w), the share of each cell
    that is the object; ``others`` (N, h, w), the share that is another thing; ``present`` (N,)
    1 or 0, or -1 where too little of
    the object shows to say."""

    masks: Tensor
    others: Tensor
    present: Tensor


def box_region(masks: Tensor, margin: int = _MARGIN) -> Tensor:
    """1 in the bounding box of each mask (N, h, w) and ``margin`` cells around it, else 0."""
    grown = F.max_pool2d((masks > 0.05).float()[:, None], 2 * margin + 1, 1, margin)[:, 0]
    return grown.amax(1, keepdim=True) * grown.amax(2, keepdim=True)


def mask_loss(logits: Tensor, truth: Truth) -> Tensor:
    """Loss (N, M) of mask logits (N, M, h, w).

    Cross-entropy with equal weight inside and outside the object's box, so that small objects
    count as much as large ones; dice; and cross-entropy on the other things of the picture,
    without which a model learns "anything that stands out" and ignores the prompt.
    """
    wanted = truth.masks[:, None].expand_as(logits)
    inside = box_region(truth.masks)
    outside = 1 - inside
    others = truth.others * (truth.masks < 0.05)

    def shares(region: Tensor) -> Tensor:
        return region / region.sum((-2, -1), keepdim=True).clamp(min=1)

    weight = BCE_WEIGHT * 0.5 * (shares(inside) + shares(outside)) + OTHERS_WEIGHT * shares(others)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return torch.einsum("nmhw,nhw->nm", entropy, weight) + DICE_WEIGHT * dice(logits, wanted)


def dice(logits: Tensor, wanted: Tensor) -> Tensor:
    p = logits.sigmoid()
    shared = (p * wanted).sum((-2, -1))
    sizes = p.sum((-2, -1)) + wanted.sum((-2, -1))
    return 1 - (2 * shared + 1) / (sizes + 1)


def true_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """IoU (N, M) of the masks (N, M, h, w) as they stand with the truth (N, h, w)."""
    found, right = logits > 0, (masks > 0.5)[:, None]
    union = (found | right).sum((-2, -1))
    return (found & right).sum((-2, -1)) / union.clamp(min=1)


def prompt_loss(
    prediction: MaskPrediction, truth: Truth, ambiguous: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of all four masks of N prompts, averaged over those whose object is there.

    The single mask always learns. Of the three others the best one does, fully where the prompt
    is ``ambiguous`` (N,) and a little elsewhere, because an unstable single mask is replaced by
    the best of them. The IoU of all four is learned, and presence of all prompts.
    """
    logits = prediction.logits.float()
    losses = mask_loss(logits, truth)
    best = losses[:, 1:].min(1).values
    masks = losses[:, 0] + torch.where(ambiguous, 1.0, 0.3) * best
    with torch.no_grad():
        iou = true_iou(logits, truth.masks)
    quality = (prediction.iou.float() - iou).square().mean(1)
    there, sure = (truth.present > 0).float(), (truth.present >= 0).float()
    count = there.sum().clamp(min=1)
    presence = F.binary_cross_entropy_with_logits(
        prediction.presence[:, 0].float(), there, reduction="none"
    )
    parts = {
        "mask": (masks * there).sum() / count,
        "iou": (quality * there).sum() / count,
        "presence": (presence * sure).sum() / sure.sum().clamp(min=1),
    }
    total = parts["mask"] + IOU_WEIGHT * parts["iou"] + PRESENCE_WEIGHT * parts["presence"]
    parts["found"] = (iou[:, 0] * there).sum() / count
    return total, parts
