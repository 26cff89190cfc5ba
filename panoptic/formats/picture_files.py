"""Puts pictures beside their labels: as they are if all readers see them alike, else as PNG."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from panoptic.formats.exporter import ExportItem

_ORIENTATION = 0x0112
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}

Mode = Literal["copy", "link"]


@dataclass(frozen=True)
class PictureFiles:
    """``copy`` copies files, ``link`` makes hard links where the file system can.

    JPEG and PNG files stay as they are, byte for byte, unless EXIF turns them: there readers
    differ, and the label fits one of them only. All else, and frames of videos, becomes PNG.
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
        with Image.open(path, formats=tuple(_SUFFIXES)) as picture:
            if picture.size[::-1] != item.size or picture.getexif().get(_ORIENTATION, 1) != 1:
                return None
            return path, _SUFFIXES[str(picture.format)]
    except (OSError, ValueError, SyntaxError):  # a URL, an archive's member, another format
        return None
