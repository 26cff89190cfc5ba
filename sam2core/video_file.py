"""Video files through PyAV: any frame by its index, both directions, in bounded memory."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from sam2core.errors import FramesError

CHUNK_BYTES = 256 * 2**20
"""Decoded frames held when going backwards: 43 of 1920 x 1080, 10 of 3840 x 2160."""

CHECKED_FRAMES = 8
"""Frames decoded when a file is opened, to see that its packets are what they say."""

DECODER_THREADS = 4
"""Each thread of a decoder holds a few frames, so their number is bounded too."""


def frame_range(length: int, start: int, stop: int | None, reverse: bool) -> range:
    """The indices from ``start`` to before ``stop`` (None: all the way), cut at the ends."""
    if not 0 <= start < length and not (start == length and not reverse):
        raise FramesError(f"start must be a frame of the {length} that there are, got {start}")
    if reverse:
        return range(start, -1 if stop is None else max(stop, -1), -1)
    return range(start, length if stop is None else max(start, min(stop, length)))


def backwards(
    read: Callable[[int, int], Iterator[np.ndarray]],
    indices: range,
    size: tuple[int, int],
    first_of_chunk: Callable[[int, int], int] = lambda low, high: low,
) -> Iterator[tuple[int, np.ndarray]]:
    """Frames of a source that can only be ``read(start, stop)`` forward, in falling order.

    Chunks of at most ``CHUNK_BYTES`` are read forward and given backwards.
    ``first_of_chunk(low, high)`` may start a chunk that ends with ``high`` later than at
    ``low``, where that saves reading.
    """
    per_chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    high, last = indices.start, indices.stop + 1
    while high >= last:
        low = first_of_chunk(max(last, high - per_chunk + 1), high)
        chunk = list(read(low, high + 1))
        for index in range(high, low - 1, -1):
            yield index, chunk.pop()
        high = low - 1


@dataclass(frozen=True)
class _Index:
    """What is known of a file from its packets, without decoding them.

    ``times`` are the presentation times of all frames, rising, in the stream's time base, and
    None where the file does not give them reliably: then only their ``count`` is known.
    ``keys`` are the frames at which decoding can start; ``key_times`` pairs their presentation
    and decoding times.
    """

    count: int
    times: np.ndarray | None
    keys: np.ndarray
    key_times: list[tuple[int, int]]


class VideoFile:
    """The frames of a video file's first video stream, as RGB uint8 (H, W, 3), by index.

    Variable frame rates make no difference: frames count one by one as they are decoded. The
    rotation that the file asks for is applied; non-square pixels are left as they are stored.
    Opening reads through the file once without decoding it. Every :meth:`frames` iterator
    decodes for itself, so several may be used at once, also in different threads.

    A file whose end is cut off gives the frames that are whole, with a ``UserWarning``. A frame
    in the middle that can't be decoded is given as the frame before it, with a
    ``UserWarning``. :class:`FramesError` is raised where there is nothing to decode at all.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FramesError(f"{self.path}: no such file")
        self._lock = threading.Lock()
        self._cursor: Iterator[av.VideoFrame] | None = None
        self._at = -1
        self._latest: av.VideoFrame | None = None
        self._warned = False
        self._index = self._read_index()
        first = self._first_frame()
        # A multiple of a quarter turn; the matrix turns counterclockwise, as np.rot90 does.
        self._quarter_turns = round(first.rotation / 90) % 4
        self._stored = first.height, first.width
        self._index = self._checked(self._index)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), after rotation."""
        height, width = self._stored
        return (width, height) if self._quarter_turns % 2 else (height, width)

    @property
    def fps(self) -> float:
        """Average frames per second as the file says, or 25 where it doesn't."""
        return self._fps

    def __len__(self) -> int:
        return self._index.count

    def __getitem__(self, index: int) -> np.ndarray:
        """The frame ``index``; going on from the last one asked for costs no seeking."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        with self._lock:
            if index != self._at:
                if self._cursor is None or index < self._at or self._key(index) > self._at:
                    self._cursor = self._decode(index, len(self))
                    self._at = index - 1
                while self._at < index:
                    self._latest = next(self._cursor)
                    self._at += 1
            assert self._latest is not None
            return self._rgb(self._latest)

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index, frame) from ``start`` to before ``stop``, or down to before it in ``reverse``."""
        indices = frame_range(len(self), start, stop, reverse)
        if reverse:
            return backwards(self._read, indices, self.size, self._chunk_start)
        return zip(indices, self._read(indices.start, indices.stop), strict=True)

    def _read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        return (self._rgb(frame) for frame in self._decode(start, stop))

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        if (frame.height, frame.width) != self._stored:
            raise FramesError(
                f"{self.path}: the frames change from {self._stored[1]} x {self._stored[0]} to "
                f"{frame.width} x {frame.height} pixels; all frames must be of one size"
            )
        return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), self._quarter_turns))

    def _key(self, index: int) -> int:
        """The last frame up to ``index`` at which decoding can start."""
        keys = self._index.keys
        return int(keys[max(np.searchsorted(keys, index, side="right") - 1, 0)])

    def _chunk_start(self, low: int, high: int) -> int:
        keys = self._index.keys
        later = keys[(keys >= low) & (keys <= high)]
        return int(later[0]) if len(later) else low

    # Decoding

    def _decode(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        """Exactly the frames from ``start`` to before ``stop``."""
        position, latest = start, None
        for index, frame in self._decode_from(start):
            while position < min(index, stop):
                self._warn_of_gap(position)
                yield latest or frame
                position += 1
            if position >= stop:
                return
            latest = frame
            if index == position:
                yield frame
                position += 1
        while position < stop:
            if latest is None:
                raise FramesError(f"{self.path}: frame {position} can't be decoded")
            self._warn_of_gap(position)
            yield latest
            position += 1

    def _warn_of_gap(self, index: int) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.path}: frame {index} can't be decoded; here and wherever this happens "
                f"in this file the frame before is given in its place",
                stacklevel=3,
            )

    def _decode_from(self, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """(index, frame) of what can be decoded, beginning at or before ``start`` if possible."""
        times = self._index.times
        if times is None or len(times) == 0:
            with self._open() as container:
                yield from enumerate(_decoded(container, None))
            return
        k = max(int(np.searchsorted(self._index.keys, start, side="right")) - 1, 0)
        while True:
            with self._open() as container:
                stream = container.streams.video[0]
                first_dts = self._index.key_times[k][1] if k else None
                if k:
                    container.seek(self._index.key_times[k][0], stream=stream, backward=True)
                begun = False
                for frame in _decoded(container, first_dts):
                    index = -1 if frame.pts is None else int(np.searchsorted(times, frame.pts))
                    if not 0 <= index < len(times) or times[index] != frame.pts:
                        continue
                    if not begun and index > start and k:
                        break  # the seek came out too late, or what the key promised is broken
                    begun = True
                    yield index, frame
                if begun or k == 0:
                    return
            k -= 1

    def _open(self) -> av.container.InputContainer:
        # With "file:" a colon in the name means nothing, and the whitelist keeps playlists that
        # pose as videos from reaching out to a network.
        try:
            container = av.open(f"file:{self.path}", options={"protocol_whitelist": "file"})
        except (av.error.FFmpegError, IndexError) as error:
            reason = "it is empty" if self.path.stat().st_size == 0 else str(error)
            raise FramesError(
                f"{self.path}: can't be read as a video ({reason}). Expected is a whole file of a "
                f"format that FFmpeg knows, such as mp4, mkv, webm, avi or gif"
            ) from error
        # "tty" is FFmpeg's rendering of text files, which nobody means.
        if not container.streams.video or container.format.name == "tty":
            container.close()
            raise FramesError(f"{self.path}: there is no video in this file")
        context = container.streams.video[0].codec_context
        context.thread_type = "AUTO"
        context.thread_count = min(DECODER_THREADS, os.cpu_count() or 1)
        return container

    # Opening

    def _read_index(self) -> _Index:
        times: list[int | None] = []
        keys: list[tuple[int, int]] = []
        corrupt = 0
        with self._open() as container:
            stream = container.streams.video[0]
            self._fps = float(stream.average_rate or stream.guessed_rate or 25)
            try:
                for packet in container.demux(stream):
                    if packet.size == 0 or packet.is_discard:
                        continue
                    if packet.is_corrupt:
                        corrupt += 1
                        continue
                    times.append(packet.pts)
                    if packet.is_keyframe and packet.pts is not None:
                        dts = packet.pts if packet.dts is None else packet.dts
                        keys.append((packet.pts, dts))
            except av.error.FFmpegError:
                corrupt += 1
            known = [t for t in times if t is not None]
            self._warn_if_cut(stream, container, known, corrupt)
        if len(known) < len(times) or len(set(known)) < len(known) or not known:
            return _Index(len(times), None, np.zeros(1, np.int64), [])
        in_order = np.array(sorted(known), dtype=np.int64)
        key_times = sorted(keys) or [(int(in_order[0]), int(in_order[0]))]
        key_frames = np.searchsorted(in_order, [pts for pts, _ in key_times])
        return _Index(len(in_order), in_order, key_frames, key_times)

    def _warn_if_cut(
        self,
        stream: av.VideoStream,
        container: av.container.InputContainer,
        times: list[int],
        corrupt: int,
    ) -> None:
        """Compare what was found with what the file's header promises."""
        missing = stream.frames > len(times) + 1 > 1
        if times and stream.time_base is not None:
            lasted = float((max(times) - min(times)) * stream.time_base) + 1 / self._fps
            promised = _promised_seconds(stream, container)
            # Half a second: a sound track or a last frame may be a little longer.
            missing |= promised is not None and promised - lasted > max(0.5, 2 / self._fps)
        if corrupt or missing:
            warnings.warn(
                f"{self.path}: the file is cut off or damaged; of it {len(times)} whole frames "
                f"are given",
                stacklevel=4,
            )

    def _first_frame(self) -> av.VideoFrame:
        for _, frame in self._decode_from(0):
            return frame
        raise FramesError(f"{self.path}: not one frame of this video can be decoded")

    def _checked(self, index: _Index) -> _Index:
        """``index``, or one from decoding the whole file where packets and frames don't match.

        Packets without times, or with wrong ones, and packets that are half a frame do occur
        (AVI, raw streams, interlaced video). Counting is slow, and going to a frame then means
        decoding all before it, but it is right.
        """
        if index.times is not None:
            expected = list(range(min(CHECKED_FRAMES, index.count)))
            head = [i for i, _ in _first(self._decode_from(0), len(expected))]
            last = int(index.keys[-1])
            tail = [i for i, _ in _first(self._decode_from(last), 1)]
            if head == expected and tail == [last]:
                return index
        with self._open() as container:
            count = sum(1 for _ in _decoded(container, None))
        return _Index(count, None, np.zeros(1, np.int64), [])


def _first(items: Iterator[tuple[int, av.VideoFrame]], count: int) -> list:
    return [item for item, _ in zip(items, range(count), strict=False)]


def _decoded(
    container: av.container.InputContainer, first_dts: int | None
) -> Iterator[av.VideoFrame]:
    """Frames from here to the end; none if the first packet is later than ``first_dts``."""
    packets = container.demux(container.streams.video[0])
    checked = first_dts is None
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return  # damaged from here on
        if not checked:
            dts = packet.pts if packet.dts is None else packet.dts
            if dts is not None and first_dts is not None and dts > first_dts:
                return
            checked = True
        if packet.is_corrupt:
            continue
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue  # a broken packet; the decoder goes on with the next one


def _promised_seconds(
    stream: av.VideoStream, container: av.container.InputContainer
) -> float | None:
    """How long the video should be, by the file's header, if it says."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if "DURATION" in stream.metadata:  # Matroska: 00:00:01.234000000
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if len(container.streams) == 1 and container.duration is not None:
        return container.duration / av.time_base
    return None
