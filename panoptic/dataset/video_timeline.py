"""When each id of a labelled video is there, read from the lists of its labels alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError


@dataclass
class IdRow:
    """An id: its word, and the runs of frames in which it is: (first, last), both included."""

    id: int
    name: str
    is_thing: bool
    runs: list[tuple[int, int]] = field(default_factory=list)

    def add(self, frame: int) -> None:
        if self.runs and self.runs[-1][1] == frame - 1:
            self.runs[-1] = self.runs[-1][0], frame
        else:
            self.runs.append((frame, frame))


@dataclass(frozen=True)
class Timeline:
    """All ids of a video in the order in which they come, and the frames that were corrected."""

    frames: int
    rows: tuple[IdRow, ...]
    corrected: tuple[int, ...]


def timeline_of(store: DatasetStore, key: str) -> Timeline:
    """The timeline of a video as its labels stand. ``KeyError``, and ``DatasetError`` where a label
    is gone or damaged."""
    item = store.item(key)
    corrections: Mapping[int, Path] = store.corrections(key) if item.verdict == "corrected" else {}
    rows: dict[int, IdRow] = {}
    for frame in range(item.frames):
        png = store.files.path(key, item.kind, frame)
        path = corrections.get(frame, png.with_suffix(".json"))
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            words = {c["id"]: (c["name"], bool(c["isthing"])) for c in content["categories"]}
            for info in content["annotations"][0]["segments_info"]:
                name, is_thing = words.get(info["category_id"], ("unknown", True))
                row = rows.setdefault(info["id"], IdRow(info["id"], name, is_thing))
                row.name, row.is_thing = name, is_thing
                row.add(frame)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DatasetError(
                f"the label {str(path)!r} is gone or damaged; the `panoptic dataset` command that "
                f"made it makes it again ({error})"
            ) from error
    return Timeline(item.frames, tuple(rows.values()), tuple(sorted(corrections)))
