"""A recording: the layers of all frames of a video in a file, so that they can still be changed."""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from panoptic.results.frame import Event
from panoptic.video.mask_layers import Layer, Layers

_LENGTH = struct.Struct("<I")
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


class LayerStore:
    """Records by frame index, in a temporary file; memory holds a number for each frame.

    Frames are appended in order. One that is written again is appended too, and the old version
    stays behind unused: the file grows, by what changed.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(prefix="panoptic-", dir=folder)  # noqa: SIM115
        self._places: list[int] = []
        self.shots: list[int] = []
        """The shot of each frame."""

    def __len__(self) -> int:
        return len(self._places)

    def add(self, record: StoredFrame) -> None:
        """The next frame. ``ValueError`` if it isn't."""
        if record.layers.index != len(self):
            raise ValueError(f"frame {len(self)} is next, got frame {record.layers.index}")
        self._places.append(self._append(record))
        self.shots.append(record.shot)

    def replace(self, record: StoredFrame) -> None:
        """A frame that is there already, changed."""
        self._check(record.layers.index)
        self._places[record.layers.index] = self._append(record)

    def __getitem__(self, index: int) -> StoredFrame:
        self._check(index)
        self._file.seek(self._places[index])
        (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
        return _decode(zlib.decompress(self._file.read(length)))

    def shot_of(self, index: int) -> range:
        """The frames of the shot that a frame is in."""
        self._check(index)
        shot = self.shots[index]
        start = self.shots.index(shot)
        return range(start, start + self.shots.count(shot))

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def _append(self, record: StoredFrame) -> int:
        data = zlib.compress(_encode(record), _LEVEL)
        place = self._file.seek(0, 2)
        self._file.write(_LENGTH.pack(len(data)))
        self._file.write(data)
        return place

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
            [la.id, la.category_id, la.score, la.quality, *la.steps.shape] for la in layers.layers
        ],
        "prompts": list(record.prompts),
    }
    text = json.dumps(head).encode()
    masks = [np.ascontiguousarray(layer.steps).tobytes() for layer in layers.layers]
    prompts = [np.packbits(mask).tobytes() for mask in record.prompts.values()]
    return b"".join([_LENGTH.pack(len(text)), text, *masks, *prompts])


def _decode(data: bytes) -> StoredFrame:
    (length,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + length
    head = json.loads(data[_LENGTH.size : at])
    layers = []
    for id, category_id, score, quality, height, width in head["layers"]:
        steps = np.frombuffer(data, np.int8, height * width, at).reshape(height, width)
        layers.append(Layer(id, category_id, score, quality, steps))
        at += height * width
    size = head["size"][0], head["size"][1]
    pixels = size[0] * size[1]
    prompts = {}
    for id in head["prompts"]:
        bits = np.frombuffer(data, np.uint8, (pixels + 7) // 8, at)
        prompts[id] = np.unpackbits(bits, count=pixels).reshape(size).astype(bool)
        at += (pixels + 7) // 8
    events = tuple(Event(*event) for event in head["events"])
    return StoredFrame(
        Layers(head["index"], size, tuple(layers)), head["shot"], events, head["time"], prompts
    )
