"""Opening videos: files, folders of pictures, arrays, streams, items of a data set, cameras.

``VideoInput.of`` is the one way in. Frames themselves come from ``sam2core.frames``, their pictures
through ``panoptic.io.images``; here is what a run has to know besides: a name, a pace, times, and
how to tell that a clip is still the same when a run is resumed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from panoptic.errors import ImageError
from panoptic.io.arrays import CHANNELS
from panoptic.io.files import quick_hash
from panoptic.io.frame_reader import FrameReader
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.pillow_files import lifted_limit
from panoptic.io.sources.base import Unit
from panoptic.io.sources.opening import local_video
from panoptic.io.tiff_files import is_tiff
from sam2core.errors import FramesError
from sam2core.frame_order import frame_range
from sam2core.frames import FrameSource, IterFrames, PictureFrames, open_frames, pictures_of

DEFAULT_FPS = 25.0
"""For pictures, which have no pace of their own."""


@dataclass(frozen=True)
class VideoInput:
    """A video that is to be labelled.

    ``times`` are those of its frames in seconds, float64 (T,), where they are known; ``identity``
    is text that changes when the clip does, None where there is nothing to compare. What was
    copied to this machine to be read is gone after ``close``.
    """

    name: str
    source: FrameSource | IterFrames
    fps: float = DEFAULT_FPS
    times: np.ndarray | None = None
    identity: str | None = None
    copies: ExitStack | None = None

    @classmethod
    def of(
        cls,
        video: Any,
        name: str = "",
        fps: float | None = None,
        pictures: PictureSettings | None = None,
    ) -> VideoInput:
        """Opens whatever holds frames.

        ``video`` is a path (a video file, a folder of pictures, an animated picture), an array or
        a tensor of frames, a sequence of pictures, an iterator or ``IterFrames`` (a live stream),
        a source of frames, a ``Unit`` of a data set, or a ``VideoInput``, which is given back.
        ``fps`` is the pace of what has none of its own. Each frame is read as ``load_image`` reads
        it with the settings ``pictures``; what has more than 8 bits gets one range of values for
        all frames. Animated pictures have their own times.

        Raises ``FramesError`` (a ``ValueError``) where there are no frames, and ``ImageError``
        (one, too) for a unit that can't be read; warns with ``FramesWarning`` where some are
        missing.
        """
        if isinstance(video, VideoInput):
            return video
        if isinstance(video, Unit):
            return _of_unit(video, name, fps, pictures)
        if isinstance(video, str | os.PathLike):
            return _of_path(Path(video), name, fps, pictures)
        source: FrameSource | IterFrames
        read = FrameReader(pictures)
        if isinstance(video, IterFrames):
            source = video
        elif isinstance(video, Iterator):
            source = IterFrames(video, read)
        elif hasattr(video, "ndim"):
            frames = _frames_of_array(video)
            read.settle(_some(frames))
            source = PictureFrames(frames, read=read)
        else:
            if isinstance(video, Sequence):
                read.settle(_some(video))
            source = open_frames(video, read)
        times = getattr(source, "times", None)
        times = None if times is None else np.asarray(times, np.float64)
        own = getattr(source, "fps", None)
        return cls(name or "video", source, own or fps or DEFAULT_FPS, times)

    def close(self) -> None:
        if self.copies is not None:
            self.copies.close()

    @property
    def is_live(self) -> bool:
        """Whether it comes once and without a known end, as from a camera."""
        return isinstance(self.source, IterFrames)

    @property
    def at_hand(self) -> FrameSource:
        """Its frames, each to be had at any time. Raises ``FramesError`` if it is live."""
        if isinstance(self.source, IterFrames):
            raise FramesError(
                f"{self.name}: a stream of frames can't be gone back in: give a file, a folder or "
                "an array"
            )
        return self.source

    @property
    def count(self) -> int | None:
        """How many frames there are, None if it is live."""
        return None if isinstance(self.source, IterFrames) else len(self.source)

    @property
    def frame_names(self) -> tuple[str, ...]:
        """What the frames are called, if they are files: their names without endings.

        With endings where two would be called alike, and empty where that doesn't tell them apart
        either, on any file system, or a name isn't Unicode.
        """
        paths = self.source.paths if isinstance(self.source, PictureFrames) else None
        for names in ([p.stem for p in paths or ()], [p.name for p in paths or ()]):
            if len({name.casefold() for name in names}) == len(names) and is_unicode(names):
                return tuple(names)
        return ()

    def time(self, index: int) -> float:
        """When a frame is shown, in seconds from the first."""
        return index / self.fps if self.times is None else float(self.times[index])


def _frames_of_array(array: Any) -> list[Any]:
    """The pictures of an array or a tensor of frames, none of them read."""
    shape = tuple(array.shape)
    if len(shape) not in (3, 4) or 0 in shape:
        raise FramesError(
            f"an array of frames must be (T, H, W, 3) or (T, H, W), a tensor may be (T, 3, H, W); "
            f"got {array.dtype} {shape}"
        )
    one = shape[-1] in CHANNELS or (hasattr(array, "detach") and shape[0] in CHANNELS)
    if len(shape) == 3 and one:
        raise FramesError(
            f"got one picture of shape {shape}, or grey frames of few pixels, where frames "
            "(T, H, W, 3) are expected; give a list of one picture, or picture[None]"
        )
    return list(array)


def _of_unit(
    unit: Unit, name: str, fps: float | None, pictures: PictureSettings | None
) -> VideoInput:
    most = (pictures or PictureSettings()).max_video_bytes
    with ExitStack() as stack:
        path = stack.enter_context(local_video(unit, most))
        try:
            opened = _of_path(path, name or unit.name, fps, pictures)
        except ValueError as error:
            raise ImageError(f"{unit.source!r} can't be opened: {error}") from error
        return replace(opened, copies=stack.pop_all())


def _of_path(
    path: Path, name: str, fps: float | None, pictures: PictureSettings | None
) -> VideoInput:
    read = FrameReader(pictures)
    source = _open(path, read)
    name = name or (path.resolve().name if path.is_dir() else path.stem)
    own, times = getattr(source, "fps", None), getattr(source, "times", None)
    return VideoInput(name, source, own or fps or DEFAULT_FPS, times, quick_hash(path))


def _open(path: Path, read: FrameReader) -> FrameSource:
    if path.is_dir():
        read.settle(_some(pictures_of(path)))
        return open_frames(path, read)
    try:
        with path.open("rb") as stream:
            tiff = is_tiff(stream.read(16))
    except OSError:  # told by what opens it
        tiff = False
    if tiff:
        with lifted_limit():
            try:
                read.settle(_some_pages(path))
            except (OSError, SyntaxError):  # Pillow doesn't know it, and we may
                return PictureFrames([path], [str(path)], read)
    with lifted_limit():
        return open_frames(path, read)


_PROBES = 5
"""Frames by which the range of values of a clip is chosen."""


def _some(frames: Sequence[Any]) -> list[Any]:
    """A few from the first to the last."""
    return [frames[place] for place in _places(len(frames))]


def _some_pages(path: Path) -> Iterator[Any]:
    with Image.open(path) as picture:
        for place in _places(int(getattr(picture, "n_frames", 1))):
            picture.seek(place)
            yield picture


def _places(count: int) -> list[int]:
    return list(dict.fromkeys(np.linspace(0, count - 1, min(_PROBES, count)).astype(int).tolist()))


def join_clips(
    paths: Sequence[Path],
    name: str = "",
    fps: float | None = None,
    pictures: PictureSettings | None = None,
) -> VideoInput:
    """Clips one after the other as one video, at the pace of the first.

    Raises ``FramesError`` if one can't be read or their sizes differ.
    """
    clips = [VideoInput.of(path, fps=fps, pictures=pictures) for path in paths]
    if not clips:
        raise FramesError("there are no clips to join")
    sources: list[FrameSource] = []
    for path, clip in zip(paths, clips, strict=True):
        assert isinstance(clip.source, FrameSource)
        height, width = clip.source.size
        if sources and sources[0].size != (height, width):
            raise FramesError(
                f"{path} is {width} x {height} pixels and {paths[0]} "
                f"{sources[0].size[1]} x {sources[0].size[0]}; joined clips are of one size"
            )
        sources.append(clip.source)
    name = name or "+".join(clip.name for clip in clips)
    identity = " ".join(clip.identity or "" for clip in clips)
    times = np.concatenate([_lasting(clip) for clip in clips])
    begins = np.cumsum([0.0, *(_lasting(clip)[-1] + 1 / clip.fps for clip in clips[:-1])])
    times += np.repeat(begins, [len(source) for source in sources])
    return VideoInput(name, JoinedFrames(sources), clips[0].fps, times, identity)


def open_camera(number: int) -> VideoInput:
    """A camera of this machine, the first being 0. Raises ``FramesError`` if there is none."""
    import av

    ways = {"linux": ("v4l2", f"/dev/video{number}"), "darwin": ("avfoundation", f"{number}:none")}
    if sys.platform not in ways:
        raise FramesError(
            "cameras are read on Linux and macOS; elsewhere give the frames to pipeline.track"
        )
    format, device = ways[sys.platform]
    try:
        container = av.open(device, format=format)
    except (av.error.FFmpegError, ValueError) as error:
        raise FramesError(f"camera {number} ({device}) can't be opened: {error}") from error
    stream = container.streams.video[0]

    def frames() -> Iterator[np.ndarray]:
        try:
            with container:
                for frame in container.decode(stream):
                    yield frame.to_ndarray(format="rgb24")
        except av.error.FFmpegError as error:
            raise FramesError(f"camera {number} ({device}) gives no more: {error}") from error

    rate = stream.average_rate or stream.guessed_rate
    return VideoInput(f"camera-{number}", IterFrames(frames()), float(rate or DEFAULT_FPS))


class JoinedFrames:
    """The frames of several sources of one size, one source after the other."""

    def __init__(self, sources: Sequence[FrameSource]) -> None:
        self._sources = tuple(sources)
        self._begins = np.cumsum([0, *(len(source) for source in sources)])

    @property
    def size(self) -> tuple[int, int]:
        return self._sources[0].size

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        number = int(np.searchsorted(self._begins, index, side="right")) - 1
        return self._sources[number][index - int(self._begins[number])]

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        indices = frame_range(len(self), start, stop, reverse)
        order = list(zip(self._sources, self._begins.tolist(), strict=False))
        return self._each(indices, order[::-1] if reverse else order, reverse)

    def _each(
        self, indices: range, order: Sequence[tuple[FrameSource, int]], reverse: bool
    ) -> Iterator[tuple[int, np.ndarray]]:
        for source, begin in order:
            if not indices:
                return
            low, high = sorted((indices[0], indices[-1]))
            low, high = max(low, begin), min(high, begin + len(source) - 1)
            if low > high:
                continue
            first, last = (high, low) if reverse else (low, high)
            stop = last - begin + (-1 if reverse else 1)
            for index, frame in source.frames(first - begin, stop, reverse):
                yield begin + index, frame


def is_unicode(names: Sequence[str]) -> bool:
    """Whether JSON files can hold these names."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return False
    return True


def _lasting(clip: VideoInput) -> np.ndarray:
    return np.arange(clip.count or 0) / clip.fps if clip.times is None else clip.times
