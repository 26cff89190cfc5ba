"""Differences of two methods on the same pictures, and how far chance alone would take them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, and its standard error over ``count`` pairs (nan for one
    pair alone, which tells nothing of chance)."""

    mean: float
    error: float
    count: int

    @property
    def noise(self) -> float:
        """What chance alone explains, at two standard errors; 0 where it isn't known."""
        return 0.0 if math.isnan(self.error) else 2 * self.error

    @property
    def beyond(self) -> bool:
        """Whether it is more than that."""
        return abs(self.mean) > self.noise

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ± {self.noise:.1f}"


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """How much more the first has than the second. ``ValueError`` unless they are equally many."""
    if len(one) != len(other) or not len(one):
        raise ValueError(f"paired values must be equally many, got {len(one)} and {len(other)}")
    each = np.subtract(one, other)
    error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else math.nan
    return Difference(float(each.mean()), error, len(each))


def of_means(parts: Sequence[Difference]) -> Difference:
    """The mean of several such differences, each of pictures of its own."""
    errors = [0.0 if math.isnan(part.error) else part.error for part in parts]
    error = float(np.sqrt(np.square(errors).sum()) / len(parts))
    return Difference(float(np.mean([p.mean for p in parts])), error, len(parts))
