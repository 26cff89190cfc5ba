"""Whether masks are carried across cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True)
class CutCount:
    """So many cuts, and across how many of them no mask was carried."""

    cuts: int = 0
    clean: int = 0

    def __add__(self, other: CutCount) -> CutCount:
        return CutCount(self.cuts + other.cuts, self.clean + other.clean)

    @property
    def clean_share(self) -> float:
        """nan without any cut."""
        return self.clean / self.cuts if self.cuts else float("nan")


def count_cuts(
    labelled: Sequence[PanopticSegmentation],
    truth: Sequence[PanopticSegmentation],
    cuts: Sequence[int],
) -> CutCount:
    """Counts the cuts of a clip. A mask is carried across one if its id is in the last frame
    before and in the first frame after, and what it mostly covers isn't the same true segment.
    """
    clean = sum(not carried(*labelled[c - 1 : c + 1], *truth[c - 1 : c + 1]) for c in cuts)
    return CutCount(len(cuts), clean)


def carried(
    before: PanopticSegmentation,
    after: PanopticSegmentation,
    true_before: PanopticSegmentation,
    true_after: PanopticSegmentation,
) -> tuple[int, ...]:
    """The ids that were carried from one frame to the next though what they are on changed."""
    common = {s.id for s in before} & {s.id for s in after}
    return tuple(
        id
        for id in sorted(common)
        if _mostly(true_before, before.mask(id)) != _mostly(true_after, after.mask(id))
    )


def _mostly(truth: PanopticSegmentation, mask: np.ndarray) -> int:
    """The true id, 0 included, that most pixels of a mask have."""
    ids, counts = np.unique(truth.ids[mask], return_counts=True)
    return int(ids[counts.argmax()])
