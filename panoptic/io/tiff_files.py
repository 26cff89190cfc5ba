"""TIFF's variants that Pillow reads with fewer bits, with other bands or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from panoptic.errors import ImageError, ImageTooLargeError, UnreadableImageError
from panoptic.io.picture_settings import PictureSettings, check_size
from panoptic.io.value_range import RawPixels
from panoptic_anything import how_to_install

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_PALETTE, _CMYK, _YCBCR, _LAB = 3, 5, 6, 8
_NAMES = {32803: "raw camera data (CFA)", 34892: "raw camera data (linear)", 4: "a mask"}
_ORIENTATION, _NODATA = 274, 42113
_LOWEST, _HIGHEST = (340, 280), (341, 281)  # of samples, and of unsigned ones, as TIFF 6 has them
_WIDEST = 16
"""Bytes a pixel up to which more than three bands are read."""


@dataclass(frozen=True)
class TiffPicture:
    """The first picture of a TIFF: its pixels, and how it lies (EXIF's orientation, 1 to 8)."""

    raw: RawPixels
    orientation: int


def is_tiff(head: bytes) -> bool:
    return head.startswith(_MAGIC)


def read_deep_tiff(stream: BinaryIO, settings: PictureSettings, label: str) -> TiffPicture | None:
    """The first picture of a TIFF, None where Pillow reads just that: up to 8 bits, in colours,
    grey or a palette. ``ImageError`` for what neither reads."""
    import tifffile

    try:
        page: Any = tifffile.TiffFile(stream).pages.first
        deep = page.dtype is None or page.dtype.itemsize > 1 or page.dtype.kind not in "bu"
        photometric, bands = int(page.photometric), page.samplesperpixel
        width, height = page.imagewidth, page.imagelength
        bands_known = bands <= 3 or (bands == 4 and photometric in (_RGB, _CMYK))
        separate = bands > 1 and int(page.planarconfig) == 2
        several = bands == 2 and not _has_alpha(page)
    except Exception:  # of hostile files; Pillow says what is wrong
        return None
    if photometric in _NAMES:
        raise UnreadableImageError(
            f"{label} is a TIFF of {_NAMES[photometric]}, which isn't a picture yet: develop it"
        )
    if photometric in (_PALETTE, _CMYK, _YCBCR, _LAB) and not separate:
        return None
    if not (deep or several or separate or not bands_known) or page.dtype is None:
        return None
    if page.dtype.kind not in "buif":
        raise UnreadableImageError(
            f"{label} is a TIFF of {page.dtype}, which isn't a picture yet: save its magnitude, say"
        )
    check_size(width, height, settings, label)
    max_pixels = settings.max_pixels
    if width * height * bands * page.dtype.itemsize > _WIDEST * max_pixels:
        raise ImageTooLargeError(
            f"{label} has {bands} bands of {width} x {height} pixels, more than "
            f"{_WIDEST} bytes for each of max_pixels={max_pixels:,}"
        )
    try:
        values = page.asarray()
    except Exception as error:
        if "imagecodecs" not in str(error):
            raise UnreadableImageError(f"{label} is damaged: {error}") from error
        if bands_known and not separate and not several and page.dtype.itemsize <= 4:
            return None
        raise UnreadableImageError(
            f"{label} is a TIFF of {bands} bands of {page.dtype}, packed as "
            f"{getattr(page.compression, 'name', page.compression)}: reading that takes the "
            f"package imagecodecs: {how_to_install('tiff')}"
        ) from error
    if separate:
        values = np.moveaxis(values, 0, -1)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape != (height, width, bands):
        raise UnreadableImageError(f"{label}: a TIFF of shape {values.shape} is no picture")
    return TiffPicture(_raw(page, values, photometric, settings, label), _orientation(page))


def tiff_range(tags: Any, bits: int) -> tuple[float, float] | None:
    """The range of the values as a TIFF's tags say it; None where they say no more than the type.

    ``tags`` gives the value of a number, or None; ``bits`` are those of a sample.
    """
    low = next((v for v in map(_number, map(tags, _LOWEST)) if v is not None), 0.0)
    high = next((v for v in map(_number, map(tags, _HIGHEST)) if v is not None), None)
    if high is not None and low < high and high != 2.0**bits - 1:
        return low, high
    return (0.0, 2.0**bits - 1) if bits in (10, 12, 14) else None


def _raw(
    page: Any, values: np.ndarray, photometric: int, settings: PictureSettings, label: str
) -> RawPixels:
    alpha, notes = _has_alpha(page), []
    colours = values.shape[2] - alpha
    if alpha and values.dtype.kind not in "ub":
        values, alpha = values[..., :-1], False
        notes.append("its transparency is left out")
    plain = colours == 1 or (colours == 3 and photometric == _RGB)
    if not plain or settings.band_indices != (0, 1, 2):
        chosen = settings.band_indices
        if colours < 3 and chosen == (0, 1, 2):
            chosen = (0,)
        if max(chosen) >= colours:
            raise ImageError(
                f"{label} has {colours} bands, and {settings.bands} are to be shown: choose by "
                "pictures.bands"
            )
        last = [values.shape[2] - 1] if alpha else []
        values = values[..., [*chosen, *last]]
        names = ", ".join(str(index + 1) for index in chosen)
        what = "red, green, blue" if len(chosen) == 3 else "grey"
        notes.append(f"of its {colours} bands {names} are taken as {what}")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else page.bitspersample[0]
    declared = tiff_range(lambda number: _tag(page, number), bits)
    nodata = _number(_tag(page, _NODATA))
    return RawPixels(values, alpha, declared, nodata, photometric == _WHITE_IS_ZERO, tuple(notes))


def _has_alpha(page: Any) -> bool:
    return bool(page.extrasamples) and int(page.extrasamples[-1]) in (1, 2)


def _tag(page: Any, number: int) -> Any:
    tag = page.tags.get(number)
    return None if tag is None else tag.value


def _orientation(page: Any) -> int:
    value = _tag(page, _ORIENTATION)
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _number(value: Any) -> float | None:
    """The least useful of a tag's forms: a number, several, a fraction, text."""
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    if isinstance(value, bytes | str):
        text = value.decode(errors="replace") if isinstance(value, bytes) else value
        value = text.strip("\0 \n")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
