"""Tar shards, as WebDataset names their members: everything before the first dot is the sample."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from panoptic.errors import SourceError
from panoptic.io.sources.base import Unit, is_shard, kind_of
from panoptic.io.sources.opening import is_url

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000


@dataclass(frozen=True)
class TarSource:
    """The pictures and videos in a shard. Of samples, ``.jpg`` counts, ``.json`` or ``.cls`` not.

    Plain tars are listed by their headers, and each picture is read where it lies. Compressed
    ones can't be: unpack them, or pack them again without compression. ``name`` tells it apart
    from the other shards of a source, by default its file name.
    """

    path: str
    name: str = ""

    @property
    def label(self) -> str:
        return self.path if is_url(self.path) else os.path.abspath(self.path)

    def __iter__(self) -> Iterator[Unit]:
        if not self.path.lower().endswith(".tar"):
            raise SourceError(
                f"{self.path!r} is compressed, so that its pictures can't be read one by one; "
                "pictures hardly shrink: pack it as a plain .tar"
            )
        file_name = re.split(r"[/\\]", self.path)[-1]
        shard = self.name or file_name
        try:
            with _opened(self.path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
                for member in _members(tar):
                    kind = kind_of(member.name)
                    plain = member.isreg() and not member.issparse()
                    if not plain or kind is None or _is_hidden(member.name):
                        continue
                    span = (member.offset_data, member.size)
                    stamp = f"{member.size}-{member.mtime}"
                    # Shards of one file name in several folders were one to earlier versions.
                    before = f"{file_name}/{member.name}" if shard != file_name else None
                    name = f"{shard}/{member.name}"
                    yield Unit(name, self.label, kind, span, stamp, formerly=before)
                # tarfile takes a damaged header for the end, which is a block of zeros.
                stream.seek(tar.offset)
                if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    raise tarfile.ReadError("no member begins where one should")
        except tarfile.TarError as error:
            problem = f"the shard is damaged from here on: {error}"
            yield Unit(f"{shard}/…", self.label, problem=problem)
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(f"the shard {self.path!r} can't be read: {reason}") from error


@dataclass(frozen=True)
class ShardsSource:
    """Several shards, one after the other, named by their paths below the last folder that all
    of them share by the pattern, so that more shards change no name."""

    paths: Sequence[str]
    label: str

    def __iter__(self) -> Iterator[Unit]:
        shared = len(_BRACES.split(self.label, maxsplit=1)[0].rpartition("/")[0])
        for path in self.paths:
            whole = path if is_url(path) else os.path.abspath(path)
            yield from TarSource(path, whole[shared:].replace(os.sep, "/").lstrip("/"))


def expand_braces(text: str) -> list[str]:
    """``train-{000..012}.tar`` as thirteen names, as WebDataset writes shards."""
    match = _BRACES.search(text)
    if match is None:
        return [text]
    first, last = match.group(1), match.group(2)
    numbers = range(int(first), int(last) + 1)
    if not 0 < len(numbers) <= _MOST_SHARDS:
        raise SourceError(f"{text!r}: expected {{first..last}} with at most {_MOST_SHARDS:,} names")
    head, tail = text[: match.start()], text[match.end() :]
    return [
        name
        for number in numbers
        for name in expand_braces(f"{head}{str(number).zfill(len(first))}{tail}")
    ]


def has_braces(text: str) -> bool:
    return _BRACES.search(text) is not None and is_shard(text)


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile remembers every member it has seen


def _is_hidden(name: str) -> bool:
    return os.path.basename(name).startswith(".")


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    if is_url(path):
        import fsspec

        with fsspec.open(path, "rb") as stream:
            yield stream
    else:
        with open(path, "rb") as stream:
            yield stream
