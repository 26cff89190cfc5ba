"""Reads the pictures that were labelled again: from where they were, or from where they are now."""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from panoptic.errors import DatasetError, ImageError
from panoptic.io.files import content_hash, file_hash
from panoptic.io.images import read_picture
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.sources.base import Unit
from panoptic.io.sources.opening import is_url, local_video, read_unit

log = logging.getLogger("panoptic.dataset")
_TOLD = 10  # pictures that are named when they are found by their content

if TYPE_CHECKING:  # video libraries are loaded when there is one
    from panoptic.io.clips import VideoInput


class SourcePictures:
    """Pictures and frames as they were labelled, or an error; with ``moved``, wherever they are.

    The latest video stays open, as frames are mostly asked for in order.
    """

    def __init__(self, moved: MovedPictures | None = None) -> None:
        self._moved = moved
        self._video: tuple[str, VideoInput] | None = None

    def find(self, unit: Unit, content: str) -> Unit:
        """The unit as it can be read now."""
        return unit if self._moved is None else self._moved.find(unit, content)

    def read(self, unit: Unit, content: str, frame: int, reading: PictureSettings) -> np.ndarray:
        """RGB uint8 (H, W, 3) of a picture, or of one frame of a video.

        ``content`` is the hash of what was labelled, ``reading`` how it was read then. Raises
        ``ImageError`` where it is gone or has changed.
        """
        if unit.kind == "video":
            return self._video_of(unit, content, reading).at_hand[frame]
        data = read_unit(unit, reading.max_bytes)
        if content_hash(data) != content:
            raise _changed(unit)
        return read_picture(data, reading, repr(unit.source)).pixels

    def _video_of(self, unit: Unit, content: str, reading: PictureSettings) -> VideoInput:
        from panoptic.io.clips import VideoInput

        if self._video is None or self._video[0] != unit.source:
            self.close()
            with local_video(unit) as path:
                if file_hash(path) != content:
                    raise _changed(unit)
            self._video = (unit.source, VideoInput.of(unit, pictures=reading))
        return self._video[1]

    def close(self) -> None:
        if self._video is not None:
            with closing(self._video[1]):
                self._video = None


class MovedPictures:
    """The files below a folder, in the place of those that a manifest names.

    A file is looked for by the end of its old path, the longest end first (``photos/a/1.jpg``, then
    ``a/1.jpg``, then ``1.jpg``), then by its name anywhere below the folder. Where there are
    several, the content that was labelled decides. A shard is found like a picture.

    Where no file has the name, the content is looked for in all files, and what is found so is told
    to the log ``panoptic.dataset``. That reads the whole folder, once.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(
                f"pictures are looked for in a folder, and there is none at {str(folder)!r}"
            )
        self._by_name: dict[str, list[Path]] | None = None
        self._by_content: dict[str, Path] | None = None
        self._told: set[str] = set()

    def find(self, unit: Unit, content: str) -> Unit:
        """The unit where it is now; as it was, if it isn't found.

        A single file of the name is taken unread, unless some were renamed: whoever reads it sees
        whether it is the same.
        """
        if unit.source.startswith("datasets://"):
            return unit
        found = [replace(unit, source=os.path.abspath(path)) for path in self._candidates(unit)]
        if len(found) == 1 and self._by_content is None:
            return found[0]
        if right := next((each for each in found if holds(each, content)), None):
            return right
        if unit.span is None and not is_url(unit.source) and (path := self._holding(content)):
            self._tell(unit, path)
            return replace(unit, source=os.path.abspath(path))
        return found[0] if found else unit

    def _holding(self, content: str) -> Path | None:
        """The file below the folder, whatever its name, that has this content."""
        if self._by_content is None:
            self._by_content = {}
            for path in self._files():
                try:
                    self._by_content.setdefault(file_hash(path), path)
                except OSError:  # whoever needs it is told
                    continue
        return self._by_content.get(content)

    def _tell(self, unit: Unit, path: Path) -> None:
        if unit.source in self._told:
            return
        self._told.add(unit.source)
        if len(self._told) <= _TOLD:
            log.info("%r was renamed: found by its content as %r", unit.name, str(path))
        elif len(self._told) == _TOLD + 1:
            log.info("more were renamed, and are found by their content")

    def _candidates(self, unit: Unit) -> list[Path]:
        paths = [*self._by_path(unit.source)]
        if unit.span is None and not is_url(unit.source):
            paths = [*self._by_path(unit.name), *paths]
        name = _folded(re.split(r"[/\\]", unit.source)[-1])
        unique = {os.path.realpath(path): path for path in reversed([*paths, *self._named(name)])}
        return list(reversed(unique.values()))

    def _by_path(self, path: str) -> Iterator[Path]:
        parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..")]
        for start in range(len(parts)):
            try:
                if (found := self.folder.joinpath(*parts[start:])).is_file():
                    yield found
            except (OSError, ValueError):  # a name that this system can't have
                continue

    def _named(self, name: str) -> list[Path]:
        if self._by_name is None:
            self._by_name = {}
            for path in self._files():
                self._by_name.setdefault(_folded(path.name), []).append(path)
        return sorted(self._by_name.get(name, ()))

    def _files(self) -> Iterator[Path]:
        for folder, _, files in os.walk(self.folder):
            yield from (Path(folder, file) for file in files)


def _changed(unit: Unit) -> ImageError:
    return ImageError(
        f"{unit.source!r} has changed since it was labelled; run panoptic dataset again to label "
        "it as it is now, or bring the file back"
    )


def holds(unit: Unit, content: str) -> bool:
    """Whether a unit can be read and its content has this hash."""
    try:
        if unit.span is None and not is_url(unit.source):
            return file_hash(Path(unit.source)) == content
        return content_hash(read_unit(unit)) == content
    except (OSError, ImageError):
        return False


def _folded(name: str) -> str:
    """Some systems write ü as one character, others as two."""
    return unicodedata.normalize("NFC", name)
