"""What came of a benchmark, before it is put into a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """``scores`` are in percent, the set's own measure first; None where nothing was counted.

    ``done`` of the ``total`` ``unit`` ("pictures", "clips") that the folder has were labelled and
    evaluated; ``evaluation`` is the whole report. ``seconds`` were spent on ``timed`` pictures or
    frames.
    """

    scores: Mapping[str, float | None]
    unit: str
    done: int
    total: int
    evaluation: Mapping[str, Any]
    counted: str = ""
    timed: int = 0
    seconds: float = 0.0
    timed_unit: str = "picture"


def percent(value: float) -> float | None:
    """A share in [0, 1] as percent; None for nan, where there was nothing to count."""
    return None if math.isnan(value) else 100 * value
