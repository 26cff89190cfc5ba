"""Where frames come from: arrays, pictures, folders of pictures, video files, streams."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sam2core.errors import FramesError
from sam2core.frame_order import backwards, frame_range, natural_order
from sam2core.prefetch import prefetch
from sam2core.transforms import as_rgb
from sam2core.video_file import VideoFile

__all__ = [
    "AnimatedPicture",
    "FrameSource",
    "IterFrames",
    "PictureFrames",
    "VideoFile",
    "open_frames",
    "pictures_of",
    "prefetch",
]

Read = Callable[[Any], np.ndarray]
"""Makes RGB uint8 (H, W, 3) of one picture; ``ValueError`` where that is not possible."""

PICTURE_ENDINGS = (
    *(".avif", ".bmp", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif"),
    *(".tiff", ".webp"),
)
"""What counts as a frame in a folder: formats that cameras and tools write frames in. Other
pictures may lie beside them, a preview as GIF for one."""
ANIMATED = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")
"""Not MPO, for one, a camera's format whose further pictures are no frames."""
SHORTEST_MS, USUAL_MS = 10, 100
"""Browsers show frames that are said to last 10 ms or less for 100 ms, and so files are made."""


@runtime_checkable
class FrameSource(Protocol):
    """Frames of one size, as RGB uint8 (H, W, 3), each at hand by its index at any time."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """The frame ``index``, 0 <= index < len; ``IndexError`` outside of that."""

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index, frame) from ``start`` to before ``stop``, by default all the rest.

        In ``reverse``, from ``start`` down to before ``stop``, by default down to frame 0: the
        indices of ``range(start, stop, -1)``. A ``stop`` beyond the end is the end; a ``start``
        outside of the source is a :class:`FramesError`.
        """


class PictureFrames:
    """Frames from a sequence of anything that ``read`` takes.

    Paths are read when they are asked for and not kept. ``names`` says how to call the
    pictures in errors. The size of the first picture is demanded of all others.
    """

    def __init__(
        self, pictures: Sequence[Any], names: Sequence[str] | None = None, read: Read = as_rgb
    ) -> None:
        if len(pictures) == 0:
            raise FramesError("frames must be at least one picture, got an empty sequence")
        self._pictures = pictures
        self._names = names
        self._rgb = read
        first = self._read(0)
        self._size = (first.shape[0], first.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        frame = self._read(index)
        if frame.shape[:2] != self._size:
            raise _other_size(self._name(index), frame, self._size)
        return frame

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        indices = frame_range(len(self), start, stop, reverse)
        return ((index, self[index]) for index in indices)

    @property
    def paths(self) -> list[Path] | None:
        """The files that the pictures are read from, None unless all are files."""
        if not all(isinstance(picture, (str, os.PathLike)) for picture in self._pictures):
            return None
        return [Path(picture) for picture in self._pictures]

    def _name(self, index: int) -> str:
        return f"frame {index}" if self._names is None else self._names[index]

    def _read(self, index: int) -> np.ndarray:
        try:
            return self._rgb(self._pictures[index])
        except ValueError as error:
            name, text = self._name(index), str(error)
            raise FramesError(text if text.startswith(name) else f"{name}: {text}") from error


class AnimatedPicture:
    """Frames of an animated GIF, WebP or PNG, or of a TIFF of several pages, read by Pillow.

    These formats store changes from frame to frame, so that a frame before the last one read
    costs going through the file from its start.
    """

    def __init__(self, path: str | os.PathLike, read: Read = as_rgb) -> None:
        self._path = Path(path)
        self._rgb = read
        with Image.open(self._path) as picture:
            self._count = int(getattr(picture, "n_frames", 1))
            first = self._rgb(picture)
            self._timed = picture.format != "TIFF"
        self._size = (first.shape[0], first.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    @cached_property
    def times(self) -> np.ndarray | None:
        """When each frame is shown, float64 (T,), rising, in seconds from the first one; None for
        pages, which have no times. Finding out takes going through the file once."""
        return None if self._timed is False else self._begins_and_end[:-1]

    @property
    def fps(self) -> float | None:
        """Average frames per second; None for pages."""
        return self._count / float(self._begins_and_end[-1]) if self._timed else None

    @cached_property
    def _begins_and_end(self) -> np.ndarray:
        lasting = []
        with Image.open(self._path) as picture:
            for index in range(self._count):
                try:
                    picture.seek(index)
                    picture.load()  # some formats know how long it lasts only then
                    lasting.append(float(picture.info.get("duration") or 0))
                except (OSError, EOFError, SyntaxError, ValueError):
                    lasting.append(0)  # told when its turn comes
        shown = np.array([ms if ms > SHORTEST_MS else USUAL_MS for ms in lasting]) / 1000
        return np.concatenate([[0.0], np.cumsum(shown)])

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return next(self._read(index, index + 1))

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        indices = frame_range(len(self), start, stop, reverse)
        if reverse:
            return backwards(self._read, indices, self.size)
        return zip(indices, self._read(indices.start, indices.stop), strict=True)

    def _read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        with Image.open(self._path) as picture:
            for index in range(start, stop):
                try:
                    picture.seek(index)
                    frame = self._rgb(picture)
                except (OSError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
                    raise FramesError(f"{self._path}: frame {index}: {error}") from error
                if frame.shape[:2] != self.size:
                    raise _other_size(f"{self._path}: frame {index}", frame, self.size)
                yield frame


class IterFrames:
    """Frames of a stream of unknown length: forward, once, nothing kept.

    ``items`` are anything that ``read`` takes, all of one size.
    """

    def __init__(self, items: Iterable[Any], read: Read = as_rgb) -> None:
        self._items = iter(items)
        self._rgb = read
        self._next = 0

    def frames(
        self, start: int = 0, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index, frame); only from the first item that was not taken yet, and forward."""
        if reverse or start != self._next:
            raise FramesError(
                f"a stream only goes forward, and is at frame {self._next}; got start={start}, "
                f"reverse={reverse}. Give an array, a folder or a video file to go elsewhere"
            )
        return self._forward(stop)

    def _forward(self, stop: int | None) -> Iterator[tuple[int, np.ndarray]]:
        size: tuple[int, ...] | None = None
        while stop is None or self._next < stop:
            try:
                item = next(self._items)
            except StopIteration:
                return
            frame = self._rgb(item)
            size = size or frame.shape[:2]
            if frame.shape[:2] != size:
                raise _other_size(f"frame {self._next}", frame, size)
            self._next += 1
            yield self._next - 1, frame


def open_frames(source: Any, read: Read = as_rgb) -> FrameSource:
    """Frames of whatever holds some.

    ``source`` is an array or a tensor (T, H, W, 3) or (T, H, W) uint8, a sequence of pictures
    (arrays, tensors, PIL images, paths), a folder of pictures (in natural order: frame_2 before
    frame_10), a video file, a GIF, WebP or PNG (animated or not), a single picture's path, or a
    :class:`FrameSource`, which is given back. Tensors may be on any device. ``read`` makes pixels
    of each picture, whatever it is given as. Raises :class:`FramesError` where the source is
    nothing of this; an iterator has no length and goes into :class:`IterFrames`.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            return _open_folder(path, read)
        if not path.is_file():
            raise FramesError(f"{path}: no such file or folder")
        return _open_file(path, read)
    if isinstance(source, (np.ndarray, Tensor)):
        if source.ndim not in (3, 4) or source.dtype not in (np.uint8, torch.uint8):
            raise FramesError(
                f"an array of frames must be uint8 (T, H, W, 3), got {source.dtype} "
                f"{tuple(source.shape)}"
            )
        if source.ndim == 3 and source.shape[-1] in (3, 4):
            raise FramesError(
                f"got one picture of shape {tuple(source.shape)} where frames (T, H, W, 3) are "
                f"expected; give a list of one picture, or picture[None]"
            )
        return PictureFrames(list(source), read=read)
    if isinstance(source, FrameSource):
        return source
    if isinstance(source, Sequence):
        names = [
            str(s) if isinstance(s, (str, os.PathLike)) else f"frame {i}"
            for i, s in enumerate(source)
        ]
        return PictureFrames(source, names, read)
    raise FramesError(
        f"frames must be an array (T, H, W, 3), a list of pictures, a folder of pictures or a "
        f"video file, got {type(source).__name__}; an iterator goes into IterFrames"
    )


def pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder of frames, in natural order. ``FramesError`` if there are none."""
    paths = sorted(
        (
            p
            for p in folder.iterdir()
            if p.suffix.lower() in PICTURE_ENDINGS and not p.name.startswith(".")
        ),
        key=lambda p: natural_order(p.name),
    )
    if not paths:
        raise FramesError(
            f"{folder}: there are no pictures in this folder (looked for "
            f"{', '.join(PICTURE_ENDINGS)})"
        )
    return paths


def _open_folder(folder: Path, read: Read) -> FrameSource:
    paths = pictures_of(folder)
    return PictureFrames(paths, [str(p) for p in paths], read)


def _open_file(path: Path, read: Read) -> FrameSource:
    try:
        with Image.open(path) as picture:
            several = picture.format in ANIMATED and getattr(picture, "n_frames", 1) > 1
    except Image.DecompressionBombError as error:
        raise FramesError(f"{path}: {error}") from error
    except (OSError, SyntaxError):  # Pillow does not know it: a video file, or nothing at all
        return VideoFile(path)
    if several:
        return AnimatedPicture(path, read)
    return PictureFrames([path], [str(path)], read)


def _other_size(name: str, frame: np.ndarray, size: Sequence[int]) -> FramesError:
    return FramesError(
        f"{name} is {frame.shape[1]} x {frame.shape[0]} pixels, and the frames before it "
        f"{size[1]} x {size[0]}; all frames must be of one size"
    )
