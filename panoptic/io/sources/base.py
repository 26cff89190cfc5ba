"""What sources have in common: which files count, and what a source is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Kind = Literal["image", "video"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Unit:
    """One picture or video as its source lists it.

    ``name`` tells it apart within the source and suggests the key; ``source`` opens it again (a
    path or URL; with ``span``, those bytes (offset, length) of it). ``stamp`` changes with the
    content, as far as that can be told without reading it. ``problem`` says why it cannot be used
    at all, such as an entry of a list that is no name. ``image_id`` is the source's own number (or
    text) for a picture, where it has one. ``formerly`` is the name that an earlier version gave it,
    so that what it labelled is known again.
    """

    name: str
    source: str
    kind: Kind = "image"
    span: tuple[int, int] | None = None
    stamp: str = ""
    problem: str | None = None
    image_id: int | str | None = None
    formerly: str | None = None


IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
    | {".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif"}
)


VIDEO_ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".m2ts", ".flv"}
    | {".ogv", ".3gp"}
)


UNREAD_ENDINGS = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".kdc", ".nef", ".nrw", ".orf", ".pef"}
    | {".raf", ".raw", ".rw2", ".sr2", ".srw", ".x3f", ".ai", ".dcm", ".eps", ".exr", ".fits"}
    | {".hdr", ".ico", ".jxl", ".jxr", ".pdf", ".psd", ".svg", ".tga", ".xcf", ".dav", ".ts"}
    | {".mts", ".rm", ".rmvb", ".vob", ".mxf", ".asf", ".f4v", ".qt", ".y4m", ".braw", ".r3d"}
)
"""Pictures and videos of which a source says that they are left out."""


SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Source(Protocol):
    """Lists pictures and videos, one by one, in whatever order, as often as asked.

    ``label`` is the source in words that stay the same from run to run. Raises ``SourceError``
    where nothing can be listed; a broken entry is a unit with a ``problem``.
    """

    @property
    def label(self) -> str: ...
    def __iter__(self) -> Iterator[Unit]: ...


def kind_of(name: str) -> Kind | None:
    """What a file of this name is to be taken for, or None for neither."""
    ending = os.path.splitext(name)[1].lower()
    if ending in IMAGE_ENDINGS:
        return "image"
    return "video" if ending in VIDEO_ENDINGS else None


def is_shard(name: str) -> bool:
    return name.lower().endswith(SHARD_ENDINGS)
