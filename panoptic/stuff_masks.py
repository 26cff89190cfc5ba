"""From stuff regions to stuff masks: ask SAM 2 with points, and check what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from panoptic.quality import mask_agreement
from prompts.regions import Region
from sam2core import ImageMasks


@dataclass(frozen=True)
class StuffMaskSettings:
    """When SAM 2's answer for a region is believed."""

    min_agreement: float = 0.5
    """Least IoU of a mask with its region. Below, SAM 2 has outlined something else (a part, a
    thing on top, the whole picture), and the region itself is the better mask."""
    fallback_logit: float = 2.0
    """Logit of a pixel inside a region that stands for its own mask: sigmoid 0.88, so that it
    gives way to a mask of SAM 2's that is sure of a pixel."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1 or self.fallback_logit <= 0:
            raise ValueError(
                "expected min_agreement in [0, 1] and fallback_logit > 0, got "
                f"{self.min_agreement} and {self.fallback_logit}"
            )


@dataclass(frozen=True, eq=False)
class StuffMask:
    """What was taken for a region: ``logits`` (h, w), and why.

    ``chosen`` is which of SAM 2's masks, or None where the region stands for itself.
    ``agreement`` is the IoU of the best of SAM 2's masks with the region.
    """

    region: Region
    logits: np.ndarray
    chosen: int | None
    agreement: float
    predicted_iou: float | None
    stability: float | None


def choose_stuff_masks(
    regions: Sequence[Region],
    answers: ImageMasks,
    things: np.ndarray,
    settings: StuffMaskSettings | None = None,
) -> list[StuffMask]:
    """Of the masks that SAM 2 gave for each region the one that agrees with it best.

    Pixels of ``things`` (H, W), bool, count neither for nor against: a mask may go on behind
    them. Agreement is measured at the resolution of the logits, at which a mask is decided.
    """
    settings = settings or StuffMaskSettings()
    chosen = []
    stability = answers.stability().cpu().numpy()
    for i, region in enumerate(regions):
        logits = answers.logits[i].cpu().numpy()
        size = logits.shape[1:]
        wanted, hidden = _shrunk(region.mask, size), _shrunk(things, size)
        scores = [mask_agreement((mask > 0) & ~hidden, wanted & ~hidden) for mask in logits]
        best = int(np.argmax(scores))
        if scores[best] >= settings.min_agreement:
            iou = float(answers.iou[i, best])
            chosen.append(
                StuffMask(region, logits[best], best, scores[best], iou, float(stability[i, best]))
            )
        else:
            own = np.where(region.mask, settings.fallback_logit, -settings.fallback_logit)
            chosen.append(StuffMask(region, own.astype(np.float32), None, scores[best], None, None))
    return chosen


def _shrunk(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A bool mask at another size: cells that are mostly inside."""
    resized = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (size[1], size[0]), Image.Resampling.BOX
    )
    return np.asarray(resized) > 127
