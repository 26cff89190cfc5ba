"""Regions that a person drew in another tool, and the label that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


@dataclass(frozen=True)
class Region:
    """One region of a corrected label: its pixels, bool (H, W), and the name of its category.

    ``id`` is that of the segment that it was, None for a new one.
    """

    mask: np.ndarray
    category: str
    id: int | None


def paint(
    regions: Sequence[Region], size: tuple[int, int], vocabulary: Vocabulary
) -> PanopticSegmentation:
    """Regions one upon the other, later ones on top, as a label of ``size`` (height, width).

    Those of one id and category are one segment; scores are 1. Raises ``CorrectionError`` for a
    region of another size, or of a category that the vocabulary doesn't have.
    """
    ids = np.zeros(size, np.int32)
    segments: dict[int, Segment] = {}
    used = {region.id for region in regions}
    free = iter(number for number in range(1, len(regions) + len(used) + 2) if number not in used)
    for region in regions:
        if region.mask.shape != size:
            height, width = region.mask.shape
            raise CorrectionError(f"it is {width} x {height}, the picture is {size[1]} x {size[0]}")
        if region.category not in vocabulary:
            known = ", ".join(c.name for c in vocabulary)
            raise CorrectionError(f"no category is called {region.category!r}; there are {known}")
        category = vocabulary.by_name(region.category)
        number = region.id if region.id is not None and region.id > 0 else next(free)
        if number in segments and segments[number].category_id != category.id:
            number = next(free)
        segments[number] = Segment(number, category.id, category.name, category.is_thing, 1.0)
        ids[region.mask] = number
    return PanopticSegmentation.from_ids(ids, segments.values())
