"""When the frames of a source are shown."""

from __future__ import annotations

from typing import Any

import numpy as np


def times_of(source: Any) -> np.ndarray | None:
    """Seconds from the first frame, float64 (T,), where a source has ``times``; else None."""
    times = getattr(source, "times", None)
    return None if times is None else np.asarray(times, np.float64)
