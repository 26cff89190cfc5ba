"""The clips of a run: opened when their turn comes, with the names that the output folder gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from panoptic.io.clips import VideoInput
from panoptic.io.names import free_stem
from panoptic.video.clip_record import ClipPlace, ClipRecord, identity_of, records


@dataclass(frozen=True)
class GivenClip:
    """A clip that can be read. It is opened anew each time, as open files hold memory; a stream
    stays open."""

    place: ClipPlace
    reopen: Callable[[], VideoInput]
    name: str = ""

    def open(self) -> VideoInput:
        """The clip by its name. Raises ``FramesError`` if it can't be read any more."""
        return replace(self.reopen(), name=self.name)


def named(clips: Sequence[GivenClip], folder: Path, resume: bool) -> list[GivenClip]:
    """The clips with names that differ, case aside: each its own, numbered where that is taken.

    With ``resume``, a clip that the folder knows has the name it had: that of the same place, else
    of the same content. A stream never takes the name of an earlier one. Raises ``ValueError`` for
    records that can't be read.
    """
    known = dict(records(folder)) if resume else {}
    free = dict(known)
    names: dict[int, str] = {}
    for same in (_same_place, _same_content):
        for number, clip in enumerate(clips):
            if number in names or clip.place.source is None:
                continue
            alike = {n: r for n, r in free.items() if r.stem == clip.place.stem}
            if alike and (name := same(clip, alike)) is not None:
                names[number] = name
                del free[name]
    taken = {name.casefold() for name in known}
    for number, clip in enumerate(clips):
        if number in names:
            continue
        names[number] = name = free_stem(clip.place.stem, taken.__contains__)
        taken.add(name.casefold())
    return [replace(clip, name=names[number]) for number, clip in enumerate(clips)]


def _same_place(clip: GivenClip, known: dict[str, ClipRecord]) -> str | None:
    found = (name for name, record in known.items() if record.source == clip.place.source)
    return next(found, None)


def _same_content(clip: GivenClip, known: dict[str, ClipRecord]) -> str | None:
    video = clip.reopen()
    found = (
        n for n, record in known.items() if record.identity == identity_of(video, record.frames)
    )
    return next(found, None)
