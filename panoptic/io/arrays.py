"""Arrays and tensors as pictures: which axis is the colours, and what their numbers mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from panoptic.errors import ImageError
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.value_range import RawPixels
from sam2core.arrays import as_array

CHANNELS = (1, 3, 4)


def array_pixels(
    source: Any, settings: PictureSettings, name: str | None = None
) -> tuple[RawPixels, str]:
    """Its pixels, and what errors call it.

    Takes arrays (H, W), (H, W, 1), (H, W, 3) and (H, W, 4), and such tensors on any device, which
    may have their channels first: (3, H, W). ``ImageError`` for anything else, for tensors that
    could be either, and for numbers whose range isn't clear.
    """
    is_tensor = hasattr(source, "detach")
    if not (isinstance(source, np.ndarray) or is_tensor or hasattr(source, "__array__")):
        raise ImageError(
            "a picture is a path, bytes, a binary file, a PIL picture, a numpy array (H, W, 3) or "
            f"a tensor (3, H, W), got {type(source).__name__}"
        )
    array = as_array(source)
    kind = "tensor" if is_tensor else "array"
    label = name or f"{kind} of {array.dtype} {array.shape}"
    if not array.dtype.isnative:  # as FITS and TIFF have them
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and is_tensor:
        array = _channels_last(array, label)
    if array.ndim != 3 or array.shape[2] not in CHANNELS or 0 in array.shape:
        raise ImageError(
            f"{label}: expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4){_hint(array)}"
        )
    return RawPixels(_clear(array, settings, label), alpha=array.shape[2] == 4), label


def on_white(rgba: np.ndarray) -> np.ndarray:
    """RGBA or grey with alpha, uint8 (H, W, 4) or (H, W, 2), in front of white."""
    alpha = rgba[..., -1:].astype(np.uint16)
    mixed = rgba[..., :-1] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _channels_last(array: np.ndarray, label: str) -> np.ndarray:
    first, last = array.shape[0] in CHANNELS, array.shape[2] in CHANNELS
    if first and last:
        raise ImageError(
            f"{label}: could be (C, H, W) or (H, W, C); give a numpy array, which is (H, W, C)"
        )
    return np.moveaxis(array, 0, -1) if first else array


def _hint(array: np.ndarray) -> str:
    if array.ndim == 4:
        return "; one picture at a time: a batch is a list of pictures"
    if array.ndim == 3 and array.shape[0] in CHANNELS:
        return "; channels come last: array.transpose(1, 2, 0)"
    return ""


def _clear(array: np.ndarray, settings: PictureSettings, label: str) -> np.ndarray:
    """Numbers whose meaning is clear: as uint8 where they are 0 to 255."""
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype in (np.uint8, np.uint16):
        return array
    if array.dtype.kind not in "iuf":
        raise ImageError(f"{label}: pixels must be numbers")
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= 0 and high <= 1) and settings.stretch == "auto":  # also where there is a nan
            raise ImageError(
                f"{label}: float pixels must be 0 to 1, got {low} to {high}; "
                "convert pixels of 0 to 255 with .astype('uint8'), or ask for "
                'pictures.stretch="minmax"'
            )
        return array
    if settings.stretch == "auto" and (low < 0 or high > 255):
        raise ImageError(
            f"{label}: integer pixels must be 0 to 255, got {low} to {high}; uint16 may be any, "
            'and pictures.stretch="minmax" takes others'
        )
    return array.astype(np.uint8) if low >= 0 and high <= 255 else array
