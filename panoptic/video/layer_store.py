"""A recording: the layers of all frames of a video in a file, so that they can still be changed."""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from panoptic.errors import DatasetError
from panoptic.results.frame import Event
from panoptic.video.mask_layers import Layer, Layers

_LENGTH = struct.Struct("<I")
_BEGIN = 2**14
"""Bytes of a record in which its head ends, mostly."""
_LEVEL = 1  # of compression: masks are large even areas, more effort gains little


@dataclass(frozen=True, eq=False)
class StoredFrame:
    """What is kept of a frame. ``prompts`` are the masks, bool (H, W) by id, that segments were
    prompted with there."""

    layers: Layers
    shot: int
    events: tuple[Event, ...] = ()
    time: float | None = None
    prompts: Mapping[int, np.ndarray] = field(default_factory=dict)

    def with_layers(self, layers: Layers) -> StoredFrame:
        return replace(self, layers=layers)


def temporary_file(folder: str | Path | None = None) -> IO[bytes]:
    """A file without a name, which is gone once it is closed."""
    return tempfile.TemporaryFile(prefix="panoptic-", dir=folder, buffering=0)


class RecordFile:
    """Records one after the other in a file, each found by its place. What is written anew is
    appended, so a place stays good for ever. Several threads may use it. ``DatasetError`` once it
    is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def temporary(cls, folder: str | Path | None = None) -> RecordFile:
        """In a file without a name, which is gone once it is closed."""
        return cls(temporary_file(folder))

    def append(self, record: StoredFrame) -> int:
        """Returns the record's place."""
        data = zlib.compress(_encode(record), _LEVEL)
        with self._lock:
            self.check_open()
            place = self._file.seek(0, 2)
            self._file.write(_LENGTH.pack(len(data)) + data)
            self._file.flush()
        return place

    def read(self, place: int) -> StoredFrame:
        """Raises ``OSError`` where there is no whole record."""
        data = self._data(place)
        try:
            return _decode(zlib.decompress(data))
        except (zlib.error, ValueError, KeyError, struct.error) as error:
            raise OSError(f"there is no whole record at {place}: {error}") from error

    def prompted(self, place: int) -> tuple[int, ...]:
        """The ids that have ``prompts`` in a record, without its masks being unpacked. Raises as
        :meth:`read`."""
        try:
            begin = zlib.decompressobj().decompress(self._data(place), _BEGIN)
            (length,) = _LENGTH.unpack_from(begin)
            if len(begin) < _LENGTH.size + length:
                return tuple(self.read(place).prompts)
            return tuple(json.loads(begin[_LENGTH.size : _LENGTH.size + length])["prompts"])
        except (zlib.error, ValueError, KeyError, struct.error) as error:
            raise OSError(f"there is no whole record at {place}: {error}") from error

    def _data(self, place: int) -> bytes:
        with self._lock:
            self.check_open()
            self._file.seek(place)
            head = self._file.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
            return self._file.read(length)

    def copy(self, path: Path) -> None:
        """All of it, into a new file."""
        with self._lock, path.open("wb") as copy:
            self.check_open()
            self._file.seek(0)
            shutil.copyfileobj(self._file, copy)
            copy.flush()
            os.fsync(copy.fileno())

    def sync(self) -> None:
        """Waits until all would survive a power cut."""
        self.check_open()
        os.fsync(self._file.fileno())

    def check_open(self) -> None:
        """Raises ``DatasetError`` once it is closed."""
        if self._file.closed:
            raise DatasetError(
                "the session is closed: its frames are read, corrected and written before that, "
                "within the block of `with FileSession(...)`. One that is kept in a folder goes on "
                "with FileSession.open(pipeline, folder)"
            )

    def close(self) -> None:
        with self._lock:
            self._file.close()


class LayerStore:
    """Records by frame index, in a file; memory holds a number for each frame.

    Frames are appended in order. One that is written again is appended too, and the old version
    stays behind: the file grows, by what changed. ``fork`` gives another view of the same file, in
    which frames can be added and replaced while this one stays as it is.

    ``file`` is by default a temporary one in ``folder``.
    """

    def __init__(self, folder: str | Path | None = None, file: RecordFile | None = None) -> None:
        self.file = file or RecordFile.temporary(folder)
        self.places: list[int] = []
        self.shots: list[int] = []
        """The shot of each frame."""

    def __len__(self) -> int:
        return len(self.places)

    def add(self, record: StoredFrame) -> None:
        """The next frame. ``ValueError`` if it isn't."""
        if record.layers.index != len(self):
            raise ValueError(f"frame {len(self)} is next, got frame {record.layers.index}")
        self.put(len(self), self.file.append(record), record.shot)

    def replace(self, record: StoredFrame) -> None:
        """A frame that is there already, changed."""
        self._check(record.layers.index)
        self.places[record.layers.index] = self.file.append(record)

    def put(self, index: int, place: int, shot: int | None = None) -> None:
        """A frame is what stands at a place of the file; ``shot`` is that of the next frame."""
        if shot is None:
            self._check(index)
            self.places[index] = place
        elif index != len(self):
            raise ValueError(f"frame {len(self)} is next, got frame {index}")
        else:
            self.places.append(place)
            self.shots.append(shot)

    def fork(self) -> LayerStore:
        other = LayerStore(file=self.file)
        other.places, other.shots = list(self.places), list(self.shots)
        return other

    def in_file(self, file: RecordFile) -> LayerStore:
        """The same, of a copy of the file."""
        other = self.fork()
        other.file = file
        return other

    def __getitem__(self, index: int) -> StoredFrame:
        self._check(index)
        return self.file.read(self.places[index])

    def prompted(self, index: int) -> tuple[int, ...]:
        """The ids that were prompted in a frame."""
        self._check(index)
        return self.file.prompted(self.places[index])

    def shot_of(self, index: int) -> range:
        """The frames of the shot that a frame is in."""
        self._check(index)
        shot = self.shots[index]
        start = self.shots.index(shot)
        return range(start, start + self.shots.count(shot))

    def close(self) -> None:
        """Close the file; a temporary one is gone then."""
        self.file.close()

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} isn't recorded; there are {len(self)} frames")


def _encode(record: StoredFrame) -> bytes:
    """A JSON head, its length before it, then the masks one after the other."""
    layers = record.layers
    head: dict[str, Any] = {
        "index": layers.index,
        "size": layers.size,
        "shot": record.shot,
        "time": record.time,
        "events": [[e.kind, e.segment_id, e.detail] for e in record.events],
        "layers": [
            [la.id, la.category_id, la.score, la.quality, *la.steps.shape, int(la.is_outline)]
            for la in layers.layers
        ],
        "prompts": list(record.prompts),
    }
    text = json.dumps(head).encode()
    masks = [
        (np.packbits(la.pieces()) if la.is_outline else np.ascontiguousarray(la.steps)).tobytes()
        for la in layers.layers
    ]
    prompts = [np.packbits(mask).tobytes() for mask in record.prompts.values()]
    return b"".join([_LENGTH.pack(len(text)), text, *masks, *prompts])


def _decode(data: bytes) -> StoredFrame:
    (length,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + length
    head = json.loads(data[_LENGTH.size : at])
    layers = []
    for id, category_id, score, quality, height, width, is_outline in head["layers"]:
        if is_outline:
            mask, at = _mask(data, at, (height, width))
            layers.append(Layer.of_mask(id, category_id, score, quality, mask))
            continue
        steps = np.frombuffer(data, np.int8, height * width, at).reshape(height, width)
        layers.append(Layer(id, category_id, score, quality, steps))
        at += height * width
    size = head["size"][0], head["size"][1]
    prompts = {}
    for id in head["prompts"]:
        prompts[id], at = _mask(data, at, size)
    events = tuple(Event(*event) for event in head["events"])
    return StoredFrame(
        Layers(head["index"], size, tuple(layers)), head["shot"], events, head["time"], prompts
    )


def _mask(data: bytes, at: int, size: tuple[int, int]) -> tuple[np.ndarray, int]:
    """A mask of packed bits, and where it ends."""
    pixels = size[0] * size[1]
    bits = np.frombuffer(data, np.uint8, (pixels + 7) // 8, at)
    return np.unpackbits(bits, count=pixels).reshape(size).astype(bool), at + len(bits)
