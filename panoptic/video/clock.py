"""How much time goes by between frames: the patience of a session is in seconds, not in frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from panoptic.io.clips import DEFAULT_FPS

USUAL_PACE = 1 / DEFAULT_FPS
"""Seconds from one frame to the next where nobody says when they are shown."""


class Clock:
    """Goes from frame to frame.

    ``elapsed`` are the seconds from the frame before to the one at hand, ``since_look`` those since
    the words were last looked for.
    """

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.since_look = 0.0
        self._time: float | None = None
        self._begun = False

    def tick(self, time: float | None) -> None:
        """The next frame comes, at ``time`` in seconds if that is known.

        A time before that of the last frame is taken for a clock that was set anew, and the frame
        for one that came at the usual pace. ``ValueError`` for a time that is no number.
        """
        if time is not None and not math.isfinite(time):
            raise ValueError(f"the time of a frame must be a finite number of seconds, got {time}")
        before, self._time = self._time, time
        if not self._begun:
            self.elapsed, self._begun = 0.0, True
        elif time is None or before is None or time < before:
            self.elapsed = USUAL_PACE
        else:
            self.elapsed = time - before
        self.since_look += self.elapsed

    def is_due(self, every: float) -> bool:
        """Whether this frame is nearer to ``every`` seconds after the last look than the next one,
        which is taken to come as soon after it as it came itself."""
        return self.since_look + self.elapsed / 2 >= every

    def look(self) -> None:
        """The words are looked for in this frame."""
        self.since_look = 0.0

    def state(self) -> dict[str, Any]:
        """Numbers, for :meth:`load_state`."""
        return dict(vars(self))

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.elapsed, self.since_look = float(state["elapsed"]), float(state["since_look"])
        self._time = None if state["_time"] is None else float(state["_time"])
        self._begun = bool(state["_begun"])
