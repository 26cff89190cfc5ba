"""Whether files of a checkpoint are whole, without reading them: by headers, ends and sizes.

Nothing here needs torch or the hub's package.
"""

from __future__ import annotations

import codecs
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SAFETENSORS = "model.safetensors"
LAYOUTS = (
    SAFETENSORS,
    SAFETENSORS + ".index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""What a folder's weights may begin with. The first that is there counts, as in transformers."""

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LFS = b"version https://git-lfs.github.com/spec/v1"
_LONGEST_HEADER = 100_000_000  # of safetensors, as its own readers have it


def first_layout(folder: Path) -> Path | None:
    """The file that a folder's weights begin with, one of ``LAYOUTS``; None if there is none."""
    return next((folder / name for name in LAYOUTS if (folder / name).is_file()), None)


def shards_of(index: Path) -> dict[str, set[str]]:
    """The files that an index names, and the names of the tensors in each.

    Raises ``ValueError`` for a file that isn't an index.
    """
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards: dict[str, set[str]] = {}
        for tensor, file in places.items():
            if Path(file).name != file:
                raise ValueError(f"{file!r} is not beside it")
            shards.setdefault(file, set()).add(tensor)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{index}: expected the index of weights in several files, with a weight_map from "
            f"tensors to files ({type(error).__name__}: {error}). {advice(index)}"
        ) from error
    return shards


def weight_files(first: Path) -> list[Path]:
    """All files with tensors, where ``first`` is one itself or an index of them."""
    if first.name.endswith(".index.json"):
        return [first.parent / name for name in sorted(shards_of(first))]
    return [first]


def check_weights(first: Path) -> None:
    """See whether weights are whole: every file there, of its right size, with its own tensors.

    ``first`` is a file of weights, or an index of several. What is read is the headers alone.
    Raises ``ValueError`` (:class:`DamagedFileError`) that names the file, says what is wrong, and
    what to delete.
    """
    index = first.name.endswith(".index.json")
    if index:
        check_file(first)
    for path in weight_files(first):
        if not path.is_file():
            raise ValueError(
                f"{path.parent}: {path.name} is missing, which {first.name} names. Fetch it from "
                "where the others are from"
            )
        check_file(path)
    if not index:
        return
    for name, expected in sorted(shards_of(first).items()):
        if name.endswith(".safetensors"):
            check_shard(first, name, expected, set(_header(first.parent / name)))


def check_shard(index: Path, name: str, expected: set[str], found: set[str]) -> None:
    """Raises ``ValueError`` for a file with other tensors than the index says."""
    if expected == found:
        return
    path, other = index.parent / name, sorted(expected ^ found)
    lacks = f"lacks {len(expected - found)} and has {len(found - expected)} others"
    raise ValueError(
        f"{path}: holds other tensors than {index.name} says, it {lacks} ({other[0]} for one); "
        f"the two are of different checkpoints. {advice(path)}"
    )


class DamagedFileError(ValueError):
    """A file of a checkpoint that can't be read: which, what is wrong, and what to delete."""

    def __init__(self, path: Path, problem: str, todo: str | None = None) -> None:
        super().__init__(f"{real(path)}: can't be read ({problem}). {todo or advice(path)}")
        self.path = path
        self.problem = problem


def check_file(path: Path) -> None:
    """Raises :class:`DamagedFileError` where a quick look tells that a file isn't whole."""
    if problem := damage(path):
        raise DamagedFileError(path, problem, _SAVE_PLAIN if problem == _MARKED else None)


def read_fields(path: Path) -> Any:
    """The content of a JSON file with named fields. Raises :class:`DamagedFileError`."""
    check_file(path)
    return json.loads(path.read_text(encoding="utf-8"))


def damage(path: Path) -> str | None:
    """What is wrong with a file of a checkpoint, as far as a quick look tells; None if nothing."""
    size = path.stat().st_size
    if size == 0:
        return "it is empty"
    with open(path, "rb") as file:
        start = file.read(512)
    if start.startswith(_LFS):
        return "it is a Git LFS pointer, a few lines that stand for the file"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, not the file"
    look = _LOOKS.get(path.suffix)
    return look(path, size) if look else None


def _safetensors(path: Path, size: int) -> str | None:
    try:
        header = _header(path)
    except ValueError as error:
        return str(error)
    try:
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (TypeError, KeyError, IndexError, ValueError):
        return "it is not a safetensors file: its header is not one"
    with open(path, "rb") as file:
        expected = 8 + int.from_bytes(file.read(8), "little") + end
    if size < expected:
        return f"it is cut off: {size:,} of {expected:,} bytes"
    if size > expected:
        return f"it has {size:,} bytes, {size - expected:,} more than its header says"
    return None


def _header(path: Path) -> Mapping[str, Any]:
    """Of a safetensors file, by name of tensor; raises ``ValueError`` with what is wrong."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > _LONGEST_HEADER:
            raise ValueError("it is not a safetensors file")
        if size < 8 + length:
            raise ValueError(f"it is cut off: {size:,} bytes, not even its header is whole")
        try:
            header = json.loads(file.read(length))
        except ValueError:
            header = None
    if not isinstance(header, dict):
        raise ValueError("it is not a safetensors file: its header is not one")
    header.pop("__metadata__", None)
    return header


def _pytorch(path: Path, size: int) -> str | None:
    with open(path, "rb") as file:
        start = file.read(2)
        file.seek(max(size - 22, 0))
        end = file.read(4)
    if start == b"PK":
        try:
            with zipfile.ZipFile(path) as archive:
                # Counted from the end: where bytes are missing, the first doesn't begin at 0.
                first = min((entry.header_offset for entry in archive.infolist()), default=0)
        except (zipfile.BadZipFile, OSError, EOFError):
            return f"it is cut off: {size:,} bytes, and the end of its archive is not there"
        if first != 0:
            return f"it has {size:,} bytes, {abs(first):,} too {'many' if first > 0 else 'few'}"
        if end != b"PK\x05\x06":
            return f"it has {size:,} bytes, some of them after the end of its archive"
        return None
    # Files of torch before 1.6 are pickles, of which only reading tells whether they are whole.
    return None if start.startswith(b"\x80") else "it is not a PyTorch checkpoint"


# transformers and others don't read past a mark: a model that only we could load helps nobody.
_MARKED = "it begins with a byte order mark, as some editors on Windows write it"
_SAVE_PLAIN = "Save it again as UTF-8 without that mark (in Notepad: the encoding UTF-8)"


def _json(path: Path, size: int) -> str | None:
    with open(path, "rb") as file:
        if file.read(3).startswith(_MARKS):
            return _MARKED
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return f"it is not a JSON file, or cut off ({size:,} bytes)"
    return None if isinstance(content, dict) else "it is JSON, but has no named fields"


_LOOKS = {
    ".safetensors": _safetensors,
    ".bin": _pytorch,
    ".pt": _pytorch,
    ".pth": _pytorch,
    ".json": _json,
}


def real(path: Path) -> Path:
    """Where the bytes are: in the hub's cache a file is a link to a blob."""
    return Path(os.path.realpath(path))


def advice(path: Path) -> str:
    """What to do about a damaged file: what to delete, so that it is fetched again."""
    names = path.absolute().parts
    at = len(names) - 3  # models--owner--name / snapshots / commit / file
    if at < 1 or names[at] != "snapshots" or not names[at - 1].startswith("models--"):
        return "Delete it, and copy or download it again"
    repository = names[at - 1].removeprefix("models--").replace("--", "/")
    links = []
    link = path.absolute()
    while link.is_symlink():  # to the blob, which may itself be one into a store of all blobs
        links.append(str(link))
        link = link.parent / os.readlink(link)
    both = f"Delete it{''.join(f' and {os.path.normpath(name)}' for name in links)}"
    return (
        f"{both} (or run `hf cache rm model/{repository}`), and the next run fetches "
        f"{path.name} of {repository} again"
    )
