"""Opening what a source lists: bytes of pictures, videos as local files, in bounded memory."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from panoptic.errors import ImageError, ImageNotFoundError, UnreadableImageError
from panoptic.io.picture_settings import MAX_BYTES, MAX_VIDEO_BYTES, too_large
from panoptic.io.sources.base import Unit

_BLOCK = 1 << 20


def is_url(source: str) -> bool:
    return "://" in source


def read_unit(unit: Unit, max_bytes: int = MAX_BYTES) -> bytes:
    """The file of a unit. ``ImageError`` says why it can't be read."""
    label = repr(unit.source)
    if unit.source.startswith("datasets://"):
        from panoptic.io.sources.huggingface import read_row

        return read_row(unit.source, max_bytes)
    with _open(unit, label) as stream:
        data = _read(stream, max_bytes + 1, label)
    if unit.span is not None and len(data) < min(unit.span[1], max_bytes):
        raise UnreadableImageError(f"{label} ends within {unit.name!r}")
    if len(data) > max_bytes:
        raise too_large(label, max_bytes, "max_bytes")
    if not data:
        raise UnreadableImageError(f"{label} is empty")
    return data


@contextmanager
def local_video(unit: Unit, max_bytes: int = MAX_VIDEO_BYTES) -> Iterator[Path]:
    """A unit as a file on this machine: itself, or a copy for the time of the block.

    ``ImageError`` says why it can't be read, or copied: where it has more than ``max_bytes``.
    """
    if unit.span is None and not is_url(unit.source):
        with _open(unit, repr(unit.source)):
            yield Path(unit.source)
        return
    ending = os.path.splitext(unit.name)[1]
    with tempfile.TemporaryDirectory(prefix="panoptic-") as folder:
        path = Path(folder) / f"video{ending if ending[1:].isalnum() else ''}"
        label = repr(unit.source)
        with _open(unit, label) as stream, path.open("wb") as copy:
            _copy(stream, copy, max_bytes, label)
        yield path


class _Part:
    """Some bytes of an open file, as a file."""

    def __init__(self, stream: BinaryIO, start: int, length: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


@contextmanager
def _open(unit: Unit, label: str) -> Iterator[Any]:
    try:
        with _opened(unit.source) as stream:
            yield stream if unit.span is None else _Part(stream, *unit.span)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageNotFoundError(f"{label}: there is no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableImageError(f"{label} cannot be opened: {reason}") from error


def _opened(source: str) -> Any:
    if is_url(source):
        import fsspec

        return fsspec.open(source, "rb")
    # A pipe or a terminal that is called x.jpg must not make us wait for ever.
    descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _binary())
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a file")
    return os.fdopen(descriptor, "rb")


def _binary() -> int:
    return getattr(os, "O_BINARY", 0)


def _read(stream: Any, most: int, label: str) -> bytes:
    return b"".join(_blocks(stream, most, label))


def _copy(stream: Any, copy: BinaryIO, most: int, label: str) -> None:
    left = most
    for block in _blocks(stream, most + 1, label):
        left -= len(block)
        if left < 0:
            raise too_large(label, most, "max_video_bytes")
        copy.write(block)


def _blocks(stream: Any, most: int, label: str) -> Iterator[bytes]:
    """At most so many bytes, whatever the other side says of its size."""
    try:
        left = most
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            yield block
            left -= len(block)
    except ImageError:
        raise
    except Exception as error:  # whatever a network's library raises
        raise UnreadableImageError(f"{label} can't be read: {error}") from error
