"""Image columns of Hugging Face ``datasets``: ``datasets://PLACE?column=image&split=train``.

PLACE is a folder that ``save_to_disk`` wrote, a parquet or arrow file, or a name on the hub;
``config`` chooses one of several configurations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from panoptic.errors import ImageError, SourceError, UnreadableImageError
from panoptic.io.picture_settings import too_large
from panoptic.io.sources.base import Unit
from panoptic_anything import how_to_install

SCHEME = "datasets://"
_OPTIONS = ("column", "split", "config")


@dataclass(frozen=True)
class ColumnSource:
    """The pictures of a column, by row; the column may be left out where there is only one."""

    url: str

    def __post_init__(self) -> None:
        place, options = _parse(self.url)
        if os.path.exists(place):
            place = os.path.abspath(place)
        query = "&".join(f"{k}={v}" for k, v in sorted(options.items()))
        object.__setattr__(self, "url", f"{SCHEME}{place}" + (f"?{query}" if query else ""))

    @property
    def label(self) -> str:
        return self.url

    def __iter__(self) -> Iterator[Unit]:
        table, column = _open(self.url)
        stamp = str(table._fingerprint)
        for row in range(len(table)):
            yield Unit(f"{column}/{row:09}", f"{self.url}#{row}", stamp=stamp)


def read_row(source: str, max_bytes: int) -> bytes:
    """The file of one row. ``ImageError`` where the row is empty or the data set is gone."""
    url, _, row = source.rpartition("#")
    try:
        table, column = _open(url)
        value = table[int(row)][column]
    except (SourceError, IndexError, ValueError) as error:
        raise ImageError(f"{source!r} can't be read: {error}") from error
    data = value.get("bytes") if value else None
    path = value.get("path") if value else None
    if data is None and path:
        try:
            with open(path, "rb") as stream:
                data = stream.read(max_bytes + 1)
        except OSError as error:
            raise ImageError(f"{source!r}: {path!r} can't be read: {error.strerror}") from error
    if not data:
        raise UnreadableImageError(f"{source!r} holds no picture")
    if len(data) > max_bytes:
        raise too_large(repr(source), max_bytes, "max_bytes")
    return data


@lru_cache(maxsize=4)
def _open(url: str) -> tuple[Any, str]:
    try:
        import datasets
    except ImportError as error:
        raise SourceError(
            f"reading Hugging Face data sets takes the package: {how_to_install('datasets')}"
        ) from error
    place, options = _parse(url)
    try:
        table = _load(datasets, place, options)
    except Exception as error:  # of many libraries
        raise SourceError(f"the data set {place!r} can't be opened: {error}") from error
    found = [n for n, feature in table.features.items() if isinstance(feature, datasets.Image)]
    column = options.get("column") or (found[0] if len(found) == 1 else "")
    if column not in found:
        raise SourceError(
            f"{url!r}: say which column holds the pictures, ?column=NAME; those that do are "
            f"{', '.join(found) or 'none'}"
        )
    return table.cast_column(column, datasets.Image(decode=False)).select_columns(column), column


def _load(datasets: Any, place: str, options: dict[str, str]) -> Any:
    split = options.get("split")
    if os.path.isdir(place) and _was_saved(place):
        found = datasets.load_from_disk(place)
    elif place.endswith((".parquet", ".arrow")):
        kind = "parquet" if place.endswith(".parquet") else "arrow"
        found = datasets.load_dataset(kind, data_files=place)
    else:
        found = datasets.load_dataset(place, options.get("config"))
    if isinstance(found, datasets.DatasetDict):
        if split is None and len(found) > 1:
            raise SourceError(f"say which split, ?split=NAME; there are {', '.join(found)}")
        found = found[split or next(iter(found))]
    return found


def _was_saved(place: str) -> bool:
    names = ("dataset_info.json", "dataset_dict.json")
    return any(os.path.isfile(os.path.join(place, name)) for name in names)


def _parse(url: str) -> tuple[str, dict[str, str]]:
    place, _, query = url.removeprefix(SCHEME).partition("?")
    options = dict(parse_qsl(query))
    if not place or set(options) - set(_OPTIONS):
        raise SourceError(
            f"expected datasets://PLACE with any of {', '.join(_OPTIONS)} after a '?', got {url!r}"
        )
    return place, options
