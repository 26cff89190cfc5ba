"""Losses of a grounded detector: matching, focal word loss, boxes, and two dense helpers.

Own code because the losses that come with transformers' Grounding DINO can't train it from
scratch: the proposals get no gradient, and targets are wrong where prompts differ per image.

Boxes are (centre x, centre y, width, height) in fractions of the image unless said otherwise.
"Words" are the phrases of a prompt; a phrase can have several tokens.

Sources: DETR (arXiv 2005.12872, sections 3.1 and A.2) for the matching and box losses, RetinaNet
(arXiv 1708.02002, section 3.2) for the focal loss, Deformable DETR (arXiv 2010.04159, A.4) for
proposals out of the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

ALPHA = 0.25  # weight of positives in the focal loss
WORD_WEIGHT, L1_WEIGHT, GIOU_WEIGHT = 2.0, 5.0, 2.0
PADDED = -20.0  # logit of padded tokens: finite, so that products with zero stay zero


@dataclass(frozen=True)
class Targets:
    """Truth of one image: ``boxes`` (G, 4), ``words`` (G,) as indices into the prompt's phrases,
    ``tokens`` (P, T), 1 where a token belongs to a phrase."""

    boxes: Tensor
    words: Tensor
    tokens: Tensor


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) centre and size to (..., 4) left, top, right, bottom."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of boxes given by their corners; the shapes broadcast."""
    inside = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(
        min=0
    )
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    shared = inside.prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b)]
    union = areas[0] + areas[1] - shared + 1e-7
    hull = around.clamp(min=0).prod(-1) + 1e-7
    iou = shared / union
    return iou, iou - (hull - union) / hull


def focal(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Sum of the focal loss (gamma 2) where ``mask``; the three shapes broadcast."""
    p = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    wrong = p + targets - 2 * p * targets  # 1 - p of the truth
    weight = ALPHA * targets + (1 - ALPHA) * (1 - targets)
    return (weight * wrong.square() * entropy * mask).sum()


def word_cost(logits: Tensor, tokens: Tensor) -> Tensor:
    """(S, T) logits and (G, T) token sets to (S, G): what calling s the word of g would cost."""
    p = logits.sigmoid()
    hit = ALPHA * (1 - p).square() * -F.logsigmoid(logits)
    miss = (1 - ALPHA) * p.square() * -F.logsigmoid(-logits)
    share = tokens / tokens.sum(1, keepdim=True)
    return (hit - miss) @ share.t()


def match(logits: Tensor, boxes: Tensor, target: Targets) -> tuple[Tensor, Tensor]:
    """Hungarian matching of (S, T) logits and (S, 4) boxes; indices of slots and of targets."""
    _, giou = overlaps(corners(boxes)[:, None], corners(target.boxes)[None])
    cost = (
        WORD_WEIGHT * word_cost(logits, target.tokens[target.words])
        + L1_WEIGHT * torch.cdist(boxes, target.boxes, p=1)
        - GIOU_WEIGHT * giou
    )
    rows, columns = linear_sum_assignment(cost.nan_to_num(1e3).cpu().numpy())
    return torch.as_tensor(rows, device=boxes.device), torch.as_tensor(columns, device=boxes.device)


@dataclass(frozen=True)
class Grid:
    """Encoder tokens of all levels: ``centres`` (N, 2) and ``strides`` (N,), in fractions of the
    image's side."""

    centres: Tensor
    strides: Tensor

    @classmethod
    def of(cls, size: int, strides: tuple[int, ...]) -> Grid:
        centres, widths = [], []
        for stride in strides:
            side = -(-size // stride)
            axis = (torch.arange(side) + 0.5) / side
            y, x = torch.meshgrid(axis, axis, indexing="ij")
            centres.append(torch.stack([x, y], -1).reshape(-1, 2))
            widths.append(torch.full((side * side,), stride / size))
        return cls(torch.cat(centres), torch.cat(widths))

    def to(self, device: torch.device) -> Grid:
        return Grid(self.centres.to(device), self.strides.to(device))


def assign_dense(
    logits: Tensor, boxes: Tensor, target: Targets, grid: Grid, count: int = 3
) -> tuple[Tensor, Tensor]:
    """The ``count`` best encoder tokens of every target; indices of tokens and of targets.

    Best: inside the box and near its centre, on the level whose stride is about a quarter of the
    box, and already right in word and box. A token wanted by several goes to the cheapest.
    """
    if len(target.boxes) == 0:
        nothing = torch.zeros(0, dtype=torch.long, device=boxes.device)
        return nothing, nothing
    _, giou = overlaps(corners(boxes)[:, None], corners(target.boxes)[None])
    offset = (grid.centres[:, None] - target.boxes[None, :, :2]) / target.boxes[None, :, 2:]
    distance = offset.abs().amax(-1)  # 0 at the centre, 0.5 on the border
    side = target.boxes[:, 2:].prod(-1).sqrt()
    level = torch.log2(side[None] / (4 * grid.strides[:, None])).abs()
    cost = WORD_WEIGHT * word_cost(logits, target.tokens[target.words]) - 3 * giou
    cost = cost + 6 * distance.clamp(min=0.1) + level + 100 * (distance > 0.5)
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    chosen.scatter_(0, cost.topk(count, dim=0, largest=False).indices, True)
    best, owner = cost.masked_fill(~chosen, torch.inf).min(1)
    tokens = best.isfinite().nonzero()[:, 0]
    return tokens, owner[tokens]


def pair_loss(
    logits: Tensor,
    boxes: Tensor,
    mask: Tensor,
    targets: list[Targets],
    pairs: list[tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Word, L1 and GIoU loss of (B, S, T) logits and (B, S, 4) boxes, per matched pair.

    ``mask`` (B, T) tells real tokens from padding.
    """
    wanted = torch.zeros_like(logits)
    found, truth = [], []
    for b, (target, (slots, owners)) in enumerate(zip(targets, pairs, strict=True)):
        wanted[b, slots] = target.tokens[target.words[owners]]
        found.append(boxes[b, slots])
        truth.append(target.boxes[owners])
    ours, theirs = torch.cat(found), torch.cat(truth)
    count = max(1, len(ours))
    _, giou = overlaps(corners(ours), corners(theirs))
    return (
        focal(logits, wanted, mask[:, None]) / count,
        F.l1_loss(ours, theirs, reduction="sum") / count,
        (1 - giou).sum() / count,
    )


def phrase_logits(logits: Tensor, tokens: Tensor) -> Tensor:
    """(N, T) token logits to (N, P) phrase logits: the mean over each phrase's tokens."""
    return logits @ (tokens / tokens.sum(1, keepdim=True)).t()


def naming_loss(logits: Tensor, targets: list[Targets], owners: Tensor) -> Tensor:
    """Cross-entropy between the words of the prompt, at every encoder token that lies on a thing.

    ``logits`` (B, N, T); ``owners`` (B, N) is the index of the target that covers a token's
    centre, -1 for none. Each thing weighs the same, however large. It says nothing about whether
    there is a thing, only which it would be: labels, not boxes, are what a short training lacks,
    and this asks for them at hundreds of places where the matched losses ask at a dozen.
    """
    total = logits.new_zeros(())
    things = 0
    for b, target in enumerate(targets):
        on_thing = (owners[b] >= 0).nonzero()[:, 0]
        if len(on_thing) == 0:
            continue
        owner = owners[b, on_thing]
        scores = phrase_logits(logits[b, on_thing], target.tokens)
        loss = F.cross_entropy(scores, target.words[owner], reduction="none")
        size = torch.bincount(owner, minlength=len(target.words))
        total = total + (loss / size[owner]).sum()
        things += int((size > 0).sum())
    return total / max(1, things)
