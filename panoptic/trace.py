"""Trace: every step on the way from words and picture to the labelled picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detectors.base import Boxes, Heatmaps
from panoptic.explain import Explanation
from panoptic.merge import Candidate, MergeReport
from panoptic.segmentation import PanopticSegmentation
from panoptic.stuff_masks import StuffMask
from prompts import Vocabulary
from prompts.regions import Region
from prompts.spatial import Prompt
from sam2core import ImageMasks

if TYPE_CHECKING:
    from panoptic.pipeline import PipelineSettings


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
    settings: PipelineSettings

    @property
    def result(self) -> PanopticSegmentation:
        return self.report.result

    def explain(self) -> Explanation:
        """The steps as pictures and tables."""
        return Explanation.of(self)

    def save(self, folder: str | Path) -> Path:
        """Writes the steps as pictures and tables into a folder, see ``Explanation.save``."""
        return self.explain().save(folder)
