"""One box per object: overlapping boxes give way to the surest of them."""

from __future__ import annotations

import numpy as np

from detectors.base import Boxes, ThingSettings


def suppress(boxes: Boxes, settings: ThingSettings) -> Boxes:
    """Non-maximum suppression within each category, then across all; supervision's.

    The surest come first, at most ``max_boxes``.
    """
    import supervision as sv

    boxes = boxes.sorted()
    for threshold, across in (
        (settings.same_category_iou, False),
        (settings.cross_category_iou, True),
    ):
        if len(boxes) > 1:
            group = np.zeros(len(boxes)) if across else boxes.category_ids
            rows = np.column_stack([boxes.xyxy, boxes.scores, group]).astype(np.float64)
            boxes = boxes[sv.box_non_max_suppression(rows, threshold)]
    return boxes[: settings.max_boxes]
