"""The result type: one id map without overlaps and the list of its segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segment:
    """One segment of a panoptic result.

    ``id`` is its value in the id map (1 or more), ``box`` is xyxy in pixels, right and bottom
    exclusive, ``area`` counts pixels. ``score`` is in [0, 1].
    """

    id: int
    category_id: int
    category: str
    is_thing: bool
    score: float
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class PanopticSegmentation:
    """``ids`` is an int32 map (H, W), 0 where nothing is labelled (void)."""

    ids: np.ndarray
    segments: tuple[Segment, ...]
