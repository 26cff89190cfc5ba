"""A label of a picture corrected by hand: a click, a box, another name, something taken out.

What a person says goes before what was there: a mask that was clicked or boxed takes its pixels
from whoever had them, and what a segment loses is nobody's. What was touched has score and quality
1, as it was vouched for. ``encoded`` is the picture as the segmenter sees it
(``Segmenter.encode``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from panoptic.compose.cleanup import fill_gaps
from panoptic.results.segment import CategoryLike, Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.compose import MergeSettings
from sam2core import Segmenter

_SURE = 16.0
"""Logit of a mask that is known exactly, as a session of a video has it."""


@dataclass(frozen=True)
class Click:
    """A pixel (x, y) that belongs to a segment, or doesn't."""

    x: float
    y: float
    positive: bool = True


def clicked(
    label: PanopticSegmentation,
    segment_id: int,
    clicks: Sequence[Click],
    segmenter: Segmenter,
    encoded: Any,
) -> PanopticSegmentation:
    """The label, as it was before the first of the clicks, with a segment as they all say.

    The mask that it had is the prompt that the clicks refine (SAM 2, arXiv 2408.00714, section 4).
    ``KeyError`` if there is no such segment, ``ValueError`` for a point outside of the picture and
    where nothing is left.
    """
    for click in clicks:
        _check(click, label)
    segment = label.segment(segment_id)
    answer = segmenter.segment(
        points=np.array([[[c.x, c.y] for c in clicks]]),
        labels=np.array([[int(c.positive) for c in clicks]]),
        mask_logits=_logits(label.mask(segment_id), segmenter.mask_size)[None],
        image=encoded,
    ).best()
    mask = next(iter(answer))[0]
    if not mask.any():
        raise ValueError(
            "nothing is left of the segment by these clicks: delete it, or undo and click elsewhere"
        )
    return with_mask(label, replace(segment, score=1.0, quality=1.0), mask)


def boxed(
    label: PanopticSegmentation,
    box: Sequence[float],
    category: CategoryLike,
    segmenter: Segmenter,
    encoded: Any,
) -> PanopticSegmentation:
    """The label with what a box (xyxy, in pixels) is around; of stuff that is there, one more part.

    ``ValueError`` for a box without area in the picture.
    """
    height, width = label.ids.shape
    x0, y0, x1, y1 = np.clip(np.asarray(box, float), 0, [width, height, width, height]).tolist()
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"the box {list(box)} has no area in the picture, {width} x {height}")
    answer = segmenter.segment(boxes=np.array([[x0, y0, x1, y1]]), image=encoded).best()
    mask = next(iter(answer))[0]
    if not mask.any():
        raise ValueError("nothing was outlined in this box: draw another one")
    known = _stuff_of(label, category)
    if known is not None:
        return with_mask(label, replace(known, score=1.0, quality=1.0), mask | label.mask(known.id))
    id = max((s.id for s in label), default=0) + 1
    new = Segment(id, category.id, category.name, category.is_thing, 1.0, quality=1.0)
    return with_mask(label, new, mask)


def relabelled(
    label: PanopticSegmentation, segment_id: int, category: CategoryLike
) -> PanopticSegmentation:
    """The label with another word for a segment. What becomes stuff that is there is part of it."""
    segment = label.segment(segment_id)
    known = _stuff_of(label, category)
    if known is not None and known.id != segment_id:
        mask = label.mask(segment_id) | label.mask(known.id)
        rest = removed(label, segment_id)
        return with_mask(rest, replace(known, score=1.0, quality=1.0), mask)
    named = replace(
        segment, category_id=category.id, category=category.name, is_thing=category.is_thing,
        score=1.0, quality=1.0,
    )  # fmt: skip
    segments = [named if s.id == segment_id else s for s in label]
    return PanopticSegmentation.from_ids(label.ids, segments, label.image)


def removed(label: PanopticSegmentation, segment_id: int) -> PanopticSegmentation:
    """The label without a segment; its pixels are nobody's."""
    label.segment(segment_id)
    ids = np.where(label.ids == segment_id, 0, label.ids)
    return PanopticSegmentation.from_ids(ids, [s for s in label if s.id != segment_id], label.image)


def with_mask(
    label: PanopticSegmentation, segment: Segment, mask: np.ndarray
) -> PanopticSegmentation:
    """The label with a segment, new or known by its id, that covers a mask bool (H, W), no more.

    Segments that lose all their pixels go. Of what the segment itself loses, seams beside others
    become theirs, and the rest is nobody's.
    """
    lost = (label.ids == segment.id) & ~mask
    ids = np.where(lost, 0, label.ids)
    ids[mask] = segment.id
    segments = {s.id: s for s in label} | {segment.id: segment}
    if lost.any():
        known = np.array([0, *sorted(segments)])
        owner = (np.searchsorted(known, ids) - 1).astype(np.int32)  # 0 becomes -1, FREE
        fill_gaps(owner, MergeSettings().seam * ids.size**0.5)
        filled = known[owner + 1]
        ids = np.where(lost & (filled != segment.id), filled, ids)
    return PanopticSegmentation.from_ids(ids, segments.values(), label.image)


def _stuff_of(label: PanopticSegmentation, category: CategoryLike) -> Segment | None:
    """The one segment of a stuff category, where there is one."""
    if category.is_thing:
        return None
    return next((s for s in label if s.category_id == category.id), None)


def _logits(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask (H, W) as logits (side, side), its outline in between."""
    picture = Image.fromarray(mask.astype(np.float32))
    share = np.asarray(picture.resize((side, side), Image.Resampling.BOX))
    return (share * 2 - 1) * _SURE


def _check(click: Click, label: PanopticSegmentation) -> None:
    if not (0 <= click.x < label.width and 0 <= click.y < label.height):
        raise ValueError(
            f"the point ({click.x:g}, {click.y:g}) is outside of the picture, "
            f"{label.width} x {label.height}"
        )
