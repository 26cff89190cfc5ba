"""Pictures of more than 8 bits as Pillow opens them, with all of their bits."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from panoptic.io.tiff_files import tiff_range
from panoptic.io.value_range import RawPixels

_DEEP_PNG = {"RGB;16B": "rgb48le", "RGBA;16B": "rgba64le", "LA;16B": "rgba64le"}
"""Pillow keeps the upper 8 bits of these."""
_WHITE_IS_ZERO = 262  # TIFF's photometric interpretation


def is_deep(picture: Image.Image) -> bool:
    """Whether all bits are in Pillow's own pixels, which are more than 8."""
    return picture.mode.startswith("I;16") or picture.mode in ("I", "F")


def deep_pixels(picture: Image.Image, declared: tuple[float, float] | None) -> RawPixels:
    """Those of a picture for which ``is_deep``, decoded. ``declared`` is as of ``declared_range``,
    which is to be asked before."""
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        values = values.astype(np.uint16)
    elif picture.mode == "I" and values.size and values.min() >= 0 and values.max() < 65_536:
        values = values.astype(np.uint16)  # Pillow's older name for 16-bit PNG
    tags = getattr(picture, "tag_v2", {})
    values, alpha = _without(values[..., None], picture)
    return RawPixels(values, alpha, declared, None, tags.get(_WHITE_IS_ZERO) == 0)


def declared_range(picture: Image.Image) -> tuple[float, float] | None:
    """The range that an opened file says its values have, as Pillow will give them.

    A PGM names its highest value, and Pillow scales to it.
    """
    tile = getattr(picture, "tile", None)
    if picture.format == "PPM" and tile and tile[0][0].startswith("ppm"):
        return (0.0, 65_535.0)
    if picture.format == "TIFF" and is_deep(picture):
        tags = picture.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(258, (16,))
        return tiff_range(tags.get, bits[0] if isinstance(bits, tuple) else bits)
    return None


def deep_png_format(picture: Image.Image) -> str | None:
    """How ffmpeg calls the pixels of a PNG of 16-bit colours; None for all other pictures."""
    tile = getattr(picture, "tile", None)
    if picture.format != "PNG" or not tile:
        return None
    return _DEEP_PNG.get(tile[0][3][0] if isinstance(tile[0][3], tuple) else tile[0][3])


def read_deep_png(stream: BinaryIO, pixels: str, picture: Image.Image) -> RawPixels | None:
    """A PNG with all of its 16 bits; None where ffmpeg doesn't read it. Pillow is to have found it
    whole before, as ``picture``."""
    import av

    stream.seek(0)
    try:
        with av.open(stream, format="png_pipe") as container:
            frame = next(container.decode(video=0))
            values = frame.reformat(format=pixels).to_ndarray()
    except (av.error.FFmpegError, StopIteration, ValueError):
        return None
    return RawPixels(*_without(values, picture))


def _without(values: np.ndarray, picture: Image.Image) -> tuple[np.ndarray, bool]:
    """``values`` (H, W, C) with alpha, and whether they have: a PNG may name one colour that is
    transparent, and Pillow takes no notice of that beyond 8 bits."""
    hidden = picture.info.get("transparency") if picture.format == "PNG" else None
    if values.shape[2] not in (1, 3) or not isinstance(hidden, int | tuple):
        return values, values.shape[2] == 4
    shown = (values != np.array(hidden)).any(axis=-1, keepdims=True)
    return np.concatenate([values, shown * values.dtype.type(np.iinfo(values.dtype).max)], 2), True
