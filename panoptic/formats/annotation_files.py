"""The annotation files of other tools at a path: one file, a folder of them, or a zip archive.

Told apart by content: LabelMe, Label Studio (JSON, JSON-MIN), COCO panoptic and instances, CVAT's
XML for images and for videos.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from panoptic.errors import CorrectionError
from panoptic.formats import coco_corrections, cvat_annotations, label_studio_tasks, labelme
from panoptic.formats.fields import at, shown
from panoptic.formats.regions import AnnotatedPicture
from prompts.text_files import NotText, decode_text, posix_name

ANNOTATIONS = (".json", ".xml")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
"""Within a folder or an archive, they are named, not passed over."""
MOST_BYTES = 2 << 30
"""Of what is taken out of an archive, unpacked: a small one can claim to hold a disk of zeros."""
_UNPACKABLE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError),
)
_OURS = {"export.json", "label_config.xml"}
_UNLIKE = {
    "items": "Datumaro's JSON; export it as COCO or CVAT",
    "_via_img_metadata": "VGG Image Annotator's JSON; export it as COCO",
    "things": "a vocabulary",
}


@dataclass(frozen=True)
class AnnotationFile:
    """One file, at ``path``; ``place`` is its name within the folder or archive, "" for itself."""

    path: Path
    place: str = ""

    def pictures(self) -> list[AnnotatedPicture]:
        """What it says, picture by picture. Raises ``CorrectionError`` if it is of no known form,
        or damaged as a whole."""
        try:
            return self._pictures()
        except CorrectionError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            what = f"it is damaged: {type(error).__name__} {error}"
            raise CorrectionError(at(self.place, what)) from error

    def _pictures(self) -> list[AnnotatedPicture]:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise CorrectionError(
                at(self.place, f"it can't be read: {error.strerror or error}")
            ) from error
        if self.path.suffix.lower() in ARCHIVES:
            raise CorrectionError(
                at(
                    self.place,
                    "it is an archive itself: give it alone, or unpack it beside the others",
                )
            )
        if self.path.suffix.lower() == ".xml":
            return cvat_annotations.read_pictures(
                cvat_annotations.parsed_xml(data, self.place), self.place
            )
        content = self._json(data)
        if isinstance(content, dict) and "shapes" in content:
            name = posix_name(self.place).rpartition("/")[2] or self.path.name
            return [labelme.read_picture(content, self.place, name)]
        if coco_corrections.looks_like_coco(content):
            return coco_corrections.read_pictures(content, self.path, self.place)
        if label_studio_tasks.looks_like_tasks(content):
            return label_studio_tasks.read_pictures(content, self.place)
        raise CorrectionError(at(self.place, f"it is {_unlike(content)}"))

    def _json(self, data: bytes) -> Any:
        try:
            return json.loads(decode_text(data, self.path.name))
        except NotText as error:
            raise CorrectionError(str(error)) from error
        except json.JSONDecodeError as error:
            raise CorrectionError(at(self.place, f"it is damaged JSON: {error}")) from error
        except (ValueError, RecursionError) as error:  # numbers or lists without an end
            raise CorrectionError(at(self.place, f"it is no JSON of a tool: {error}")) from error


@contextmanager
def annotation_files(path: Path) -> Iterator[list[AnnotationFile]]:
    """The annotation files at a path, by name. Those of an archive are there within the block.

    Raises ``FileNotFoundError``, and ``CorrectionError`` where there are none.
    """
    if path.is_dir():
        yield _below(path, path)
    elif not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    elif zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory() as folder:
            _unpack(path, Path(folder))
            yield _below(Path(folder), path)
    elif path.suffix.lower() == ".zip":
        raise CorrectionError("it is no zip archive, or damaged")
    else:
        yield [AnnotationFile(path)]


def _below(folder: Path, path: Path) -> list[AnnotationFile]:
    found = [
        AnnotationFile(file, file.relative_to(folder).as_posix())
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in (*ANNOTATIONS, *ARCHIVES)
        and file.is_file()
        and file.name not in _OURS
    ]
    if not found:
        raise CorrectionError(
            "it holds no annotation file: a JSON of LabelMe, Label Studio or COCO, or an XML of "
            "CVAT (masks as pictures name no categories: choose another of the tool's formats)"
        )
    return found


def _unpack(path: Path, folder: Path) -> None:
    """Takes annotation files out, and PNGs, which COCO panoptic's ids are in."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if _wanted(m)]
            if wrong := next((m.filename for m in members if _leads_out(m.filename)), None):
                raise CorrectionError(f"a name in the archive leads out of it: {shown(wrong)}")
            total = sum(m.file_size for m in members)
            if total > MOST_BYTES:
                raise CorrectionError(
                    f"it unpacks to {total:,} bytes of annotations, more than {MOST_BYTES:,}; "
                    "unpack it yourself and give the folder"
                )
            for member in members:
                target = folder.joinpath(*_parts(member.filename))
                target.parent.mkdir(parents=True, exist_ok=True)
                # Reading ends at the size that was declared, and checks the sum.
                with archive.open(member) as packed, target.open("xb") as out:
                    shutil.copyfileobj(packed, out)
    except _UNPACKABLE as error:
        raise CorrectionError(f"the archive can't be unpacked: {error}") from error


def _wanted(member: zipfile.ZipInfo) -> bool:
    parts = _parts(member.filename)
    suffix = PurePosixPath(parts[-1]).suffix.lower() if parts else ""
    annotation = suffix in (*ANNOTATIONS, *ARCHIVES, ".png") and parts[:1] != ["__MACOSX"]
    return not member.is_dir() and annotation


def _leads_out(name: str) -> bool:
    """A drive leads out on Windows, where no file's name has a colon; elsewhere names have them."""
    parts = _parts(name)
    colon = ":" in "".join(parts) if os.name == "nt" else re.fullmatch("[A-Za-z]:", parts[0])
    return ".." in parts or bool(colon)


def _parts(name: str) -> list[str]:
    return [part for part in posix_name(name).split("/") if part not in ("", ".")]


def _unlike(content: Any) -> str:
    fields = content if isinstance(content, dict) else {}
    for name, form in _UNLIKE.items():
        if name in fields:
            return f"{form}, which holds no label"
    return (
        "of no form that is known (LabelMe, Label Studio, COCO panoptic or instances), got "
        f"{shown(content)}"
    )
