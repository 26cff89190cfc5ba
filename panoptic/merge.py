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
from dataclasses import dataclass, field, replace

import numpy as np

from panoptic.cleanup import FREE, fill_gaps
from panoptic.merge_round import Outcome, Round
from panoptic.quality import Evidence, QualityModel
from panoptic.segmentation import CategoryLike, PanopticSegmentation


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


@dataclass(frozen=True)
class MergeSettings:
    """How masks become one map. Areas are parts of the picture, lengths parts of its
    sqrt(height x width), so that they mean the same at any size."""

    mask_threshold: float = 0.0
    """Logit above which a pixel belongs to a mask: where SAM 2 itself cuts."""
    stuff_weight: float = 0.2
    """Factor on the claims of stuff. Scores of boxes and of heatmaps are not comparable, and stuff
    is by definition what the things left: 0.2 lets a thing at the recipe's box threshold (0.35)
    win wherever its mask says yes (0.35 x 0.6 > 0.2), even against certain stuff."""
    min_visible: float = 0.5
    """Share of its mask that a thing must keep. SAM 2 masks what is visible, so a mask that lost
    more than half is mostly someone else's: a duplicate or a false alarm."""
    inside_share: float = 0.5
    """A thing that would vanish under a larger one of another category gets its pixels if it is
    smaller than this share of it: it is in front of it or a part of it. 0 turns this off."""
    min_thing_area: float = 0.0002
    """Smallest thing: 8 x 8 pixels of a 640 x 480 picture; below that, masks are noise."""
    min_stuff_area: float = 0.005
    """Smallest stuff segment. COCO's own merging drops stuff below 64 x 64 of 640 x 480 pixels
    (0.013); words asked on purpose deserve the benefit of the doubt."""
    min_unknown_area: float = 0.003
    """Smallest segment filled in without a word: nobody asked for it, so crumbs are not wanted."""
    min_fragment: float = 0.0002
    """Connected pieces below this are freed, unless the segment has no larger one."""
    min_fragment_share: float = 0.02
    """For things also pieces below this share of the largest one: what an occluder cuts off is
    larger, what a mask decoder splashes elsewhere is smaller."""
    max_hole: float = 0.001
    """Unlabelled pieces up to this size are given to the segment around them."""
    seam: float = 0.004
    """Half the width of unlabelled seams that are closed: two masks that meet leave a gap of
    about one sample of the mask decoder, 1/256 of the picture."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name != "mask_threshold" and not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {value}")


@dataclass(frozen=True)
class Fate:
    """What became of a candidate: its segment's id, or None and the reason."""

    segment_id: int | None
    reason: str = ""


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
    ids: np.ndarray, outcomes: list[Outcome]
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
