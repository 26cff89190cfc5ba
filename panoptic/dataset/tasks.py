"""What travels between sources, workers and the manifest: small, frozen, quick to pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from panoptic.io.sources.base import Unit

State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True)
class Task:
    """A unit of the manifest on its way to be labelled.

    ``done`` ones are there for what is labelled together with them. ``content`` is the hash of
    what these settings labelled before; ``previous`` names the label that is there, to be kept
    when it is replaced.
    """

    id: int
    key: str
    unit: Unit
    done: bool = False
    content: str | None = None
    previous: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class SegmentRecord:
    """A segment in the manifest: of a video, a masklet with its mean area and quality."""

    id: int
    category_id: int
    area: int
    score: float
    quality: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of a task; without an ``error``, its label is on disk."""

    id: int
    seconds: float
    error: str | None = None
    content: str | None = None
    size: tuple[int, int] = (0, 0)
    frames: int = 1
    quality: float | None = None
    segments: tuple[SegmentRecord, ...] = ()
    unchanged: bool = False
    """The content is what it was, so the label that is there was left alone."""
    note: str | None = None
    """What is to be said of how the picture was read."""


@dataclass(frozen=True)
class Failure:
    """A picture or video that could not be labelled, and why."""

    name: str
    source: str
    error: str
    time: float


@dataclass(frozen=True)
class Counts:
    done: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def total(self) -> int:
        return self.done + self.failed + self.waiting
