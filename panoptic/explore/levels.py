"""Levels as sliders show them, and what became of candidates: for the app's tab and the widget."""

from __future__ import annotations

from typing import Any

from panoptic.compose.trace import Trace
from panoptic.explore.explorer import levels_of
from panoptic.settings.keys import in_words
from panoptic.settings.tree import Settings

MAIN = (
    "detector.box_threshold",
    "detector.text_threshold",
    "regions.background",
    "regions.min_area",
    "stuff_masks.min_agreement",
    "merge.min_visible",
    "merge.min_stuff_area",
    "merge.inside_share",
)
"""The levels that come first: those that most is won by."""


def levels_for_page(settings: Settings) -> list[dict[str, Any]]:
    """All levels that can be tried, with the values of these settings."""
    return [
        {
            "key": level.key,
            "value": level.value,
            "kind": in_words(level.kind),
            "reason": level.reason,
            "main": level.key in MAIN,
        }
        for level in levels_of(settings)
    ]


def left_out(trace: Trace) -> list[str]:
    """What was found and isn't in the label, and why."""
    return [
        f"{candidate.category.name}: {fate.reason}"
        for candidate, fate in zip(trace.candidates, trace.report.fates, strict=True)
        if fate.segment_id is None and candidate.category is not None
    ]
