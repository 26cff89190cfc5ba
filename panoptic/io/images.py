"""Pictures in, RGB uint8 (H, W, 3) out: whatever their mode, and a clear error where it can't be.

Files come from strangers. Only common picture formats are decoded (no PostScript, no vector
formats), and a picture's size is read and judged before its pixels are.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from panoptic.errors import ImageError, ImageNotFoundError, ImageTooLargeError, UnreadableImageError

# Pillow's own threshold of doubt, a quarter of a gigabyte of RGB. A few kilobytes of PNG can
# claim any size; a picture that really is larger is welcome when the caller says so.
MAX_PIXELS = 89_478_485


# Formats with a signature of their own, so that no text file passes as a picture.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")

ImageLike = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | np.ndarray
"""What ``load_image`` reads."""


def load_image(
    source: ImageLike,
    *,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> np.ndarray:
    """The picture as RGB uint8 (H, W, 3), upright, C-contiguous.

    ``source`` is a file, its bytes, an open binary file, a PIL picture or an array: (H, W),
    (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of bool, integers 0 to 255, uint16 (0 to 65535) or
    floats 0 to 1. ``name`` is what errors call a picture that has no file name.

    - EXIF orientation is applied, so the result is as a viewer shows it.
    - Transparent parts are put on white; what lies under them is not for the eye.
    - Grey becomes RGB. 16 bits are scaled to 8, the whole range to the whole range.
    - CMYK, YCbCr, Lab, HSV and palettes become RGB; colour profiles are not applied.
    - Of animations and multi-page files the first picture counts.

    Raises ``ImageError`` (a ``ValueError``): ``ImageNotFoundError``, ``ImageTooLargeError``
    above ``max_pixels``, ``UnreadableImageError`` for damaged files and for what is no picture.
    """
    if isinstance(source, np.ndarray):
        label = name or f"array of {source.dtype} {source.shape}"
        pixels = _from_array(source, label)
        _check_size(pixels.shape[1], pixels.shape[0], max_pixels, label)
        return pixels
    if isinstance(source, Image.Image):
        label = name or repr(getattr(source, "filename", "") or f"PIL picture of {source.mode}")
        return _decode(source, max_pixels, label)
    if isinstance(source, str | os.PathLike):
        return _from_file(Path(source), max_pixels, name or repr(os.fspath(source)))
    if isinstance(source, bytes):
        return _from_stream(io.BytesIO(source), max_pixels, name or f"{len(source)} bytes")
    if hasattr(source, "read"):
        return _from_stream(source, max_pixels, name or repr(getattr(source, "name", "stream")))
    raise ImageError(
        "a picture is a path, bytes, a binary file, a PIL picture or a numpy array (H, W, 3), "
        f"got {type(source).__name__}"
    )


def header_size(data: bytes) -> tuple[int, int]:
    """(height, width) as a picture file's header tells it: before any rotation, and unjudged.

    (0, 0) where there is no such header; ``load_image`` says what is wrong then.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_readable_formats()) as picture:
            return picture.size[1], picture.size[0]
    except Exception:  # see _from_stream
        return 0, 0


def _from_file(path: Path, max_pixels: int, label: str) -> np.ndarray:
    try:
        with path.open("rb") as stream:
            return _from_stream(stream, max_pixels, label)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageNotFoundError(f"{label}: there is no such file") from error
    except (OSError, ValueError) as error:  # a folder, no permission, a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise UnreadableImageError(f"{label} cannot be opened: {reason}") from error


def _from_stream(stream: BinaryIO, max_pixels: int, label: str) -> np.ndarray:
    try:
        picture = Image.open(stream, formats=_readable_formats())
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"{label}: {error}") from error
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and others on
        # hostile headers; none of them may end a run over a thousand files.
        if not stream.seekable() or not stream.seek(0, io.SEEK_END):
            raise UnreadableImageError(f"{label} is empty") from error
        reason = "no picture of a known format" if isinstance(error, OSError) else error
        raise UnreadableImageError(f"{label}: {reason}") from error
    with picture:
        return _decode(picture, max_pixels, label)


@cache
def _readable_formats() -> tuple[str, ...]:
    Image.init()  # without it Pillow knows only its five oldest formats here
    return tuple(format for format in _FORMATS if format in Image.OPEN)


def _decode(picture: Image.Image, max_pixels: int, label: str) -> np.ndarray:
    _check_size(*picture.size, max_pixels, label)
    try:
        picture.load()
        upright = _upright(picture)
        return np.ascontiguousarray(_to_rgb(upright, label))
    except ImageError:
        raise
    except Exception as error:  # see _from_stream
        raise UnreadableImageError(f"{label} is damaged: {error}") from error


def _check_size(width: int, height: int, max_pixels: int, label: str) -> None:
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{label} has {width} x {height} pixels, more than max_pixels={max_pixels:,}"
        )
    if not width or not height:
        raise UnreadableImageError(f"{label} has no pixels ({width} x {height})")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # broken EXIF is no reason to refuse good pixels
        return picture


def _to_rgb(picture: Image.Image, label: str) -> np.ndarray:
    if picture.mode.startswith("I;16"):
        return _from_array(np.asarray(picture).astype(np.uint16), label)
    if picture.mode == "I":  # Pillow's older name for 16-bit PNG, and 32-bit TIFF
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65_535:
            raise UnreadableImageError(f"{label}: 32-bit values, only 8 and 16 bits can be scaled")
        return _from_array(values.astype(np.uint16), label)
    if picture.mode == "F":
        return _from_array(np.asarray(picture), label)
    if picture.has_transparency_data:
        return _on_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


def _on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _from_array(array: np.ndarray, label: str) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; channels come last: array.transpose(1, 2, 0)"
        raise ImageError(f"{label}: expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4){hint}")
    pixels = _to_bytes(array, label)
    if pixels.shape[2] == 4:
        return _on_white(pixels)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _to_bytes(array: np.ndarray, label: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ImageError(f"{label}: pixels must be numbers")
    low, high = array.min(), array.max()
    if np.issubdtype(array.dtype, np.floating):
        if not (low >= 0 and high <= 1):  # also where there is a nan
            raise ImageError(
                f"{label}: float pixels must be 0 to 1, got {low} to {high}; "
                "convert pixels of 0 to 255 with .astype('uint8')"
            )
        return np.round(array * 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise ImageError(f"{label}: integer pixels must be 0 to 255, got {low} to {high}")
    return array.astype(np.uint8)
