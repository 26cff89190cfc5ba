"""Files as Pillow opens them: of formats with a signature, under our limit of pixels alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from panoptic.errors import UnreadableImageError
from panoptic_anything import how_to_install

# Formats with a signature of their own, so that no text file passes as a picture.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_NOT_MOVING = ("MPO", "JPEG", "HEIF")
"""Their further pictures are other views or previews of the first."""


_MOST_OF_A_LABEL = 1 << 29


class _PillowLimit:
    """While we read, Pillow's own limit is off: ours is looked at as soon as the header is read.

    It is one for the whole program, so it comes back when the last of our threads is done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._before: int | None = None

    @contextmanager
    def lifted(self) -> Iterator[None]:
        with self._lock:
            if not self._readers:
                self._before = Image.MAX_IMAGE_PIXELS
                Image.MAX_IMAGE_PIXELS = None
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers:
                    Image.MAX_IMAGE_PIXELS = self._before


lifted_limit = _PillowLimit().lifted
"""A context in which Pillow has no limit of its own."""


@contextmanager
def open_png(path: str | Path) -> Iterator[ImageFile.ImageFile]:
    """A label: a PNG that may be larger than Pillow allows, as large pictures have large labels.

    Raises what Pillow raises: ``OSError``, ``SyntaxError``.
    """
    with lifted_limit(), Image.open(path, formats=["PNG"]) as png:
        if png.width * png.height > _MOST_OF_A_LABEL:
            raise OSError(f"it has {png.width} x {png.height} pixels, which no label has")
        yield png


def open_picture(stream: BinaryIO, label: str) -> ImageFile.ImageFile:
    """The picture in a file, its pixels not read yet; call it under ``lifted_limit``.

    ``UnreadableImageError`` for what is no picture of a known format.
    """
    try:
        return Image.open(stream, formats=readable_formats())
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and others on
        # hostile headers; none of them may end a run over a thousand files.
        if not stream.seekable() or not stream.seek(0, io.SEEK_END):
            raise UnreadableImageError(f"{label} is empty") from error
        stream.seek(0)
        if is_heif(stream.read(16)) and "HEIF" not in readable_formats():
            raise UnreadableImageError(
                f"{label} is a HEIF picture, which takes the package pillow-heif: "
                f"{how_to_install('heif')}"
            ) from error
        reason = "no picture of a known format" if isinstance(error, OSError) else error
        raise UnreadableImageError(f"{label}: {reason}") from error


def is_heif(head: bytes) -> bool:
    """By the brand in the first box of the file."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read here, HEIF where its package is installed."""
    Image.init()  # without it Pillow knows only its five oldest formats here
    found = tuple(format for format in _FORMATS if format in Image.OPEN)
    try:
        import pillow_heif
    except ImportError:
        return found
    pillow_heif.register_heif_opener()
    return (*found, "HEIF")


def pictures_in(picture: Any) -> int:
    """How many pictures follow each other in a file: the frames of an animation, or pages."""
    if picture.format in _NOT_MOVING:
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # of damaged ones, see open_picture
        return 1
