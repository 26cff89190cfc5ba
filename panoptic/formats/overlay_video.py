"""The video with its segments in colour, as an MP4 that can be resumed.

A file of one piece could not be gone on with after a kill. So the video is encoded in parts, each
from one checkpoint to the next, and in the end they are put together without encoding anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from panoptic.formats.video_output import Place, VideoInfo, present
from panoptic.io.files import Journal, whole_file
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.show.drawing import Color, shade
from panoptic.show.overlay import ShowSettings, category_colors, overlay
from prompts import Vocabulary

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame

SHOW = ShowSettings(legend=False, ids=True, min_side=480, max_side=1280)
"""Small enough to play anywhere; a legend would change the height from frame to frame."""
CLOCK = 90_000
"""Ticks a second of the file's times, MPEG's usual clock."""
# H.264 first, and MPEG-4 for builds of FFmpeg without an encoder for it. The same bytes each time:
# one thread, and no macroblock tree, with which x264 gives, at widths that aren't a multiple of 32,
# other bytes for the same frames in one encoding of fifty (it seems to read memory that it never
# wrote). No B-frames, so that frames are stored in the order they are shown.
ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "20", "preset": "veryfast", "mbtree": "0", "bf": "0", "threads": "1"},
    "mpeg4": {"qmin": "3", "qmax": "5", "bf": "0", "threads": "1"},
}


class OverlayOutput:
    """``FOLDER/overlays/VIDEO.mp4``, H.264, with the video's own times, variable or not.

    Until it is done, ``FOLDER/overlays/VIDEO.parts/`` holds MP4s of the frames between
    checkpoints. An id keeps its colour throughout. Sound isn't taken over.
    """

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self.path = folder / "overlays" / f"{info.name}.mp4"
        self._parts = _parts(folder, info)
        self._info = info
        self._frame = start
        self._part: _Part | None = None
        if start == 0:
            shutil.rmtree(self._parts, ignore_errors=True)
        self._parts.mkdir(parents=True, exist_ok=True)
        for path in self._parts.glob("*.mp4*"):
            if path.suffix == ".part" or _span(path)[0] >= start:
                path.unlink()
        covered = 0
        for first, stop in map(_span, self._finished()):
            covered = stop if first == covered else -1
        if covered != start:
            raise ValueError(f"{str(self._parts)!r} does not hold the frames before {start}")
        self._times = Journal(self._parts / "times.jsonl", start)

    def add(self, frame: PanopticFrame) -> None:
        picture = draw(frame.segmentation, frame.image, self._info.vocabulary)
        if self._part is None:
            self._part = _Part(self._parts, self._frame, picture.size, self._info.fps)
        self._part.add(picture)
        time = frame.index / self._info.fps if frame.time is None else frame.time
        self._times.append({"time": round(time, 6)})
        self._frame += 1

    def checkpoint(self) -> None:
        if self._part is not None:
            self._part.close(self._frame)
            self._part = None

    def close(self) -> Path:
        self.checkpoint()
        self._times.close()
        parts = self._finished()
        if not parts:
            raise ValueError(f"no frame of {self._info.name!r} was written: there is no video")
        times = [round(record["time"] * CLOCK) for record in self._times]
        with whole_file(self.path) as target:
            _join(parts, times, round(CLOCK / self._info.fps), target)
        return self.path

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return [_parts(folder, info)]

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        return present([folder / "overlays" / f"{info.name}.mp4"])

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        return [(f"overlays/{info.name}.parts", "*"), *info.places("overlays", ".mp4", ".mp4.part")]

    def _finished(self) -> list[Path]:
        return sorted(self._parts.glob("*.mp4"))


def draw(
    result: PanopticSegmentation, image: np.ndarray | None, vocabulary: Vocabulary
) -> Image.Image:
    """One frame as the overlay shows it: of even size, names with ids, colours that stay."""
    base = category_colors(result, vocabulary)
    shades: dict[int, Color] = {
        s.id: shade(base[s.category_id], s.id) if s.is_thing else base[s.category_id]
        for s in result
    }
    picture = overlay(result, image, colors=vocabulary, shades=shades, settings=SHOW)
    width, height = picture.size
    if width % 2 == height % 2 == 0:
        return picture
    # The usual colour format shares colour between 2 x 2 pixels: the last row or column doubles.
    padded = np.pad(np.asarray(picture), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return Image.fromarray(padded)


def _parts(folder: Path, info: VideoInfo) -> Path:
    return folder / "overlays" / f"{info.name}.parts"


class _Part:
    """The frames from one checkpoint to the next as an MP4 of their own."""

    def __init__(self, folder: Path, first: int, size: tuple[int, int], fps: float) -> None:
        self._folder = folder
        self._first = first
        self._path = folder / f"{first:08d}.mp4.part"
        self._container = av.open(str(self._path), "w", format="mp4")
        name = next(name for name in ENCODERS if name in av.codecs_available)
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(name, rate=rate, options=ENCODERS[name])
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        self._stream = stream

    def add(self, picture: Image.Image) -> None:
        frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def close(self, stop: int) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._path.replace(self._folder / f"{self._first:08d}-{stop:08d}.mp4")


def _span(part: Path) -> tuple[int, int]:
    """The frames of a finished part: the first, and the one after its last."""
    first, _, stop = part.stem.partition("-")
    return int(first), int(stop)


def _join(parts: list[Path], times: list[int], last: int, target: Path) -> None:
    """The parts as one MP4, frame i shown at ``times[i]``, the last one for ``last`` ticks."""
    ticks, clock = _lasting(times, last), Fraction(1, CLOCK)
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: av.VideoStream | None = None
        for packet in _packets(parts):
            if stream is None:
                assert isinstance(packet.stream, av.VideoStream)
                stream = container.add_stream_from_template(packet.stream)
                stream.time_base = clock
            packet.pts, packet.duration = next(ticks)
            packet.dts = packet.pts
            packet.time_base = clock
            packet.stream = stream
            container.mux(packet)


def _packets(parts: list[Path]) -> Iterator[av.Packet]:
    for path in parts:
        with av.open(str(path)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    yield packet


def _lasting(times: list[int], last: int) -> Iterator[tuple[int, int]]:
    """(begin, duration) of every frame; begins rise, whatever the times say."""
    begins: list[int] = []
    for time in times:
        begins.append(time - times[0] if not begins else max(time - times[0], begins[-1] + 1))
    for begin, end in zip(begins, [*begins[1:], begins[-1] + last], strict=True):
        yield begin, end - begin
