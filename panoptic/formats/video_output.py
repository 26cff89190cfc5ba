"""What every format offers, and what it is told about the video."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prompts import Vocabulary

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame


Place = tuple[str, str]
"""Where files are written: a folder, relative to that of the output and with ``/``, and a pattern
of their names as of ``fnmatch``."""


@dataclass(frozen=True)
class VideoInfo:
    """The video that is written: ``name`` becomes the name of its files and folders, ``fps`` is
    the pace of frames that have no time of their own.

    ``frame_names`` are what the frames are called where they come from, without endings, empty
    where they have no names. ``sa_v_every``: SA-V's layout annotates every so many frames.
    """

    name: str
    vocabulary: Vocabulary
    fps: float = 25.0
    frame_names: Sequence[str] = ()
    sa_v_every: int = 1

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^/\\\0]+", self.name) or self.name in (".", ".."):
            raise ValueError(f"the name of a video becomes that of a file, {self.name!r} cannot")
        if not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps}")

    def frame_name(self, index: int) -> str:
        """What the files of a frame are called: as the frame itself, else 00000 and so on."""
        return self.frame_names[index] if self.frame_names else f"{index:05d}"

    def frame_number(self, index: int) -> int:
        """The number that a frame's name is, else its place in the video."""
        name = self.frame_name(index)
        return int(name) if name.isascii() and name.isdecimal() else index

    def places(self, folder: str, *endings: str) -> list[Place]:
        """Files in ``folder`` that have the video's name with these endings."""
        return [(folder, f"{escape(self.name)}{ending}") for ending in endings]


class VideoOutput(Protocol):
    """One video in one format.

    ``start`` is the number of the frame that comes first. With 0, what an earlier run left of this
    video is replaced; otherwise it is a frame before which :meth:`checkpoint` was called, frames
    before it are kept and all later ones forgotten. Then the files are, byte for byte, those of a
    run that was never interrupted. Opening raises ``ValueError`` if frames before ``start`` are
    missing, and where the folder can't take this video.
    """

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None: ...

    def add(self, frame: PanopticFrame) -> None:
        """Writes the next frame. Raises ``ValueError`` for one that the format can't hold, and
        leaves those before it as they are."""

    def checkpoint(self) -> None:
        """When this returns, all frames so far are on disk and survive a kill."""

    def close(self) -> Path:
        """Puts the files together and returns the one to look at. What a resumed run needs is
        left in place, so that a run that is killed in here can be resumed too."""

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        """Files and folders that only a resumed run needs; to be removed after :meth:`close`."""

    @staticmethod
    def files(folder: Path, info: VideoInfo) -> list[Path]:
        """The files that :meth:`close` leaves of this video and of no other, those there are."""

    @staticmethod
    def places(info: VideoInfo) -> list[Place]:
        """All that is ever written of this video, leftovers and what is shared included."""


def present(paths: Iterable[Path]) -> list[Path]:
    """Those that are files."""
    return [path for path in paths if path.is_file()]


def remove_frames(folder: Path, info: VideoInfo, start: int = 0) -> None:
    """Removes the PNGs that an earlier run wrote from frame ``start`` on: ``00000.png`` and so on,
    or named as frames."""
    kept = {info.frame_name(number) for number in range(start)}
    names = set(info.frame_names)
    for path in folder.glob("*.png"):
        if path.stem in kept:
            continue
        if path.stem in names or re.fullmatch(r"\d{5,}", path.stem):
            path.unlink()


def require_frames(pngs: Iterable[Path]) -> None:
    """Raises ``ValueError`` if a PNG of a frame that was written is gone."""
    for path in pngs:
        if not path.is_file():
            raise ValueError(f"{str(path)!r} is gone, which a resumed run goes on from")
