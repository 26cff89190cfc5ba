"""Pictures in, RGB uint8 (H, W, 3) out: whatever their mode, and a clear error where it can't be.

Files come from strangers. Only common picture formats are decoded (no PostScript, no vector
formats), and a picture's size is read and judged before its pixels are.
"""

from __future__ import annotations

import io
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from panoptic.errors import ImageError, ImageNotFoundError, UnreadableImageError
from panoptic.io.arrays import array_pixels, on_white
from panoptic.io.deep_pictures import (
    declared_range,
    deep_pixels,
    deep_png_format,
    is_deep,
    read_deep_png,
)
from panoptic.io.picture_settings import MAX_PIXELS, PictureSettings, check_size
from panoptic.io.pillow_files import lifted_limit, open_picture, pictures_in, readable_formats
from panoptic.io.tiff_files import is_tiff, read_deep_tiff
from panoptic.io.value_range import RawPixels, Scaled, to_eight_bits

if TYPE_CHECKING:
    from torch import Tensor

    ImageLike = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | np.ndarray | Tensor
    """What ``load_image`` reads."""
else:
    ImageLike = Any

__all__ = ["MAX_PIXELS", "ImageLike", "Picture", "header_size", "load_image", "read_picture"]

log = logging.getLogger("panoptic.pictures")


@dataclass(frozen=True)
class Picture:
    """``pixels`` are RGB uint8 (H, W, 3); ``notes`` say what was chosen to get there, where it
    doesn't go without saying.

    Where there were more than 8 bits, ``low`` became 0 and ``high`` 255, and ``clipped`` is the
    share of values that lie outside of that.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    clipped: float = 0.0


FIRST_TAKEN = "the first is taken: `panoptic video` takes all"
"""Told of a picture that moves, where a still is asked for."""


def load_image(
    source: ImageLike,
    *,
    max_pixels: int | None = None,
    name: str | None = None,
    settings: PictureSettings | None = None,
) -> np.ndarray:
    """The picture as RGB uint8 (H, W, 3), upright, C-contiguous.

    ``source`` is a file, its bytes, an open binary file, a PIL picture, an array or a tensor:
    (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, tensors also with channels first, of bool,
    integers 0 to 255, uint16 or floats 0 to 1. ``name`` is what errors call a picture that has no
    file name. ``max_pixels`` takes the place of that of the settings.

    - EXIF orientation is applied, so the result is as a viewer shows it.
    - Transparent parts are put on white; what lies under them is not for the eye.
    - Grey becomes RGB. More than 8 bits become 8 as ``settings.stretch`` says.
    - CMYK, YCbCr, Lab, HSV and palettes become RGB; colour profiles are not applied.
    - Of animations and multi-page files the first picture counts.

    What was chosen on the way, such as a range of values, goes to the log ``panoptic.pictures`` as
    a warning.

    Raises ``ImageError`` (a ``ValueError``): ``ImageNotFoundError``, ``ImageTooLargeError``
    above ``max_pixels``, ``UnreadableImageError`` for damaged files and for what is no picture.
    """
    settings = settings or PictureSettings()
    if max_pixels is not None:
        settings = replace(settings, max_pixels=max_pixels)
    picture = read_picture(source, settings, name)
    for note in picture.notes:
        log.warning("%s", note)
    return picture.pixels


def read_picture(
    source: ImageLike, settings: PictureSettings | None = None, name: str | None = None
) -> Picture:
    """As :func:`load_image`, with what there is to say of it. Nothing is logged."""
    settings = settings or PictureSettings()
    if isinstance(source, Image.Image):
        label = name or repr(getattr(source, "filename", "") or f"PIL picture of {source.mode}")
        with lifted_limit():
            return _decode(source, settings, label)
    if isinstance(source, str | os.PathLike):
        return _from_file(Path(source), settings, name or repr(os.fspath(source)))
    if isinstance(source, bytes):
        return _from_stream(io.BytesIO(source), settings, name or f"{len(source)} bytes")
    if not isinstance(source, np.ndarray) and hasattr(source, "read"):
        label = name or repr(getattr(source, "name", "stream"))
        try:
            stream: Any = source
            stream = stream if stream.seekable() else io.BytesIO(stream.read())
        except (OSError, ValueError) as error:
            raise UnreadableImageError(f"{label} can't be read: {error}") from error
        return _from_stream(stream, settings, label)
    raw, label = array_pixels(source, settings, name)
    check_size(raw.values.shape[1], raw.values.shape[0], settings, label)
    return _picture(raw, settings, label)


def header_size(data: bytes) -> tuple[int, int]:
    """(height, width) as a picture file's header tells it: before any rotation, and unjudged.

    (0, 0) where there is no such header; ``load_image`` says what is wrong then.
    """
    try:
        with lifted_limit(), Image.open(io.BytesIO(data), formats=readable_formats()) as picture:
            return picture.size[1], picture.size[0]
    except Exception:  # see open_picture
        return 0, 0


def _from_file(path: Path, settings: PictureSettings, label: str) -> Picture:
    try:
        with path.open("rb") as stream:
            return _from_stream(stream, settings, label)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageNotFoundError(f"{label}: there is no such file") from error
    except (OSError, ValueError) as error:  # a folder, no permission, a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise UnreadableImageError(f"{label} cannot be opened: {reason}") from error


def _from_stream(stream: BinaryIO, settings: PictureSettings, label: str) -> Picture:
    start = stream.tell()
    head = stream.read(16)
    stream.seek(start)
    if start:  # whatever reads it goes back to 0
        stream = io.BytesIO(stream.read())
    with lifted_limit():
        if is_tiff(head):
            deep = read_deep_tiff(stream, settings, label)
            if deep is not None:
                return _picture(deep.raw, settings, label, deep.orientation)
            stream.seek(0)
        with open_picture(stream, label) as picture:
            if (pixels := deep_png_format(picture)) is None:
                return _decode(picture, settings, label)
            shallow = _decode(picture, settings, label)
            orientation = _orientation(picture)
        if (raw := read_deep_png(stream, pixels, picture)) is None:
            return shallow
    return _picture(raw, settings, label, orientation, shallow.notes)


def _decode(picture: Image.Image, settings: PictureSettings, label: str) -> Picture:
    check_size(*picture.size, settings, label)
    notes: tuple[str, ...] = ()
    if getattr(picture, "tell", int)() == 0 and (count := pictures_in(picture)) > 1:
        notes = (f"{label} holds {count} pictures, and {FIRST_TAKEN}",)
    declared = declared_range(picture)
    try:
        picture.load()
        if is_deep(picture):
            raw = deep_pixels(picture, declared)
            return _picture(raw, settings, label, _orientation(picture), notes)
        upright = _upright(picture)
        return Picture(np.ascontiguousarray(_to_rgb(upright)), notes)
    except ImageError:
        raise
    except Exception as error:  # see open_picture
        raise UnreadableImageError(f"{label} is damaged: {error}") from error


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # broken EXIF is no reason to refuse good pixels
        return picture


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(0x0112, 1)
    except Exception:  # see _upright
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _to_rgb(picture: Image.Image) -> np.ndarray:
    if picture.has_transparency_data:
        return on_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False),
          7: (1, True), 8: (1, False)}  # fmt: skip
"""Quarter turns to the left that EXIF's orientations take, after which what is mirrored is turned
over from left to right."""


def _picture(
    raw: RawPixels,
    settings: PictureSettings,
    label: str,
    orientation: int = 1,
    notes: tuple[str, ...] = (),
) -> Picture:
    scaled: Scaled = to_eight_bits(raw, settings, label)
    pixels = on_white(scaled.pixels) if raw.alpha else scaled.pixels
    turns, mirrored = _TURNS.get(orientation, (0, False))
    pixels = np.rot90(pixels, turns)
    pixels = pixels[:, ::-1] if mirrored else pixels
    said = [note for note in (*raw.notes, scaled.note) if note]
    more = (f"{label}: {'; '.join(said)} (the setting pictures.stretch)",) if said else ()
    if raw.colour.dtype == np.uint8:
        return Picture(as_rgb(pixels), (*notes, *more))
    return Picture(as_rgb(pixels), (*notes, *more), scaled.low, scaled.high, scaled.clipped)


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1) or (H, W, 3) as RGB, C-contiguous."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
