"""Changes of shot that take several frames: dissolves, and dips to black or white.

The twin comparison of Zhang, Kankanhalli and Smoliar ("Automatic partitioning of full-motion
video", 1993) looks for a large difference over several frames of which none is large. Camera
motion makes such a one as well. What it doesn't make is a mixture: within a dissolve, every frame
is a part of the old picture and the rest of the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

_LAGS = (5, 8, 12, 18, 25, 31)
"""Frames that are looked back: what moves in the old shot is least in the shortest that will do."""
_LEAST = 15.0
"""Grey levels, root mean square, that the new picture differs from the old one at least."""
_REST = 0.35
"""Of the difference between the pictures, what no mixture of the two explains, in the mean over a
transition: both move on meanwhile. At 0.25 two of 20 dissolves of 10 frames between demo clips are
missed, and half of those of 20 frames; at 0.35 none and two. At neither is one found within 60 demo
clips and four real ones, of which every first, second and third frame was taken."""
_NEARLY = 0.1
"""Share of the new picture up to which a frame is still of the old one, and the other way round."""
_SETTLED = 0.5
"""Of a transition's mean pace, what its end may still move: a half-done one looks whole."""
_SHOWN = 0.8
"""Share of the new picture in a frame at which a cut was seen, from which on that will do."""
_FADED = 0.7
_BACK = 6
_PATIENCE = 12


def has_dissolved(past: Sequence[np.ndarray], cut_at: int | None) -> int | None:
    """The frame before a dissolve that is just over with the latest of ``past``, or None.

    ``past`` are thumbnails, float32 of one shape. ``cut_at`` is where among them a cut was seen
    already: if it was in the middle of the dissolve, that counts as not seen.
    """
    for lag in _LAGS:
        first = len(past) - 1 - lag
        if first < 0:
            return None
        mixture = _Mixture.of(past[first:])
        if mixture is None or (span := mixture.span()) is None:
            continue
        seen = cut_at is not None and cut_at - first > span[0]
        if seen and mixture.shares[cut_at - first] >= _SHOWN:  # type: ignore[operator]
            continue
        return first + span[0]
    return None


class _Mixture:
    """Frames as parts of the first and the last of them: shares of the last, and what is left
    over, as a part of the difference of the two."""

    def __init__(self, shares: np.ndarray, rests: np.ndarray) -> None:
        self.shares = shares
        self.rests = rests

    @classmethod
    def of(cls, frames: Sequence[np.ndarray]) -> _Mixture | None:
        change = frames[-1] - frames[0]
        size = float((change * change).sum())
        if size < _LEAST**2 * change.size:
            return None
        moved = np.stack(frames) - frames[0]
        axes = tuple(range(1, moved.ndim))
        shares = (moved * change).sum(axis=axes) / size
        left = moved - shares.reshape(-1, *(1,) * change.ndim) * change
        return cls(shares, np.sqrt((left * left).sum(axis=axes) / size))

    def span(self) -> tuple[int, int] | None:
        """The last frame before a dissolve and the first after it; None if this is none."""
        start = int(np.flatnonzero(self.shares <= _NEARLY)[-1])
        end = start + int(np.flatnonzero(self.shares[start:] >= 1 - _NEARLY)[0])
        if end - start < 2 or end >= len(self.shares) - 1:
            return None
        pace = (1 - 2 * _NEARLY) / (end - start)
        if self.shares[-1] - self.shares[-2] > _SETTLED * pace:
            return None
        if np.diff(self.shares[start : end + 1]).min() < -_NEARLY / 2:
            return None
        return (start, end) if self.rests[start + 1 : end].mean() <= _REST else None


class _Contrasted(Protocol):
    @property
    def contrast(self) -> float: ...


Kept = TypeVar("Kept", bound=_Contrasted)


class Dips(Generic[Kept]):
    """Remembers what was shown before frames that showed nothing, to compare with what comes.

    On the way into white and out of it a picture fades: then it is the frame of most contrast of
    some before, and several frames after are compared with it. After a flash it is the last one,
    from which a moving camera has come least far.
    """

    def __init__(self) -> None:
        self.before: Kept | None = None
        self.left = 0

    def begin(self, past: Sequence[Kept]) -> None:
        """A frame that shows nothing, after the frames ``past``."""
        if past and self.before is None:
            clearest = max(past[-_BACK:], key=lambda frame: frame.contrast)
            faded = past[-1].contrast < _FADED * clearest.contrast
            self.before = clearest if faded else past[-1]
        self.left = _PATIENCE

    def look_back(self) -> Kept | None:
        """What the frame at hand is to be compared with."""
        if self.before is None:
            return None
        before: Any = self.before
        self.left -= 1
        if self.left <= 0:
            self.before = None
        return before

    def end(self) -> None:
        """What comes was found to be something else."""
        self.before, self.left = None, 0
