"""Labels as Label Studio's predictions: regions of the kind that a project draws.

Their form is that of https://labelstud.io/guide/predictions, and ``panoptic.formats`` reads them
back: shapes in percent of the picture, masks as run lengths.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from panoptic.formats.polygons import edges, joined
from panoptic.formats.rle import brush
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.serve.labelling_config import Asked
from panoptic.serve.simple_outlines import simplified

TOLERANCE = 1.0
"""Pixels by which a polygon may leave the outline, so that a person can move its points."""


def prediction_of(result: PanopticSegmentation, asked: Asked, version: str) -> dict[str, Any]:
    """What Label Studio stores for a task: the regions, and a score, the mean of their qualities.

    A segment's region is of the control that its word is in. What no label names is left out.
    """
    regions = [
        region_of(result.mask(s.id), s, result, asked)
        for s in result
        if s.category_id in asked.labels
    ]
    qualities = [s.quality for s in result if s.quality is not None]
    return {
        "model_version": version,
        "score": float(np.mean(qualities)) if qualities else 0.0,
        "result": regions,
    }


def region_of(
    mask: np.ndarray, segment: Segment, result: PanopticSegmentation, asked: Asked
) -> dict[str, Any]:
    """One segment, whose id the region's id tells."""
    control = asked.controls[segment.category_id]
    kind = f"{control.kind}labels"
    value = _SHAPES[control.kind](mask, segment)
    return {
        **{"id": f"segment-{segment.id}", "type": kind, "origin": "prediction"},
        **{"from_name": control.name, "to_name": control.image, "image_rotation": 0},
        **{"original_width": result.width, "original_height": result.height},
        "value": {**value, kind: [asked.labels[segment.category_id]]},
        "score": segment.score if segment.quality is None else segment.quality,
    }


def _brush(mask: np.ndarray, segment: Segment) -> dict[str, Any]:
    return {"format": "rle", "rle": brush(mask)}


def _polygon(mask: np.ndarray, segment: Segment) -> dict[str, Any]:
    """One closed line around all parts and holes, as Label Studio has one polygon a region."""
    height, width = mask.shape
    rings = edges(mask)
    simple = [each for ring in rings if len(each := simplified(ring, TOLERANCE)) > 2]
    points = joined(simple or rings[:1]) * (100 / width, 100 / height)
    return {"points": points.round(4).tolist(), "closed": True}


def _rectangle(mask: np.ndarray, segment: Segment) -> dict[str, Any]:
    height, width = mask.shape
    x0, y0, x1, y1 = segment.box
    return {
        **{"x": 100 * x0 / width, "y": 100 * y0 / height, "rotation": 0},
        **{"width": 100 * (x1 - x0) / width, "height": 100 * (y1 - y0) / height},
    }


_SHAPES = {"brush": _brush, "polygon": _polygon, "rectangle": _rectangle}
