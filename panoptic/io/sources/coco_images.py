"""The ``images`` of a COCO JSON, of whatever task; the files lie beside it or in a folder given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from panoptic.errors import SourceError
from panoptic.io.sources.base import Unit
from panoptic.io.sources.files import file_unit
from prompts.json_stream import JsonStreamError, array_of
from prompts.text_files import open_text


@dataclass(frozen=True)
class CocoImagesSource:
    """Pictures by ``file_name``, with their image ids. They lie in ``folder``, by default the
    JSON's own.

    The JSON is read piece by piece and may be of any size. Names that lead out of the folder are
    problems, as are entries without a name.
    """

    path: Path
    folder: Path | None = None

    @property
    def label(self) -> str:
        return os.path.abspath(self.path)

    def __iter__(self) -> Iterator[Unit]:
        folder = os.path.abspath(self.folder or self.path.parent)
        try:
            with open_text(self.path) as stream:
                for number, image in enumerate(array_of(stream, "images")):
                    yield _unit(number, image, folder)
        except (JsonStreamError, UnicodeDecodeError) as error:
            raise SourceError(f"{str(self.path)!r} is no COCO JSON: {error}") from error
        except OSError as error:
            raise SourceError(f"{str(self.path)!r} can't be read: {error.strerror}") from error


def _unit(number: int, image: Any, folder: str) -> Unit:
    name = image.get("file_name") if isinstance(image, dict) else None
    if not isinstance(name, str) or not name.strip():
        problem = f"entry {number} of images has no file_name"
        return Unit(f"images[{number}]", f"images[{number}]", problem=problem)
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]
    if outside or not path.name or "\0" in name:
        return Unit(name, name[:1000], problem="the file name leads out of the folder")
    unit = file_unit(str(path), os.path.join(folder, *path.parts))
    return replace(unit, image_id=_own_id(image)) if unit.kind == "image" else unit


def _own_id(image: dict[str, Any]) -> int | str | None:
    """The number of an image, by which its truth is found; some data sets have text."""
    id = image.get("id")
    if isinstance(id, bool) or not isinstance(id, int | str):
        return None
    if isinstance(id, int):
        return id if id.bit_length() < 64 else str(id)  # what a data set's manifest can hold
    return id if id.isprintable() and id.strip() else None
