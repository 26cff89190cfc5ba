"""One box per object: overlapping boxes give way to the surest of them."""

from __future__ import annotations

import numpy as np

from detectors.base import Boxes, ThingSettings


def suppress(boxes: Boxes, settings: ThingSettings) -> Boxes:
    """Non-maximum suppression within each category, then across all; supervision's.

    The surest come first, at most ``max_boxes``.
    """
    return boxes[surviving(boxes, settings)]


def surviving(boxes: Boxes, settings: ThingSettings) -> np.ndarray:
    """The positions of the boxes that ``suppress`` leaves, in its order."""
    import supervision as sv

    kept = np.argsort(-boxes.scores, kind="stable")
    for threshold, across in (
        (settings.same_category_iou, False),
        (settings.cross_category_iou, True),
    ):
        if len(kept) > 1:
            some = boxes[kept]
            group = np.zeros(len(some)) if across else some.category_ids
            rows = np.column_stack([some.xyxy, some.scores, group]).astype(np.float64)
            kept = kept[sv.box_non_max_suppression(rows, threshold)]
    return kept[: settings.max_boxes]
