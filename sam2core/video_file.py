"""Video files through PyAV: any frame by its index, both directions, in bounded memory."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sam2core.errors import FramesError, FramesWarning
from sam2core.frame_order import backwards, frame_range
from sam2core.video_index import decode_from, read_index


class VideoFile:
    """The frames of a video file's first video stream, as RGB uint8 (H, W, 3), by index.

    Frames count one by one as they are decoded, so a variable frame rate makes no difference.
    Quarter turns that the file asks for are made; non-square pixels are left as they are
    stored. Opening reads through the file once without decoding it. Every :meth:`frames`
    iterator decodes for itself, so several may be in use at once, also in different threads.

    A file whose end is cut off gives the frames that are whole, with a ``FramesWarning``. In
    place of a frame within that can't be decoded comes the one before it (at the beginning, the
    one after it), with a ``FramesWarning``. :class:`FramesError` is raised for what is no video
    and where there is nothing to decode.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FramesError(f"{self.path}: no such file")
        self._index = read_index(self.path)
        _, first = next(decode_from(self.path, self._index, 0))
        self._stored = first.height, first.width
        # The display matrix turns counterclockwise by this angle, and so does np.rot90.
        self._quarter_turns = round(first.rotation / 90) % 4
        self._warned = False
        # Where __getitem__ is: the frame last asked for, and how to go on from it.
        self._lock = threading.Lock()
        self._at = -1
        self._latest: av.VideoFrame | None = None  # opening many clips must not keep many frames
        self._following: Iterator[av.VideoFrame] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), as shown."""
        height, width = self._stored
        return (width, height) if self._quarter_turns % 2 else (height, width)

    @property
    def fps(self) -> float:
        """Average frames per second as the file says, or 25 where it doesn't."""
        return self._index.fps

    @property
    def times(self) -> np.ndarray | None:
        """When each frame is shown, float64 (T,), rising, in seconds from the first one; None
        where the file doesn't say so reliably."""
        ticks = self._index.times
        return None if ticks is None else (ticks - ticks[0]) * self._index.tick

    def __len__(self) -> int:
        return self._index.count

    def __getitem__(self, index: int) -> np.ndarray:
        """The frame ``index``; going on from the last one asked for costs no seeking."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        with self._lock:
            key = self._index.keys[self._index.key_before(index)].frame
            following, at, latest = self._following, self._at, self._latest
            self._following = None  # whoever is interrupted in here leaves a place to start anew
            if following is None or index < at or key > at:
                following, at = self._decode(index, len(self)), index - 1
            while at < index:
                latest = next(following)
                at += 1
            self._at, self._latest = at, latest
            self._following = following
            assert latest is not None
            return self._rgb(latest)

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index, frame) from ``start`` to before ``stop``, by default all the rest.

        In ``reverse``, from ``start`` down to before ``stop``, by default down to frame 0.
        """
        indices = frame_range(len(self), start, stop, reverse)
        if reverse:
            return backwards(self._read, indices, self.size, self._first_of_chunk)
        return zip(indices, self._read(indices.start, indices.stop), strict=True)

    def _first_of_chunk(self, low: int, high: int) -> int:
        key = self._index.key_from(low)
        return low if key is None or key > high else key

    def _read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        return (self._rgb(frame) for frame in self._decode(start, stop))

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        if (frame.height, frame.width) != self._stored:
            raise FramesError(
                f"{self.path}: the frames change from {self._stored[1]} x {self._stored[0]} to "
                f"{frame.width} x {frame.height} pixels; all frames must be of one size"
            )
        return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), self._quarter_turns))

    def _decode(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        """Exactly the frames from ``start`` to before ``stop``, gaps filled."""
        position, latest = start, None
        if start >= stop:
            return
        for number, frame in decode_from(self.path, self._index, start):
            while position < min(number, stop):
                yield self._in_place_of(position, latest or frame)
                position += 1
            if number == position < stop:
                yield frame
                position += 1
            if position == stop:
                return
            latest = frame
        while position < stop:
            yield self._in_place_of(position, latest)
            position += 1

    def _in_place_of(self, missing: int, frame: av.VideoFrame | None) -> av.VideoFrame:
        if frame is None:
            raise FramesError(f"{self.path}: frame {missing} can't be decoded")
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.path}: frame {missing} can't be decoded; here, and wherever else in this "
                f"file this happens, a frame beside it is given in its place",
                FramesWarning,
                stacklevel=2,
            )
        return frame
