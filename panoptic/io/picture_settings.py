"""How pictures are read: how large they may be, and how more than 8 bits become 8."""

from __future__ import annotations

import re
from dataclasses import dataclass

from panoptic.errors import ImageError, ImageTooLargeError, UnreadableImageError

MAX_PIXELS = 89_478_485
MAX_BYTES = 512 * 2**20
MAX_VIDEO_BYTES = 64 * 2**30

STRETCHES = ("auto", "full", "minmax", "percentiles")
_RANGE = re.compile(r"([^:]+):([^:]+)")


@dataclass(frozen=True)
class PictureSettings:
    """How pictures and frames are read, from wherever they come."""

    max_pixels: int = MAX_PIXELS
    """Pictures with more are refused: a few kilobytes can claim any size. The default is what a
    quarter of a gigabyte of RGB holds, Pillow's own level of doubt, which follows this one. Larger
    ones are welcome when they are asked for; labelling takes some 45 bytes of memory a pixel
    (2.7 GB for 64 megapixels, and a minute on two cores)."""
    max_bytes: int = MAX_BYTES
    """Picture files that are larger are refused, from wherever they come."""
    max_video_bytes: int = MAX_VIDEO_BYTES
    """Videos in shards and at URLs that are larger are refused: they are copied to this machine
    to be read."""
    stretch: str = "auto"
    """Which values become black and white where a picture has more than 8 bits. auto: the range
    that the file names, else the fewest of 8, 10, 12, 14 and 16 bits that hold its values (cameras
    put 12 bits into 16), else, for signed values and floats outside of 0 to 1, lowest to highest.
    full: all that the type holds. minmax: lowest to highest. percentiles: 1 % to 99 %. LOW:HIGH,
    such as 0:4095: these. What was done is said wherever it isn't full."""
    bands: str = "1,2,3"
    """Which bands of a TIFF with more than colour and transparency are red, green and blue, from 1;
    a single one is shown in grey."""

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_bytes", "max_video_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.stretch not in STRETCHES and self.fixed_range is None:
            raise ValueError(
                f"stretch must be one of {', '.join(STRETCHES)}, or LOW:HIGH such as 0:4095, got "
                f"{self.stretch!r}"
            )
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*,[1-9]\d*)?", self.bands):
            raise ValueError(
                f"bands must be three numbers from 1, such as 3,2,1, or one, got {self.bands!r}"
            )

    @property
    def fixed_range(self) -> tuple[float, float] | None:
        """(low, high) where ``stretch`` names them."""
        match = _RANGE.fullmatch(self.stretch)
        try:
            low, high = (float(text) for text in match.groups()) if match else (0.0, 0.0)
        except ValueError:
            return None
        return (low, high) if low < high < float("inf") and low > float("-inf") else None

    @property
    def band_indices(self) -> tuple[int, ...]:
        """``bands``, from 0."""
        return tuple(int(number) - 1 for number in self.bands.split(","))


def check_size(width: int, height: int, settings: PictureSettings, label: str) -> None:
    """Raises ``ImageError`` for a picture of too many pixels, or none; ``label`` is its name."""
    if width * height > settings.max_pixels:
        raise ImageTooLargeError(
            f"{label} has {width} x {height} pixels, more than max_pixels={settings.max_pixels:,}; "
            "the setting pictures.max_pixels (--max-pixels) allows more, and says what they cost"
        )
    if not width or not height:
        raise UnreadableImageError(f"{label} has no pixels ({width} x {height})")


def too_large(label: str, most: int, setting: str) -> ImageError:
    """What to raise for a file of more than ``most`` bytes, by the name of the setting."""
    return ImageError(
        f"{label} is larger than {most:,} bytes; the setting pictures.{setting} allows more"
    )
