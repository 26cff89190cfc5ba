"""A result in the forms of other libraries: supervision's detections, transformers' dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.results.segment import Segment

if TYPE_CHECKING:
    import supervision


def to_detections(ids: np.ndarray, segments: Sequence[Segment]) -> supervision.Detections:
    """See ``PanopticSegmentation.to_detections``."""
    import supervision

    masks = np.zeros((len(segments), *ids.shape), bool)
    for mask, segment in zip(masks, segments, strict=True):
        mask[:] = ids == segment.id
    quality = [np.nan if s.quality is None else s.quality for s in segments]
    return supervision.Detections(
        xyxy=np.array([s.box for s in segments], np.float32).reshape(-1, 4),
        mask=masks,
        confidence=np.array([s.score for s in segments], np.float32),
        class_id=np.array([s.category_id for s in segments], int),
        data={
            "class_name": np.array([s.category for s in segments], str),
            "is_thing": np.array([s.is_thing for s in segments], bool),
            "segment_id": np.array([s.id for s in segments], int),
            "quality": np.array(quality, np.float32),
        },
    )


def to_transformers(ids: np.ndarray, segments: Sequence[Segment]) -> dict[str, Any]:
    """See ``PanopticSegmentation.to_transformers``."""
    import torch

    info = [
        {"id": s.id, "label_id": s.category_id, "was_fused": not s.is_thing, "score": s.score}
        for s in segments
    ]
    return {"segmentation": torch.from_numpy(ids.copy()), "segments_info": info}
