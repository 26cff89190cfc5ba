"""What the app was started on. The page names pictures by what is listed here, never by paths."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from panoptic.dataset.manifest import unit_of
from panoptic.dataset.store import MANIFEST, DatasetStore
from panoptic.errors import ImageError
from panoptic.io.clips import VideoInput
from panoptic.io.images import load_image
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.sources import open_source
from panoptic.io.sources.base import Unit
from panoptic.io.sources.opening import read_unit

LISTED = 2000
"""So many pictures can be chosen to try words on; the whole folder is labelled all the same."""
_UPLOADS = 8  # pictures brought by the page that are kept, the latest


@dataclass(frozen=True)
class Entry:
    """A picture or video that words can be tried on; ``ref`` is what the page calls it."""

    ref: str
    name: str
    kind: str
    frames: int | None = 1


class Given:
    """A source of pictures and videos, or a data set; ``out`` is where labels are, or go to.

    Raises ``SourceError`` for what is neither.
    """

    def __init__(self, named: str | None, out: Path) -> None:
        self.named = named
        self.is_dataset = named is not None and (Path(named) / MANIFEST).is_file()
        self.out = Path(named) if named is not None and self.is_dataset else out
        self.source = named
        self._units: dict[str, Unit] = {}
        self._uploads: dict[str, tuple[str, np.ndarray]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self.more = False
        """Whether there are more than can be listed."""
        if self.is_dataset:
            with DatasetStore.open(self.out) as store:
                self.source = store.source
                self._list(_units_of(store))
        elif named is not None:
            self._list(unit for unit in open_source(named) if unit.problem is None)
            if not self._units:
                raise ValueError(f"{named!r} has no pictures or videos in it")

    def _list(self, units: Iterator[Unit]) -> None:
        found = list(islice(units, LISTED + 1))
        self.more = len(found) > LISTED
        listed = found[:LISTED] if self.is_dataset else sorted(found[:LISTED], key=_name)
        self._units = {f"s{number}": unit for number, unit in enumerate(listed)}

    def entries(self) -> list[Entry]:
        """What can be tried, those that the page brought first."""
        with self._lock:
            brought = [Entry(ref, name, "image") for ref, (name, _) in self._uploads.items()]
        return brought[::-1] + [
            Entry(ref, unit.name, unit.kind, None if unit.kind == "video" else 1)
            for ref, unit in self._units.items()
        ]

    def bring(self, name: str, data: bytes, settings: PictureSettings) -> Entry:
        """A picture that the page brought, kept in memory. ``ImageError`` for what is none."""
        label = repr(name[:80] or "the picture")
        pixels = load_image(data, name=label, settings=settings)
        with self._lock:
            self._count += 1
            ref = f"u{self._count}"
            self._uploads[ref] = name[:80] or ref, pixels
            while len(self._uploads) > _UPLOADS:
                self._uploads.pop(next(iter(self._uploads)))
        return Entry(ref, name[:80] or ref, "image")

    def read(self, ref: str, frame: int, settings: PictureSettings) -> np.ndarray:
        """RGB uint8 (H, W, 3). ``KeyError`` for what isn't listed, ``ImageError``."""
        with self._lock:
            if ref in self._uploads:
                return self._uploads[ref][1]
        unit = self._unit(ref)
        if unit.kind == "video":
            with closing(VideoInput.of(unit, pictures=settings)) as video:
                count = video.count or 0
                if not 0 <= frame < count:
                    raise ImageError(f"{unit.name!r} has frames 0 to {count - 1}, not {frame}")
                return video.at_hand[frame]
        return load_image(read_unit(unit, settings.max_bytes), name=repr(unit.name))

    def frames(self, ref: str) -> int:
        """How many frames there are: 1 for a picture."""
        if ref in self._uploads or (unit := self._unit(ref)).kind != "video":
            return 1
        with closing(VideoInput.of(unit)) as video:
            return video.count or 0

    def _unit(self, ref: str) -> Unit:
        if ref not in self._units:
            raise KeyError(f"no picture is called {ref!r} here")
        return self._units[ref]

    def state(self) -> dict[str, Any]:
        """What the page tells of it."""
        return {
            "named": self.named,
            "dataset": self.is_dataset,
            "out": str(self.out),
            "count": len(self._units),
            "more": self.more,
        }


def _name(unit: Unit) -> str:
    return unit.name


def _units_of(store: DatasetStore) -> Iterator[Unit]:
    """Where the pictures of a data set are now."""
    for row in store.manifest.labelled():
        yield store.pictures.find(unit_of(row), row["content"])
