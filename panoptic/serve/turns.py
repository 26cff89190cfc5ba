"""One model, many who ask: they take turns, in the order in which they came.

A picture is one turn, and so is a frame of a video: pictures don't wait until a video is done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from panoptic.serve.refusals import too_busy


class Turns:
    """A lock that is given to those who wait for it in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for its turn, which lasts as long as the block."""
        mine = threading.Event()
        with self._lock:
            self._line.append(mine)
            if self._line[0] is mine:
                mine.set()
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                self._line.popleft()
                if self._line:
                    self._line[0].set()


class Room:
    """Where requests wait: so many and no more. For one event loop."""

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.inside = 0
        self._what = what

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place while the block lasts; ``Refused`` (429) where there is none."""
        if self.inside >= self.most:
            raise too_busy(self._what, self.most)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
