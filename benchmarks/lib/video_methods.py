"""The ways of labelling a clip that ``benchmarks.video_quality`` compares, on the same models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from panoptic.demo.clips import Clip
from panoptic.pipeline import PanopticPipeline
from panoptic.results.last_names import with_last_names
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.hindsight import labelled
from prompts import Vocabulary

SWITCHES = tuple(f.name for f in fields(VideoSettings) if f.type == "bool")
OURS, PLAIN, FRAMES = "ours", "first frame, propagated", "frame by frame, ids by IoU"
SAME_IOU = 0.1
"""Least IoU at which two masks of one category in frames that follow each other are one object. On
15 clips of 24 frames (``python -m benchmarks.tune --plain-video``) VPQ was 61.9 at 0.02 and at 0.1,
60.9 at 0.3, 56.8 at 0.5."""
PLAIN_BOX_THRESHOLD = 0.2
"""What suits both plain ways with the demo models' detector. Over the 60 clips compared, VPQ
of the first frame propagated is 55.5 here and 54.6 at 0.24, frame by frame 58.5 and 56.9 (on the
sweep's 15 shorter ones 0.24 was 1.3 and 3.0 better: the longer clips count)."""


def ablations() -> dict[str, VideoSettings]:
    """Ours with one mechanism switched off at a time."""
    return {f"without {name}": VideoSettings(**{name: False}) for name in SWITCHES}


def sessions() -> dict[str, VideoSettings]:
    """Ours, and what is left of it without any mechanism: the first frame's segments followed."""
    return {OURS: VideoSettings(), PLAIN: VideoSettings(**dict.fromkeys(SWITCHES, False))}


def label(
    pipeline: PanopticPipeline,
    clip: Clip,
    vocabulary: Vocabulary,
    method: str,
    plain_box_threshold: float | None = PLAIN_BOX_THRESHOLD,
) -> list[PanopticSegmentation]:
    """The frames of a clip, labelled by the method of this name; the plain ones with boxes from a
    level of their own on, None for the pipeline's."""
    base = pipeline.settings
    if method in (PLAIN, FRAMES) and plain_box_threshold is not None:
        pipeline.settings = base.changed({"detector.box_threshold": plain_box_threshold})
    try:
        if method == FRAMES:
            pictures = (pipeline.segment(image, vocabulary) for image in clip.frames)
            return list(linked_by_iou(pictures))
        return _followed(pipeline, clip, vocabulary, {**sessions(), **ablations()}[method])
    finally:
        pipeline.settings = base


def _followed(
    pipeline: PanopticPipeline, clip: Clip, vocabulary: Vocabulary, settings: VideoSettings
) -> list[PanopticSegmentation]:
    frames = labelled(pipeline.video_session(vocabulary, settings), clip.frames)
    # The picture isn't needed again, and a clip of them is large.
    return with_last_names([replace(frame.segmentation, image=None) for frame in frames])


def linked_by_iou(
    frames: Iterable[PanopticSegmentation], same_iou: float = SAME_IOU
) -> Iterator[PanopticSegmentation]:
    """Frames labelled as pictures, with ids that last: a segment takes over the id of the one of
    its category in the frame before that it overlaps most (by assignment), others get new ids."""
    before: PanopticSegmentation | None = None
    next_id = 1
    for found in frames:
        ids = {} if before is None else matched_ids(before, found, same_iou)
        for segment in found:
            if segment.id not in ids:
                ids[segment.id] = next_id
                next_id += 1
        before = renumbered(found, ids)
        yield before


def matched_ids(
    before: PanopticSegmentation, now: PanopticSegmentation, same_iou: float = SAME_IOU
) -> dict[int, int]:
    """For the segments of a frame, the id of the segment before that each is."""
    if not len(before) or not len(now):
        return {}
    ious = np.zeros((len(now), len(before)))
    for i, a in enumerate(now):
        mask = now.mask(a.id)
        for j, b in enumerate(before):
            if a.category_id == b.category_id:
                shared = int((mask & (before.ids == b.id)).sum())
                ious[i, j] = shared / (a.area + b.area - shared)
    rows, columns = linear_sum_assignment(-ious)
    return {
        now.segments[i].id: before.segments[j].id
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if ious[i, j] >= same_iou
    }


def renumbered(result: PanopticSegmentation, ids: Mapping[int, int]) -> PanopticSegmentation:
    """The same result under other ids."""
    table = np.zeros(int(result.ids.max()) + 1, np.int32)
    for old, new in ids.items():
        table[old] = new
    return PanopticSegmentation.from_ids(
        table[result.ids], [replace(s, id=ids[s.id]) for s in result]
    )
