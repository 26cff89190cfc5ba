"""Puts pictures beside their labels: as they are if all readers see them alike, else as PNG."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image

from panoptic.formats.exporter import ExportItem

_ORIENTATION = 0x0112
_READ = ("JPEG", "PNG")
# MPO, as many cameras and drones write it, is a JPEG with more pictures behind the first.
_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png"}
_PLAIN = ("1", "L", "P", "RGB")
_PNG_DEPTH = 24  # where a PNG's header has the bits of a channel

Mode = Literal["copy", "link"]


@dataclass(frozen=True)
class PictureFiles:
    """``copy`` copies files, ``link`` makes hard links where the file system can.

    JPEG and PNG files stay as they are, byte for byte, where all readers see the same picture. They
    differ where EXIF turns it, parts are transparent, or there are inks (CMYK) or more than 8 bits:
    then the picture is written as it was labelled, as PNG, as all else and frames of videos are.
    """

    mode: Mode = "copy"

    def __post_init__(self) -> None:
        if self.mode not in ("copy", "link"):
            raise ValueError(f"pictures are copied or linked ('copy', 'link'), got {self.mode!r}")

    def put(self, item: ExportItem, frame: int, stem: Path) -> Path:
        """Writes the picture as ``stem`` with its suffix; returns the path.

        Raises ``ImageError`` where the source is gone, or is not the picture that was labelled.
        """
        pixels = item.picture(frame)
        source = None if item.is_video else _as_it_is(item)
        if source is None:
            path = item.file(stem.with_name(stem.name + ".png"))
            Image.fromarray(pixels).save(path, format="PNG")
            return path
        path = item.file(stem.with_name(stem.name + source[1]))
        if self.mode == "link":
            try:
                os.link(source[0].resolve(), path)
                return path
            except OSError:  # another file system, or one without links
                pass
        shutil.copyfile(source[0], path)
        return path


def _as_it_is(item: ExportItem) -> tuple[Path, str] | None:
    """The file and its proper suffix if it can be handed on unchanged."""
    path = Path(item.item.source)
    try:
        with path.open("rb") as file, Image.open(file, formats=_READ) as picture:
            suffix = _SUFFIXES.get(picture.format or "")
            if suffix is None or not _all_see_the_same(picture, item.size):
                return None
            if suffix == ".png" and _bits(file) > 8:
                return None
            return path, suffix
    except (
        Exception
    ):  # a URL, an archive's member, another format, a header that Pillow stumbles on
        return None


def _all_see_the_same(picture: Image.Image, size: tuple[int, int]) -> bool:
    if picture.size[::-1] != size or picture.getexif().get(_ORIENTATION, 1) != 1:
        return False
    if picture.has_transparency_data:
        return picture.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    return picture.mode in _PLAIN


def _bits(png: BinaryIO) -> int:
    """Bits of a channel, which Pillow doesn't tell of colours."""
    png.seek(_PNG_DEPTH)
    return png.read(1)[0]
