"""Videos of a data set that a run didn't finish: their frames so far, and a point to go on from.

    .unfinished/settings            what the run labelled with, as a hash
    .unfinished/VIDEO/frames/       000000.png, 000000.json, ...
    .unfinished/VIDEO/resume/       a checkpoint, as of ``panoptic video``

All of it is gone when a run has come to its end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panoptic.io.files import content_hash, write_text
from panoptic.video.resume_points import Checkpoint, Checkpoints

UNFINISHED = ".unfinished"
_SETTINGS = "settings"
_FRAMES = 10
"""Frames between checkpoints: what a kill costs, where checkpoints cost little."""
_SHARE = 0.1
"""The most of the time that checkpoints may take; they are further apart where it is more."""


class UnfinishedVideos:
    """Those of a data set."""

    def __init__(self, root: Path) -> None:
        self._folder = root / UNFINISHED

    def begin(self, settings_hash: str) -> None:
        """A run begins. What others words, models or settings left can't be gone on with."""
        known = self._folder / _SETTINGS
        if not known.is_file() or known.read_text(encoding="utf-8") != settings_hash:
            shutil.rmtree(self._folder, ignore_errors=True)
            write_text(known, settings_hash)

    def end(self) -> None:
        """A run has come to its end: what failed is tried from the start by the next."""
        shutil.rmtree(self._folder, ignore_errors=True)


class UnfinishedVideo:
    """One of them, known by its key; ``content`` is the hash of its file."""

    def __init__(self, root: Path, key: str, content: str) -> None:
        self._folder = root / UNFINISHED / content_hash(key.encode())
        self.frames = self._folder / "frames"
        self._checkpoints = Checkpoints(self._folder, "video", {"content": content})
        self._last, self._cost = time.monotonic(), 0.0

    def load(self) -> Checkpoint | None:
        """Where to go on, with all frames before it; None, and nothing left, if that can't be."""
        try:
            found = self._checkpoints.load()
        except ValueError:  # of another content, or damaged
            found = None
        if found is None or not self._has_frames(found.frame):
            self.remove()
            return None
        return found

    def is_due(self, frame: int) -> bool:
        """Whether a checkpoint should be made before ``frame``."""
        since = time.monotonic() - self._last
        return frame % _FRAMES == 0 and self._cost <= _SHARE * since

    def save(self, frame: int, state: Any, summary: Mapping[str, Any]) -> None:
        """``state`` is the session's before ``frame``; all frames before it are on the disk."""
        start = time.monotonic()
        self._checkpoints.save(Checkpoint(frame, state, summary))
        self._last = time.monotonic()
        self._cost = self._last - start

    def remove(self) -> None:
        """There is nothing to go on with any more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _has_frames(self, count: int) -> bool:
        return all(
            (self.frames / f"{number:06}{ending}").is_file()
            for number in range(count)
            for ending in (".png", ".json")
        )
