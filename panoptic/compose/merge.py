"""From overlapping masks with scores to one id map, in which every pixel belongs to one segment.

1. Things are settled among themselves: a pixel goes to the highest claim, score x sigmoid(mask
   logit). Those that are left with too little (duplicates, false alarms) are taken out one by one,
   the worst off first, and their pixels contested anew. A small thing inside a large one of another
   category (a tie on a person) gets its pixels instead.
2. A pixel that a thing has is the thing's. Stuff is settled on the others, each going to the most
   probable mask. Scores of boxes and heat of words are of different scales and are never compared.
3. What no word claims may be filled from class-agnostic masks, by the same contest.
4. Crumbs are freed after each of these, thin seams closed at the end.

The result does not depend on the order of the candidates. Steps 1 and 2 are each the per-pixel
argmax of MaskFormer (arXiv 2107.06278, section 3.4) on masks from different models; the rule that
things come before stuff is that of Panoptic FPN (arXiv 1901.02446, section 3).
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
    left_out: Mapping[int, str] | None = None,
) -> MergeReport:
    """As ``merge``, with what became of every candidate. ``left_out`` are the places of those that
    don't take part, and why."""
    settings = settings or MergeSettings()
    quality = quality or QualityModel()
    if any(c.category is None for c in candidates) or any(c.category is not None for c in unknown):
        raise ValueError("every candidate needs a category, and unknown ones have none")
    everything = [*candidates, *unknown]
    left_out = left_out or {}
    given = [i for i in range(len(candidates)) if i not in left_out]
    parts = (
        ([i for i in given if candidates[i].is_thing], 0.0),
        ([i for i in given if not candidates[i].is_thing], settings.min_stuff_area),
        (list(range(len(candidates), len(everything))), settings.min_unknown_area),
    )
    owner = np.full(size, FREE, np.int32)
    fates = [Fate(None, left_out.get(i, "")) for i in range(len(everything))]
    outcomes: list[RoundOutcome] = []
    offset = 0
    for members, least in parts:
        part = Round([everything[i] for i in members], size, settings, owner == FREE)
        found = part.settle(least)
        np.copyto(owner, found + offset, where=found != FREE)
        for number, reason in part.reasons.items():
            fates[members[number]] = Fate(None, reason)
        for outcome in part.outcomes(quality, offset):
            outcomes.append(
                replace(outcome, candidates=tuple(members[i] for i in outcome.candidates))
            )
        offset += len(members)
    fill_gaps(owner, settings.seam * (size[0] * size[1]) ** 0.5)
    result, numbers = _numbered(owner + 1, outcomes)
    for outcome in outcomes:
        for i in outcome.candidates:
            fates[i] = Fate(numbers[outcome.segment.id])
    evidence = {numbers[o.segment.id]: o.evidence for o in outcomes}
    count = len(candidates)
    return MergeReport(result, tuple(fates[:count]), tuple(fates[count:]), evidence)


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
