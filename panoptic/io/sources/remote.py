"""Folders and patterns on anything that fsspec reaches: s3://, gs://, http://, memory://."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from panoptic.errors import SourceError
from panoptic.io.sources.base import Unit, kind_of
from panoptic.io.sources.files import is_pattern, translate


@dataclass(frozen=True)
class RemoteSource:
    """The pictures and videos at a URL: a file, a folder with all below it, or a pattern.

    Reading from a kind of storage takes its fsspec package (s3fs, gcsfs, ...) beside this one.
    """

    url: str

    @property
    def label(self) -> str:
        return self.url

    def __iter__(self) -> Iterator[Unit]:
        import re

        import fsspec

        head, _, tail = self.url.partition("://")
        parts = tail.split("/")
        fixed = next((i for i, part in enumerate(parts) if is_pattern(part)), len(parts))
        pattern = re.compile(translate("/".join(parts[fixed:]))) if fixed < len(parts) else None
        base = f"{head}://{'/'.join(parts[:fixed])}"
        try:
            files, root = fsspec.core.url_to_fs(base)
            if pattern is None and files.isfile(root):
                yield _unit(files, root.rsplit("/", 1)[-1], files.info(root))
                return
            if not files.isdir(root):
                raise SourceError(f"{base!r} is neither a file nor a folder")
            for folder, _, entries in files.walk(root, detail=True):
                for entry in entries.values():
                    name = f"{folder}/{entry['name'].rsplit('/', 1)[-1]}"
                    name = name[len(root) :].lstrip("/")
                    matches = pattern is None or pattern.fullmatch(name)
                    hidden = any(part.startswith(".") for part in name.split("/"))
                    if matches and not hidden and kind_of(name):
                        yield _unit(files, name, entry)
        except (OSError, ImportError, ValueError) as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"{self.url!r} can't be listed: {error}") from error


def _unit(files: Any, name: str, info: dict[str, Any]) -> Unit:
    changed = next(
        (info[k] for k in ("ETag", "etag", "mtime", "LastModified", "created") if info.get(k)), ""
    )
    source = files.unstrip_protocol(info["name"])
    kind = kind_of(name)
    if kind is None:
        return Unit(name, source, problem="its ending is none of a picture or video")
    return Unit(name, source, kind, stamp=f"{info.get('size')}-{changed}")
