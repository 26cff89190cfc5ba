"""Trace: every step on the way from words and picture to the labelled picture, and its essence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detectors.base import Boxes, Heatmaps
from panoptic.compose.candidates import Candidate
from panoptic.compose.merge import MergeReport
from panoptic.compose.stuff_masks import StuffMask
from panoptic.results.explanation import Explanation, Fate, KeptMask, RegionStep, WordStep
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from prompts.regions import Region
from prompts.spatial import POSITIVE, Prompt
from sam2core import ImageMasks

if TYPE_CHECKING:
    from panoptic.settings.tree import Settings


# Longer side in pixels at which heatmaps and regions are kept. They come from a model that sees
# 352 pixels in patches of 16, so more would be interpolation.
_HEAT_SIDE, _REGION_SIDE = 160, 320


def _step(shape: tuple[int, ...], side: int) -> int:
    return max(1, -(-max(shape) // side))


def _region_map(trace: Trace) -> np.ndarray:
    region_of = np.zeros(trace.covered.shape, np.int16)
    for number, region in enumerate(trace.regions, start=1):
        region_of[region.mask] = number
    return region_of


def _thing_masks(trace: Trace) -> tuple[KeptMask, ...]:
    if trace.thing_masks is None:
        return ()
    logits = trace.thing_masks.logits[:, 0].cpu().numpy()
    return tuple(
        KeptMask.of(mask > 0, c.evidence.predicted_iou, c.evidence.stability, c.evidence.agreement)
        for mask, c in zip(logits, trace.candidates, strict=False)
    )


def _words(trace: Trace) -> tuple[WordStep, ...]:
    heat = trace.heatmaps.probabilities
    areas = dict.fromkeys(trace.heatmaps.category_ids.tolist(), 0.0)
    if len(heat):
        step = _step(heat.shape[1:], _REGION_SIDE)
        small = heat[:, ::step, ::step]
        likeliest = small.argmax(0)
        likeliest[(small.max(0) < trace.settings.regions.background)] = -1
        likeliest[trace.covered[::step, ::step]] = -1
        for index, category_id in enumerate(areas):
            areas[category_id] = float((likeliest == index).mean())
    return tuple(
        WordStep(
            trace.vocabulary.by_id(category_id), float(h.max()), float(h.mean(dtype=float)), share
        )
        for h, (category_id, share) in zip(heat, areas.items(), strict=True)
    )


def _regions(trace: Trace, fates: tuple[Fate, ...]) -> tuple[RegionStep, ...]:
    return tuple(
        RegionStep(
            category=trace.vocabulary.by_id(stuff.region.category_id),
            area=stuff.region.area / stuff.region.mask.size,
            score=stuff.region.score,
            chosen=stuff.chosen,
            mask=KeptMask.of(
                stuff.logits > 0, stuff.predicted_iou, stuff.stability, stuff.agreement
            ),
            fate=fate,
        )
        for stuff, fate in zip(trace.stuff_masks, fates, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Trace:
    """What each stage of the pipeline saw and said, for one picture.

    ``boxes`` with scores; ``thing_masks`` what SAM 2 gave for them (None without boxes);
    ``heatmaps`` of the stuff words, at working resolution (h, w), at which ``covered`` (h, w) says
    where the thing masks are and ``regions`` were found; ``prompt`` the sampled points, one row a
    region, in pixels of the working resolution; ``stuff_masks`` what was taken for each region;
    ``candidates`` what went into the merge (things in the order of the boxes, then stuff in the
    order of the regions); ``report`` the merge, with the fate of each of them.
    """

    picture: np.ndarray
    vocabulary: Vocabulary
    boxes: Boxes
    thing_masks: ImageMasks | None
    heatmaps: Heatmaps
    covered: np.ndarray
    regions: tuple[Region, ...]
    prompt: Prompt
    stuff_masks: tuple[StuffMask, ...]
    candidates: tuple[Candidate, ...]
    report: MergeReport
    settings: Settings

    @property
    def result(self) -> PanopticSegmentation:
        return self.report.result

    def explain(self) -> Explanation:
        """The steps as pictures and tables."""
        return explanation_of(self)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Writes the steps as pictures and tables into a folder, see ``Explanation.save``."""
        return self.explain().save(folder, overwrite=overwrite)


def explanation_of(trace: Trace) -> Explanation:
    """The explanation of a trace."""
    count, fates = len(trace.boxes), trace.report.fates
    heat = trace.heatmaps.probabilities
    step = _step(heat.shape[1:], _HEAT_SIDE)
    size = np.array([trace.covered.shape[1], trace.covered.shape[0]])
    small = _step(trace.covered.shape, _REGION_SIDE)
    return Explanation(
        result=trace.result,
        vocabulary=trace.vocabulary,
        background=trace.settings.regions.background,
        boxes=trace.boxes,
        thing_masks=_thing_masks(trace),
        thing_fates=fates[:count],
        words=_words(trace),
        heat=(heat[:, ::step, ::step] * 255).astype(np.uint8),
        region_of=_region_map(trace)[::small, ::small].copy(),
        covered=trace.covered[::small, ::small].copy(),
        points=tuple(
            (row[labels == POSITIVE] + 0.5) / size
            for row, labels in zip(trace.prompt.points_nk2, trace.prompt.labels_nk, strict=True)
        ),
        regions=_regions(trace, fates[count:]),
    )
