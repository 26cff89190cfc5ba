"""Stuff: regions of the heatmaps where no thing is, asked of the segmenter by points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detectors.base import Heatmaps
from panoptic.compose.candidates import Candidate, region_margins, stuff_candidates
from panoptic.compose.kept_stages import Keep, anew
from panoptic.compose.named_twice import named_twice
from panoptic.compose.stuff_masks import StuffMask, choose_stuff_masks, word_leads
from panoptic.settings.tree import Settings
from prompts import Vocabulary
from prompts.regions import LikeliestWords, Region, find_regions
from prompts.sampling import sample_prompts
from prompts.spatial import Prompt
from sam2core import ImageMasks, Segmenter


@dataclass(frozen=True, eq=False)
class StuffRegions:
    """Where the stuff words are to be asked for, at the size of the heatmaps.

    ``named_twice`` are the things, by number, that are the area of a stuff word: its id and the
    IoU. ``covered`` bool (h, w) says where the others are. ``prompt`` are the points, a row a
    region, ``margins`` the lead of each region's word over the next.
    """

    named_twice: Mapping[int, tuple[int, float]]
    covered: np.ndarray
    regions: tuple[Region, ...]
    prompt: Prompt
    margins: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FoundStuff:
    """A mask and a candidate a region."""

    masks: tuple[StuffMask, ...]
    candidates: tuple[Candidate, ...]


def stuff_regions(
    thing_masks: ImageMasks | None, heatmaps: Heatmaps, settings: Settings, keep: Keep = anew
) -> StuffRegions:
    """The regions of the stuff words, without the things."""
    # Everything about regions happens at the size of the heatmaps.
    size = (heatmaps.probabilities.shape[1], heatmaps.probabilities.shape[2])
    background = settings.regions.background
    small = [] if thing_masks is None else [m[0] for m in replace(thing_masks, size=size)]
    are_stuff = named_twice(small, heatmaps, background, settings.merge.named_twice)
    covered = np.zeros(size, dtype=bool)
    for number, mask in enumerate(small):
        if number not in are_stuff:
            covered |= mask
    likeliest = None
    if len(heatmaps):
        likeliest = keep("likeliest", (size,), lambda: LikeliestWords.of(heatmaps.probabilities))
    regions = find_regions(
        heatmaps.probabilities, heatmaps.category_ids, covered, settings.regions, likeliest
    )
    # Other levels often leave the same regions.
    areas = (size, *((region.category_id, region.mask.tobytes()) for region in regions))
    prompt = keep(
        "points",
        (areas, settings.sampling, settings.seed),
        lambda: sample_prompts(regions, settings.sampling, settings.seed),
    )
    margins = keep(
        "margins", (areas, background), lambda: region_margins(regions, heatmaps, background)
    )
    return StuffRegions(are_stuff, covered, regions, prompt, tuple(margins))


def find_stuff(
    segmenter: Segmenter,
    asked: StuffRegions,
    heatmaps: Heatmaps,
    encoded: Any,
    vocabulary: Vocabulary,
    settings: Settings,
    keep: Keep,
) -> FoundStuff:
    """Masks of the stuff words in a picture that is ``encoded``."""
    if not asked.regions:
        return FoundStuff((), ())
    height, width = encoded.size
    size = rows, columns = asked.covered.shape
    scale = np.array([width / columns, height / rows], np.float32)
    points = (asked.prompt.points_nk2 + 0.5) * scale - 0.5
    points = np.clip(points, 0, [width - 1, height - 1])
    labels = asked.prompt.labels_nk
    answers = keep(
        "stuff answers",
        (points.tobytes(), labels.tobytes()),
        lambda: segmenter.segment(points, labels, multimask=True, image=encoded),
    )
    background = settings.regions.background
    grid = (answers.logits.shape[2], answers.logits.shape[3])
    leads = keep("leads", (background, size, grid), lambda: word_leads(heatmaps, background, grid))
    masks = choose_stuff_masks(
        asked.regions, answers, heatmaps, background, settings.stuff_masks, leads
    )
    candidates = stuff_candidates(masks, asked.margins, vocabulary)
    return FoundStuff(tuple(masks), tuple(candidates))
