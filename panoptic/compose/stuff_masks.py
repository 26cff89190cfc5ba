"""From stuff regions to stuff masks: ask SAM 2 with points, and weigh its answer with the heat.

SAM 2 knows where outlines are, but not what the words mean: asked for a meadow by some points, it
may outline one half of it, or the meadow and the path. The heatmap knows what is meant, but its
outlines are uncertain by a patch of 16 pixels. Both give log-odds at every pixel, so they are
added, each held within a bound beyond which it is not to be believed: the outline is SAM 2's where
the heatmap wavers, and the heatmap's where SAM 2 wavers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from detectors.base import Heatmaps
from panoptic.results.masks import mask_agreement
from panoptic.settings.compose import StuffMaskSettings
from prompts.regions import Region
from sam2core import ImageMasks

_EDGE = 1e-3  # probabilities are kept this far from 0 and 1 before their log-odds are taken


@dataclass(frozen=True, eq=False)
class StuffMask:
    """What was taken for a region: ``logits`` (h, w), and why.

    ``chosen`` is which of SAM 2's masks, or None where the heat stands alone. ``agreement`` is the
    IoU of the best of SAM 2's masks with the region.
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
    heatmaps: Heatmaps,
    background: float,
    settings: StuffMaskSettings | None = None,
    leads: np.ndarray | None = None,
) -> list[StuffMask]:
    """Of the masks that SAM 2 gave for each region the one that agrees with it best, and the heat.

    ``answers`` has a row a region; ``background`` is the probability below which no word is meant.
    Masks have the resolution of SAM 2's logits. ``leads`` are ``word_leads`` at that, where they
    are known already.
    """
    settings = settings or StuffMaskSettings()
    if not regions:
        return []
    size = (answers.logits.shape[2], answers.logits.shape[3])
    if leads is None:
        leads = word_leads(heatmaps, background, size)
    row_of = {int(category_id): i for i, category_id in enumerate(heatmaps.category_ids)}
    stability = answers.stability().cpu().numpy()
    chosen = []
    for i, region in enumerate(regions):
        logits = answers.logits[i].cpu().numpy()
        wanted = _shrunk(region.mask, size) > 0.5
        scores = [mask_agreement(mask > 0, wanted) for mask in logits]
        best = int(np.argmax(scores))
        heat = leads[row_of[region.category_id]].clip(-settings.bound, settings.bound)
        if scores[best] >= settings.min_agreement:
            fused = logits[best].clip(-settings.bound, settings.bound) + heat
            signals = float(answers.iou[i, best]), float(stability[i, best])
            chosen.append(StuffMask(region, fused.astype(np.float32), best, scores[best], *signals))
        else:
            chosen.append(
                StuffMask(region, heat.astype(np.float32), None, scores[best], None, None)
            )
    return chosen


def word_leads(heatmaps: Heatmaps, background: float, size: tuple[int, int]) -> np.ndarray:
    """By how much each word's log-odds lead its best rival's, or the background's: (K, h, w).

    ``background`` is the probability below which no word is meant, ``size`` (h, w).
    """
    small = np.stack([_shrunk(heat, size) for heat in heatmaps.probabilities])
    odds = _log_odds(small)
    best = odds.argmax(0)
    floor = _log_odds(np.float32(background))
    if len(odds) == 1:
        return odds - floor
    second, first = np.partition(odds, -2, axis=0)[-2:]
    rival = np.where(np.arange(len(odds))[:, None, None] == best, second, first)
    return odds - np.maximum(rival, floor)


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    kept = np.clip(probabilities, _EDGE, 1 - _EDGE)
    return np.log(kept / (1 - kept))


def _shrunk(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (H, W) at another size, float32: means over the cells."""
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX))
