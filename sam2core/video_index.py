"""What frames a video file has and where decoding can start, found without decoding it."""

from __future__ import annotations

import os
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from sam2core.errors import FramesError, FramesWarning

CHECKED_FRAMES = 8
"""Frames decoded when a file is opened, to see that its packets are what they say."""

DECODER_THREADS = 4
"""Each thread of a decoder holds a few frames, so their number is bounded too."""


@dataclass(frozen=True)
class Key:
    """A frame at which decoding can start, with its times in the stream's time base."""

    frame: int
    presented: int
    decoded: int


@dataclass(frozen=True)
class VideoIndex:
    """The frames of a video by number.

    ``times`` are the presentation times of all frames, rising, in the stream's time base. They
    are None where the file does not give them reliably: then frames are only counted, and
    going to one means decoding all before it. ``keys`` rise by frame; the first is frame 0.
    """

    count: int
    fps: float
    times: np.ndarray | None
    keys: tuple[Key, ...]
    tick: float = 1.0
    """Seconds of the stream's time base."""

    def __post_init__(self) -> None:
        if self.keys[0].frame != 0:
            raise ValueError(f"the first key must be frame 0, got {self.keys[0]}")

    def key_before(self, frame: int) -> int:
        """Position in ``keys`` of the last one up to ``frame``."""
        return bisect_right(self.keys, frame, key=lambda key: key.frame) - 1

    def key_from(self, frame: int) -> int | None:
        """The first frame from ``frame`` on at which decoding can start."""
        at = bisect_left(self.keys, frame, key=lambda key: key.frame)
        return self.keys[at].frame if at < len(self.keys) else None

    def number(self, time: int | None) -> int | None:
        """The frame presented at ``time``, if there is one."""
        if self.times is None or time is None:
            return None
        at = int(np.searchsorted(self.times, time))
        return at if at < len(self.times) and self.times[at] == time else None


def open_video(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    """The opened file, to be closed by the caller, and its first stream of moving pictures."""
    # With "file:" a colon in the name means nothing, and the whitelist keeps playlists that
    # pose as videos from reaching out to a network.
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, IndexError) as error:  # IndexError: PyAV, for no streams at all
        reason = "it is empty" if path.stat().st_size == 0 else str(error)
        raise FramesError(
            f"{path}: can't be read as a video ({reason}). Expected is a whole file of a format "
            f"that FFmpeg knows, such as mp4, mkv, webm, avi or gif"
        ) from error
    cover = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    # "tty" is FFmpeg's rendering of text files, which nobody means.
    if not streams or container.format.name == "tty":
        container.close()
        raise FramesError(f"{path}: there is no video in this file")
    context = streams[0].codec_context
    context.thread_type = "AUTO"
    context.thread_count = min(DECODER_THREADS, os.cpu_count() or 1)
    return container, streams[0]


def read_index(path: Path) -> VideoIndex:
    """Read through the file. Warns with ``FramesWarning`` where it is cut off or damaged.

    Packets without times, with wrong ones, or that are half a frame do occur (AVI, raw
    streams, interlaced video). So a few frames are decoded at the beginning and at the last
    key, and where they are not what the packets announced, the whole file is decoded once to
    count its frames. Slow, but right.
    """
    index = _scan(path)
    if index.times is not None:
        container, stream = open_video(path)
        with container:
            decoded = islice(_decoded(container, stream, None), CHECKED_FRAMES)
            head = [index.number(frame.pts) for frame in decoded]
        # One frame may be missing, because it is damaged. Of half frames, every other one is.
        head_fits = all(number is not None and number <= len(head) for number in head)
        last = index.keys[-1].frame
        tail = [number for number, _ in islice(decode_from(path, index, last), 1)]
        if head and head_fits and tail == [last]:
            return index
    container, stream = open_video(path)
    with container:
        count = sum(1 for _ in _decoded(container, stream, None))
    if count == 0:
        raise FramesError(f"{path}: not one frame of this video can be decoded")
    return VideoIndex(count, index.fps, None, (Key(0, 0, 0),))


def decode_from(path: Path, index: VideoIndex, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """(number, frame) of what can be decoded, from a frame at or before ``start`` to the end.

    Begins after ``start`` only where nothing before can be decoded. Damaged frames are left
    out, so numbers rise but may have gaps.
    """
    if index.times is None:
        container, stream = open_video(path)
        with container:
            yield from enumerate(_decoded(container, stream, None))
        return
    for at in range(index.key_before(start), -1, -1):
        key = index.keys[at]
        # Containers seek by one time or the other. A seek that comes out too late gives
        # nothing, and so do keys that are not what they promise: then an earlier one serves.
        for target in dict.fromkeys((key.presented, key.decoded)) if at else (None,):
            container, stream = open_video(path)
            with container:
                if target is not None:
                    try:
                        container.seek(target, stream=stream, backward=True)
                    except av.error.FFmpegError:
                        continue
                begun = False
                for frame in _decoded(container, stream, key.decoded if at else None):
                    number = index.number(frame.pts)
                    if number is None:
                        continue
                    if not begun and number > start and at:
                        break
                    begun = True
                    yield number, frame
                if begun:
                    return


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, latest_start: int | None
) -> Iterator[av.VideoFrame]:
    """Frames from here to the end; none if the first packet is later than ``latest_start``."""
    packets = container.demux(stream)
    late = latest_start
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:  # damaged from here on; give what the decoder still holds
            yield from _decode_packet(stream, None)
            return
        time = packet.pts if packet.dts is None else packet.dts
        if late is not None and time is not None:
            if time > late:
                return
            late = None
        if packet.is_corrupt:
            continue
        yield from _decode_packet(stream, packet)


def _decode_packet(stream: av.VideoStream, packet: av.Packet | None) -> list[av.VideoFrame]:
    """What comes of a packet: nothing of a broken one, and the rest of all without one."""
    try:
        return stream.decode(packet)
    except av.error.FFmpegError:
        return []


def _scan(path: Path) -> VideoIndex:
    times: list[int | None] = []
    keys: list[tuple[int, int]] = []
    damaged = False
    container, stream = open_video(path)
    with container:
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        tick = float(stream.time_base or 1 / fps)
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.is_corrupt:
                    damaged = True
                    continue
                times.append(packet.pts)
                if packet.is_keyframe and packet.pts is not None:
                    keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        except av.error.FFmpegError:
            damaged = True
        known = [t for t in times if t is not None]
        if damaged or _falls_short(container, stream, len(times), known, fps):
            warnings.warn(
                f"{path}: the file is cut off or damaged; of it {len(times)} whole frames are "
                f"given",
                FramesWarning,
                stacklevel=2,
            )
    if not known or len(set(known)) < len(times):
        return VideoIndex(len(times), fps, None, (Key(0, 0, 0),))
    in_order = np.array(sorted(known), dtype=np.int64)
    first = int(in_order[0])
    found = [Key(int(np.searchsorted(in_order, pts)), pts, dts) for pts, dts in sorted(keys)]
    if not found or found[0].frame != 0:
        found.insert(0, Key(0, first, first))
    return VideoIndex(len(in_order), fps, in_order, tuple(found), tick)


def _falls_short(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    count: int,
    times: list[int],
    fps: float,
) -> bool:
    """Whether the file's header promises clearly more than there is."""
    if 0 < count < stream.frames - 1:
        return True
    promised = None
    if stream.duration is not None and stream.time_base is not None:
        promised = float(stream.duration * stream.time_base)
    elif "DURATION" in stream.metadata:  # Matroska: 00:00:01.234000000
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        promised = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    elif len(container.streams) == 1 and container.duration is not None:
        promised = container.duration / av.time_base
    if promised is None or not times or stream.time_base is None:
        return False
    lasted = float((max(times) - min(times)) * stream.time_base) + 1 / fps
    # Half a second: the last frame of a video may stay longer than the others.
    return promised - lasted > max(0.5, 2 / fps)
