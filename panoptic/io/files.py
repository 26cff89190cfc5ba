"""Files and folders that are whole or not there at all, journals, and how a content is known.

This is the one place where what is written takes its place; whoever writes otherwise has a reason,
which tests/panoptic/io/test_files.py lists.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoptic.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image


_BLOCK = 2**20  # bytes read at a time, and at either end of a file that is known by its ends


def to_disk(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, synced: bool = False) -> Iterator[Path]:
    """A path to write to; it becomes ``path`` when the block ends without an error.

    With ``synced``, only once it would survive a power cut; else the system writes it when it
    likes. After an error nothing of it is left, and what was at ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if synced:
        to_disk(part)
    os.replace(part, path)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write into; it takes the place of ``folder`` when the block ends without
    an error. What was there is removed then, and is as it was after an error.

    A link stays, and the folder that it leads to is replaced; ``OutputError`` if there is none.
    """
    folder = behind_link(folder)
    building = folder.with_name(f".{folder.name}.part")
    before = folder.with_name(f".{folder.name}.before")
    if before.exists() and not folder.exists():  # a run was killed between the two moves
        before.rename(folder)
    for leftover in (building, before):
        if leftover.is_symlink():
            leftover.unlink()
        elif leftover.exists():
            shutil.rmtree(leftover)
    building.mkdir(parents=True)
    try:
        yield building
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(before)
    building.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def behind_link(folder: Path) -> Path:
    """The folder that a link leads to; any other as it is.

    Raises ``OutputError`` where a link leads to nothing: a disk that isn't mounted, most likely.
    """
    if not folder.is_symlink():
        return folder
    if not folder.exists():
        raise OutputError(
            f"{str(folder)!r} is a link to {os.readlink(folder)!r}, and nothing is there: mount or "
            "make that, or remove the link"
        )
    return folder.resolve()


def png_bytes(image: Image.Image) -> bytes:
    """A picture as the content of a PNG."""
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def write_png(path: Path, image: Image.Image) -> None:
    """Writes a picture as a PNG that appears whole or not at all."""
    with whole_file(path) as part:
        image.save(part, format="PNG")


def write_text(path: Path, text: str) -> None:
    """Writes a text as UTF-8 that appears whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, indent: int | None = None) -> None:
    """Writes a JSON file, on one line unless ``indent`` is given, whole or not at all."""
    write_text(path, json_text(content, indent))


def json_text(content: Any, indent: int | None = None) -> str:
    """The text of a JSON file, on one line unless ``indent`` is given."""
    return json.dumps(content, ensure_ascii=False, indent=indent) + "\n"


def put_files(contents: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Writes files that a caller named, each whole; those that are there with the very content
    stay as they are.

    Unless ``overwrite``, raises ``OutputError`` where another content is, before any is written.
    """
    new = {path: data for path, data in contents.items() if not _holds(path, data)}
    for path in new:
        if path.exists() and not overwrite:
            raise OutputError(
                f"{str(path)!r} is there already, with another content: give another folder or "
                "name, or overwrite=True"
            )
    for path, data in new.items():
        with whole_file(path) as part:
            part.write_bytes(data)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def content_hash(data: bytes) -> str:
    """What tells contents apart, 128 bits in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_hash(path: Path) -> str:
    """``content_hash`` of a file of any size."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def quick_hash(path: Path) -> str:
    """What most likely tells files apart without reading them, 64 bits in hexadecimal: of a file
    its size and ends, of a folder the names and sizes of its files."""
    digest = hashlib.sha256()
    if path.is_dir():
        for each in sorted(p for p in path.iterdir() if p.is_file()):
            digest.update(f"{each.name} {each.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_BLOCK))
        file.seek(max(size - _BLOCK, 0))
        digest.update(file.read())
    return digest.hexdigest()[:16]


def read_json(path: Path) -> Any:
    """The content of a JSON file, in any encoding that ``prompts.text_files`` reads.

    Raises ``ValueError`` if it isn't JSON.
    """
    from prompts.text_files import read_text  # here, as the package brings numpy

    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{str(path)!r} is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{str(path)!r} is not JSON: lists within lists without an end") from error


class Journal:
    """One JSON record a frame, a line each, flushed as it comes: a kill loses at most the last.

    ``start`` records of what is there already are kept and the rest is dropped, which is how a
    resumed run goes on at frame ``start``; with 0 it begins anew. Raises ``ValueError`` if there
    are fewer.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with path.open("rb+") as file:
            for number in range(start):
                if not file.readline().endswith(b"\n"):
                    raise ValueError(
                        f"{str(path)!r} holds {number} frames: resuming at frame {start} needs "
                        "those before it"
                    )
            file.truncate(file.tell())
        self._file = path.open("a", encoding="utf-8")

    def append(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The records so far, read one by one."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        self._file.close()
