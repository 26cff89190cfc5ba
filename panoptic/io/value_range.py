"""Pixel values of any type to 8 bits: which of them is black and which is white, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panoptic.errors import UnreadableImageError
from panoptic.io.picture_settings import PictureSettings

_BITS = (8, 10, 12, 14, 16, 24, 32, 64)
"""Depths that sensors and files have."""
_LOWEST = -3.4e38
"""Floats below are no values: the lowest of 32 bits is what maps have where there is nothing."""
_BLOCK = 1 << 22
_SOME = 4_000_000
"""Values among which percentiles are looked for."""


@dataclass(frozen=True)
class RawPixels:
    """Pixels as a file holds them: ``values`` (H, W, C), grey or RGB, with ``alpha`` as the last.

    ``declared`` is the range that the file says its values have, ``nodata`` the value that stands
    for none; ``white_is_zero`` turns the scale round. ``notes`` say what was left out.
    """

    values: np.ndarray
    alpha: bool = False
    declared: tuple[float, float] | None = None
    nodata: float | None = None
    white_is_zero: bool = False
    notes: tuple[str, ...] = ()

    @property
    def colour(self) -> np.ndarray:
        return self.values[..., :-1] if self.alpha else self.values


@dataclass(frozen=True)
class Scaled:
    """``pixels`` uint8 (H, W, C); ``low`` became 0 and ``high`` 255. ``clipped`` is the share of
    values outside of that; ``note`` says what was done, None where it goes without saying."""

    pixels: np.ndarray
    low: float
    high: float
    clipped: float = 0.0
    note: str | None = None


def to_eight_bits(raw: RawPixels, settings: PictureSettings, label: str) -> Scaled:
    """The values in 8 bits, as ``settings.stretch`` says.

    Pixels without a value (``nodata``, nan, inf) become black. ``UnreadableImageError`` where
    there is no value at all.
    """
    colour = raw.colour
    if colour.dtype == np.uint8 and raw.declared is None and raw.nodata is None:
        return Scaled(_turned(raw, raw.values), 0, 255)
    missing = _missing(colour, raw.nodata)
    values = colour if missing is None else colour[~missing]
    if not values.size:
        raise UnreadableImageError(f"{label} has no values: all of its pixels are nodata or nan")
    least, most = float(values.min()), float(values.max())
    low, high, reason = _range(raw, values, least, most, settings)
    scaled = _scale(colour, low, high)
    if missing is not None:
        scaled[missing] = 255 if raw.white_is_zero else 0
    clipped = 0.0
    if least < low or most > high:
        clipped = float(((values < low) | (values > high)).mean())
    if raw.alpha:
        scaled = np.concatenate([scaled, _scale(raw.values[..., -1:], 0, _top(colour.dtype))], 2)
    said = []
    if reason:
        cut = f", {100 * clipped:.2g} % beyond are cut off" if clipped else ""
        said.append(f"{_kind(colour.dtype)}, {least:g} to {most:g}: {reason}{cut}")
    if missing is not None:
        said.append(f"{100 * float(missing.any(-1).mean()):.2g} % have no value and are black")
    note = "; ".join(said) or None
    return Scaled(_turned(raw, scaled), low, high, clipped, note)


def _range(
    raw: RawPixels, values: np.ndarray, least: float, most: float, settings: PictureSettings
) -> tuple[float, float, str]:
    """(low, high, why), nothing for why where every value means what its type says."""
    whole = (0.0, _top(values.dtype))
    if (fixed := settings.fixed_range) is not None:
        return *fixed, f"{fixed[0]:g} to {fixed[1]:g} were asked for as black to white"
    if settings.stretch == "percentiles":
        some = values.ravel()[:: max(1, values.size // _SOME)]
        low, high = (float(value) for value in np.percentile(some, (1, 99)))
        if low < high:
            return low, high, f"{low:g} to {high:g} (1 % to 99 %) are black to white"
    if settings.stretch in ("minmax", "percentiles"):
        return least, _above(least, most), "lowest to highest are black to white"
    if settings.stretch == "full":
        low = float(np.iinfo(values.dtype).min) if values.dtype.kind == "i" else 0.0
        return low, whole[1], "" if low == 0 else "all that the type holds is black to white"
    if raw.declared is not None and raw.declared[0] <= least and most <= raw.declared[1]:
        low, high = raw.declared
        return low, high, "" if (low, high) == whole else f"the file says {low:g} to {high:g}"
    if values.dtype.kind == "f":
        if least >= 0 and most <= 1:
            return 0.0, 1.0, ""
        return least, _above(least, most), "lowest to highest are black to white"
    if least < 0:
        return least, _above(least, most), "lowest to highest are black to white"
    bits = next(bits for bits in _BITS if most < 2**bits)
    high = min(2.0**bits - 1, whole[1])
    if high == whole[1] and values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return 0.0, high, ""
    return 0.0, high, f"read as {'15' if high == 32_767 else bits} bits, 0 to {high:g}"


def _top(kind: np.dtype) -> float:
    return 1.0 if kind.kind == "f" else 1.0 if kind.kind == "b" else float(np.iinfo(kind).max)


def _above(least: float, most: float) -> float:
    return most if most > least else least + 1


def _missing(values: np.ndarray, nodata: float | None) -> np.ndarray | None:
    """Where there is no value, (H, W, C); None if there is one everywhere."""
    missing = None
    if values.dtype.kind == "f":
        missing = ~np.isfinite(values)
        if values.dtype.itemsize >= 4:
            missing |= values < _LOWEST
    if nodata is not None:
        none = values == nodata
        missing = none if missing is None else missing | none
    return missing if missing is not None and missing.any() else None


def _scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(values - low) / (high - low) x 255, rounded and cut off, in pieces to spare the memory."""
    if values.dtype == np.uint16:
        return _scaled(np.arange(65_536), low, high)[values]
    result = np.empty(values.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        result[start : start + rows] = _scaled(part, low, high)
    return result


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    shares = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(np.nan_to_num(shares, posinf=0, neginf=0), 0, 1) * 255).astype(np.uint8)


def _turned(raw: RawPixels, pixels: np.ndarray) -> np.ndarray:
    if not raw.white_is_zero:
        return pixels
    pixels = pixels.copy()
    colours = pixels.shape[2] - raw.alpha
    pixels[..., :colours] = 255 - pixels[..., :colours]
    return pixels


def _kind(kind: np.dtype) -> str:
    name = {"u": "unsigned", "i": "signed", "f": "float", "b": "one"}[kind.kind]
    return f"{8 * kind.itemsize} bits" + ("" if name == "unsigned" else f" ({name})")
