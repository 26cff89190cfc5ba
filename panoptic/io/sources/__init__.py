"""Sources of pictures and videos, and which of them a text stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from panoptic.errors import SourceError
from panoptic.io.sources.base import Source, is_shard, kind_of
from panoptic.io.sources.coco_images import CocoImagesSource
from panoptic.io.sources.files import FileSource, FolderSource, glob_source, is_pattern
from panoptic.io.sources.huggingface import SCHEME, ColumnSource
from panoptic.io.sources.lists import SequenceSource, TextListSource
from panoptic.io.sources.opening import is_url
from panoptic.io.sources.remote import RemoteSource
from panoptic.io.sources.shards import ShardsSource, TarSource, expand_braces, has_braces

__all__ = ["Source", "SourceLike", "open_source"]

SourceLike = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Source


def open_source(given: SourceLike, images: str | os.PathLike[str] | None = None) -> Source:
    """The source that a path, URL, pattern or list stands for.

    A folder (with all below it), a single picture or video, a pattern (``photos/**/*.jpg``), a
    text list (``.txt``), a COCO JSON (``.json``, its pictures in ``images`` or beside it), tar
    shards (``shards/train-{000..012}.tar``, patterns too), a Hugging Face data set
    (``datasets://PLACE?column=image``), URLs of anything that fsspec knows, or an iterable of
    paths and URLs. Raises ``SourceError`` for what is none of these.
    """
    if not isinstance(given, str | os.PathLike):
        if hasattr(given, "label"):
            return cast(Source, given)
        # Listed more than once, which an iterator can't be.
        return SequenceSource(tuple(given) if isinstance(given, Iterator) else given)
    text = os.fspath(given)
    if images is not None and not text.endswith(".json"):
        raise SourceError(f"a folder of images belongs to a COCO JSON, not to {text!r}")
    if text.startswith(SCHEME):
        return ColumnSource(text)
    path = Path(text)
    if not is_url(text) and path.is_dir():
        return FolderSource(path)
    if has_braces(text):
        return ShardsSource(expand_braces(text), text if is_url(text) else os.path.abspath(text))
    if is_shard(text) and not is_pattern(text):
        return TarSource(text)
    if is_url(text):
        return RemoteSource(text)
    if path.is_file():
        return _of_file(path, images)
    if is_pattern(text):
        return glob_source(text)
    raise SourceError(
        f"there is no {text!r}; a source is a folder, a picture or video, a pattern, a .txt list, "
        "a COCO .json, .tar shards, datasets://..., or another URL"
    )


def _of_file(path: Path, images: str | os.PathLike[str] | None) -> Source:
    ending = path.suffix.lower()
    if ending == ".json":
        return CocoImagesSource(path, None if images is None else Path(images))
    if ending in (".txt", ".lst"):
        return TextListSource(path)
    if kind_of(path.name) is None:
        raise SourceError(
            f"{str(path)!r} is no picture, video, .txt list, COCO .json or .tar shard by its ending"
        )
    return FileSource(path)
