"""What travels between sources, workers and the manifest: small, frozen, quick to pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from panoptic.dataset.label_state import State
from panoptic.io.sources.base import Unit


@dataclass(frozen=True)
class Task:
    """A unit of the manifest on its way to be labelled.

    ``done`` ones are there for what is labelled together with them. ``content`` is the hash of
    what the label that is there, and is to stay, was made of; ``previous`` names a label that is
    there, to be kept when it is replaced. ``failed`` ones could not be labelled the last time.
    ``header`` is what the picture's header said when it was labelled: (height, width).
    """

    id: int
    key: str
    unit: Unit
    done: bool = False
    content: str | None = None
    previous: str | None = None
    note: str | None = None
    failed: bool = False
    header: tuple[int, int] | None = None


@dataclass(frozen=True)
class LabelMark:
    """By which the files of a label are known: their sizes and times, and a hash of what is in
    them. The hash decides; where the stamp is the same it isn't taken again."""

    stamp: str
    digest: str


@dataclass(frozen=True)
class CorrectionFile:
    """A correction of one frame on disk; ``path`` is its JSON, within the data set.

    ``mark`` is None where an earlier version wrote it; ``words`` are the names in it, and whether
    each is a thing.
    """

    path: str
    mark: LabelMark | None
    words: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class StateChange:
    """A verdict that a run took back, as its label had to be made anew."""

    name: str
    before: State
    why: str


@dataclass(frozen=True)
class SegmentRecord:
    """A segment in the manifest: of a video, a masklet with its mean area and quality."""

    id: int
    category_id: int
    area: int
    score: float
    quality: float | None


def mean_quality(segments: Sequence[SegmentRecord]) -> float | None:
    """Of a picture: the mean of its segments; 0 if there are none, as nothing vouches for it."""
    if not segments:
        return 0.0
    judged = [s.quality for s in segments if s.quality is not None]
    return sum(judged) / len(judged) if judged else None


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
    mark: LabelMark | None = None
    header: tuple[int, int] | None = None
    """What the header of a picture says, see ``Task``."""


@dataclass(frozen=True)
class Failure:
    """A picture or video that could not be labelled, and why."""

    name: str
    source: str
    error: str
    time: float


@dataclass(frozen=True)
class Counts:
    """Of all items: labelled; in the source, but not to be labelled; not looked at yet; never
    labelled and no longer in the source."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    gone: int = 0

    @property
    def total(self) -> int:
        return self.done + self.failed + self.waiting + self.gone
