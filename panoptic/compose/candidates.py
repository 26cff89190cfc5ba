"""Masks of all origins as the candidates of the merge, each with what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from detectors.base import Boxes, Heatmaps, ThingMasks, lead
from panoptic.compose.quality import Evidence, resolved
from panoptic.compose.stuff_masks import StuffMask
from panoptic.results.masks import box_agreement
from panoptic.results.segment import CategoryLike
from prompts import Vocabulary
from prompts.regions import Region
from sam2core import ImageMasks, Segmenter
from sam2core.automatic import AutomaticMasks, AutomaticSettings


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mask that wants to be a segment.

    ``mask_logits`` (h, w) are floats, above 0 inside; they cover the whole picture and may be of
    lower resolution (SAM 2's own quarter), then they are resized bilinearly piece by piece.
    ``category`` is None for a mask that no word names. ``score`` in [0, 1] is what it contests
    with; ``evidence`` is what is known for the quality score (``visible`` is filled in here).
    """

    mask_logits: np.ndarray
    category: CategoryLike | None
    score: float
    evidence: Evidence = field(default_factory=Evidence)

    def __post_init__(self) -> None:
        logits = np.asarray(self.mask_logits)
        if logits.ndim != 2 or not logits.size or not np.issubdtype(logits.dtype, np.floating):
            raise ValueError(
                f"mask_logits must be floats (h, w), got {logits.dtype} {logits.shape}; "
                "a bool mask is where(mask, 10.0, -10.0)"
            )
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"the score of a candidate must be in [0, 1], got {self.score}")
        object.__setattr__(self, "mask_logits", logits)

    @property
    def is_thing(self) -> bool:
        return self.category is None or self.category.is_thing


_SURE = 10.0  # logit of a mask that is only known as yes or no


def as_image_masks(found: ThingMasks, size: tuple[int, ...]) -> ImageMasks:
    """A detector's own masks as SAM 2 gives them, but for the estimate of their IoU (NaN)."""
    import torch

    logits = torch.from_numpy(found.logits)[:, None]
    unknown = torch.full((len(found), 1), torch.nan)
    presence = torch.logit(torch.from_numpy(found.boxes.scores), eps=1e-6)
    return ImageMasks(logits, unknown, presence, (size[0], size[1]))


def thing_candidates(
    boxes: Boxes, answers: ImageMasks | None, vocabulary: Vocabulary
) -> list[Candidate]:
    """A candidate a box, from the first mask of each answer; none without answers."""
    if answers is None:
        return []
    stability = answers.stability().clamp(0, 1)
    candidates = []
    for i in range(len(boxes)):
        logits = answers.logits[i, 0].cpu().numpy()
        height, width = answers.size
        cell = np.array([width / logits.shape[1], height / logits.shape[0]] * 2)
        evidence = Evidence(
            confidence=float(boxes.confidences[i]),
            margin=None if np.isnan(boxes.margins[i]) else float(boxes.margins[i]),
            predicted_iou=None if answers.iou[i, 0].isnan() else float(answers.iou[i, 0]),
            stability=float(stability[i, 0]),
            agreement=box_agreement(logits > 0, boxes.xyxy[i] / cell),
            size=resolved(float((logits > 0).mean())),
        )
        category = vocabulary.by_id(int(boxes.category_ids[i]))
        candidates.append(Candidate(logits, category, float(boxes.scores[i]), evidence))
    return candidates


def stuff_candidates(
    masks: Sequence[StuffMask], margins: Sequence[float], vocabulary: Vocabulary
) -> list[Candidate]:
    """A candidate a region, with the mask that was chosen for it and its margin, see
    ``region_margins``."""
    return [
        Candidate(
            mask.logits,
            vocabulary.by_id(mask.region.category_id),
            min(mask.region.score, 1.0),
            Evidence(
                margin=margin,
                predicted_iou=mask.predicted_iou,
                stability=mask.stability,
                agreement=mask.agreement,
            ),
        )
        for mask, margin in zip(masks, margins, strict=True)
    ]


def region_margins(regions: Sequence[Region], heatmaps: Heatmaps, background: float) -> list[float]:
    """Of every region the mean lead of its word over the next one there, or over the background.

    ``heatmaps`` are those that the regions were found in, ``background`` the probability below
    which no word is meant.
    """
    row_of = {int(category_id): row for row, category_id in enumerate(heatmaps.category_ids)}
    margins = []
    for region in regions:
        row = row_of[region.category_id]
        # Not all of the heatmaps at once: their pixels in a region are a copy, and many.
        own = heatmaps.probabilities[row][region.mask]
        rivals = np.full_like(own, background)
        for other, heat in enumerate(heatmaps.probabilities):
            if other != row:
                np.maximum(rivals, heat[region.mask], out=rivals)
        margins.append(float(lead(own, rivals).mean()))
    return margins


def automatic_candidates(
    segmenter: Segmenter, picture: np.ndarray, settings: AutomaticSettings, side: int
) -> list[Candidate]:
    """Candidates that no word names, of the picture (H, W, 3), with masks of at most ``side``
    pixels: many of them at a large picture's own size would not fit into memory."""
    candidates = []
    for found in AutomaticMasks(segmenter, settings).generate(picture):
        mask = shrink(found.mask().astype(np.uint8) * 255, side)
        evidence = Evidence(predicted_iou=found.iou, stability=found.stability)
        logits = (mask / 255 - 0.5).astype(np.float32) * 2 * _SURE
        candidates.append(Candidate(logits, None, found.iou, evidence))
    return candidates


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with its longer side at most ``side`` pixels, and no side below one."""
    height, width = within(picture.shape, side)
    if (height, width) == picture.shape[:2]:
        return picture
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def within(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width of a picture of this size with its longer side at most ``side``."""
    height, width = size[0], size[1]
    scale = side / max(height, width)
    if scale >= 1:
        return height, width
    return max(1, round(height * scale)), max(1, round(width * scale))
