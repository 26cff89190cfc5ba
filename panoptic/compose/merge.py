"""From overlapping masks with scores to one id map, in which every pixel belongs to one segment.

1. Every pixel goes to the highest claim, score x sigmoid(mask logit); things claim before stuff.
2. Segments that are left with too little (duplicates, false alarms) are taken out one by one, the
   worst off first, and their pixels contested anew. A small thing inside a large one of another
   category (a tie on a person) gets its pixels instead.
3. What no word claims may be filled from class-agnostic masks, by the same contest.
4. Crumbs are freed, small holes and thin seams closed.

The result does not depend on the order of the candidates. Step 1 is the per-pixel argmax of
MaskFormer (arXiv 2107.06278, section 3.4) on masks from different models; the rule that things
come before stuff is that of Panoptic FPN (arXiv 1901.02446, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from panoptic.compose.candidates import Candidate
from panoptic.compose.cleanup import FREE, fill_gaps
from panoptic.compose.merge_round import Round, RoundOutcome
from panoptic.compose.quality import Evidence, QualityModel
from panoptic.results.explanation import Fate
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.compose import MergeSettings


@dataclass(frozen=True)
class MergeReport:
    """A merge with what is needed to understand it and to fit the quality score.

    ``fates`` and ``unknown_fates`` are in the order in which the candidates were given;
    ``evidence`` is what each segment's quality was worked out from, by segment id.
    """

    result: PanopticSegmentation
    fates: tuple[Fate, ...]
    unknown_fates: tuple[Fate, ...]
    evidence: Mapping[int, Evidence]


def merge(
    candidates: Sequence[Candidate],
    size: tuple[int, int],
    settings: MergeSettings | None = None,
    *,
    unknown: Sequence[Candidate] = (),
    quality: QualityModel | None = None,
) -> PanopticSegmentation:
    """One map of ``size`` (height, width): things one by one, stuff one segment per category.

    ``unknown`` are masks without category that may fill what is left, as "unknown" segments.
    Segments come things first, by score; their ids count from 1. Raises ``ValueError`` if a
    candidate has no category or an unknown one has.
    """
    return explain_merge(candidates, size, settings, unknown=unknown, quality=quality).result


def explain_merge(
    candidates: Sequence[Candidate],
    size: tuple[int, int],
    settings: MergeSettings | None = None,
    *,
    unknown: Sequence[Candidate] = (),
    quality: QualityModel | None = None,
) -> MergeReport:
    """As ``merge``, with what became of every candidate."""
    settings = settings or MergeSettings()
    quality = quality or QualityModel()
    if any(c.category is None for c in candidates) or any(c.category is not None for c in unknown):
        raise ValueError("every candidate needs a category, and unknown ones have none")
    named = Round(candidates, size, settings)
    owner = named.settle(settings.min_thing_area, settings.min_stuff_area)
    outcomes = named.outcomes(quality)
    rest = Round(unknown, size, settings, arena=owner == FREE)
    if unknown:
        filled = rest.settle(settings.min_unknown_area, 0.0)
        np.copyto(owner, filled + len(candidates), where=filled != FREE)
        outcomes += rest.outcomes(quality, offset=len(candidates))
    pixels = size[0] * size[1]
    fill_gaps(owner, settings.max_hole * pixels, settings.seam * pixels**0.5)
    result, numbers = _numbered(owner + 1, outcomes)
    fates = []
    for part, given in ((named, candidates), (rest, unknown)):
        reasons = [Fate(None, part.reasons.get(i, "")) for i in range(len(given))]
        for outcome in outcomes:
            if outcome.round is part:
                for i in outcome.candidates:
                    reasons[i] = Fate(numbers[outcome.segment.id])
        fates.append(tuple(reasons))
    evidence = {numbers[o.segment.id]: o.evidence for o in outcomes}
    return MergeReport(result, fates[0], fates[1], evidence)


def _numbered(
    ids: np.ndarray, outcomes: list[RoundOutcome]
) -> tuple[PanopticSegmentation, dict[int, int]]:
    """Ids from 1 on: things by score, stuff by category, then the unknown. And the new by old."""
    ordered = sorted(
        (o.segment for o in outcomes),
        key=lambda s: (s.is_unknown, not s.is_thing, -s.score if s.is_thing else s.category_id),
    )
    numbers = {s.id: number for number, s in enumerate(ordered, start=1)}
    lookup = np.zeros(1 + max(numbers, default=0), np.int32)
    for old, new in numbers.items():
        lookup[old] = new
    segments = [replace(s, id=numbers[s.id]) for s in ordered]
    return PanopticSegmentation.from_ids(lookup[ids], segments), numbers
