"""What is known of a clip that was labelled: which formats are whole on disk, and for what request.

``FOLDER/resume/NAME.json`` is written when a run begins with a clip and when it ends with it. What
it claims is compared with the disk before it is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from panoptic.formats.video_formats import VIDEO_FORMATS
from panoptic.formats.video_output import VideoInfo
from panoptic.io.clips import VideoInput, is_unicode
from panoptic.io.files import file_hash, read_json, write_json
from panoptic.video.resume_points import Request, what_changed
from sam2core.errors import FramesError
from sam2core.frames import PictureFrames

VERSION = 3


@dataclass(frozen=True)
class Written:
    """One format on disk: how many frames it holds, and what tells whether it still does."""

    frames: int
    files: int
    bytes: int
    digest: str
    ended: str | None = None
    """Why it holds no more frames, where the format is the reason."""

    @classmethod
    def of(cls, paths: Iterable[Path], frames: int, ended: str | None = None) -> Written:
        """Reads the files."""
        digest, count, size = hashlib.blake2b(digest_size=16), 0, 0
        for path in sorted(paths):
            digest.update(f"{path.name}\0{file_hash(path)}\n".encode("utf-8", "surrogateescape"))
            count, size = count + 1, size + path.stat().st_size
        return cls(frames, count, size, digest.hexdigest(), ended)

    def is_there(self, paths: Iterable[Path]) -> bool:
        """Whether the files are these, to the byte; read only where number and sizes fit."""
        paths = list(paths)
        if (len(paths), sum(p.stat().st_size for p in paths)) != (self.files, self.bytes):
            return False
        return Written.of(paths, self.frames, self.ended) == self


@dataclass(frozen=True)
class ClipRecord:
    """What became of a clip. ``under_way`` are the formats that a run began and didn't finish."""

    request: Request
    source: str | None
    """Where the clip was, None for a stream."""
    stem: str
    """The name of the clip, which its files have unless another clip took it."""
    identity: str | None
    """Text that changes when one of the frames that were labelled does."""
    fps: float
    frames: int = 0
    whole: bool = False
    """Whether these are all frames of the clip."""
    broken: str | None = None
    """Why there are no more, where the clip is the reason."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    formats: Mapping[str, Written] = field(default_factory=dict)
    under_way: tuple[str, ...] = ()
    sa_v_every: int = 1
    """How the format sa-v is, or is being, written."""

    @classmethod
    def load(cls, folder: Path, name: str) -> ClipRecord | None:
        """None if there is none. ``ValueError`` if it can't be read, or is of another version."""
        path = _path(folder, name)
        if not path.exists():
            return None
        content = read_json(path)
        try:
            if content.pop("version") != VERSION:
                raise KeyError("version")
            formats = {n: Written(**w) for n, w in content.pop("formats").items()}
            under_way = tuple(content.pop("under_way"))
            return cls(**content, formats=formats, under_way=under_way)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{str(path)!r} is no record of this version of panoptic: what it labelled stays "
                "as it is; choose another output folder"
            ) from error

    @classmethod
    def begin(cls, video: VideoInput, request: Request, place: ClipPlace) -> ClipRecord:
        return cls(request, place.source, place.stem, None, video.fps)

    def save(self, folder: Path, name: str) -> None:
        content = {"version": VERSION, **asdict(self)}
        content["formats"] = {n: asdict(w) for n, w in sorted(self.formats.items())}
        content["under_way"] = sorted(self.under_way)
        write_json(_path(folder, name), content, indent=1)

    def check(self, video: VideoInput, request: Request) -> None:
        """Raises ``ValueError`` if labels for ``request`` wouldn't be a continuation of these."""
        changed = what_changed(self.request, request)
        if self.fps != video.fps:
            changed.append(f"frames a second ({self.fps:g} then, {video.fps:g} now)")
        if self.identity != identity_of(video, self.frames):
            changed.append("the clip itself")
        if changed:
            raise ValueError(
                f"{video.name}: what is there was made otherwise: {'; '.join(changed)}. It is left "
                "as it is: ask for the same again, or choose another output folder"
            )

    def lacks(
        self, folder: Path, info: VideoInfo, video: VideoInput, limit: int | None
    ) -> list[str]:
        """The formats that don't hold, on disk, the first ``limit`` frames (None: all frames that
        there are), or all that they can."""
        numbers = (n for n in (video.count, limit) if n is not None)
        wanted = min(numbers, default=None)
        # Frames may have come to a folder; a file may have fewer than it says.
        whole = self.whole and self.identity == identity_of(video, video.count or 0)
        return [
            name
            for name in VIDEO_FORMATS
            if not self._holds(name, wanted, whole)
            or (name == "sa-v" and self.sa_v_every != info.sa_v_every)
            or not self.formats[name].is_there(VIDEO_FORMATS[name].files(folder, info))
        ]

    def _holds(self, name: str, wanted: int | None, whole: bool) -> bool:
        written = self.formats.get(name)
        if written is None or not written.frames:
            return False
        enough = wanted is not None and written.frames >= wanted
        return enough or written.ended is not None or (whole and written.frames == self.frames)

    def problems(self, advice: str) -> list[str]:
        """What the files lack, and why; ``advice`` is for a clip that couldn't be read."""
        told = []
        if self.broken is not None:
            told.append(
                f"it ends after {self.frames} frames, which its files hold: {self.broken}{advice}"
            )
        for name, written in sorted(self.formats.items()):
            if written.ended is not None:
                told.append(f"{name} holds {written.frames} frames only: {written.ended}")
        return told

    def with_formats(self, formats: Mapping[str, Written]) -> ClipRecord:
        return replace(self, formats={**self.formats, **formats})


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip is, and what it is called there. ``FramesError`` for a place whose name no
    record can hold."""

    source: str | None
    stem: str

    def __post_init__(self) -> None:
        if self.source is not None and not is_unicode([self.source]):
            raise FramesError(
                f"{self.source}: the name isn't Unicode, and results are named after it: rename it"
            )


def records(folder: Path) -> Iterator[tuple[str, ClipRecord]]:
    """The clips that a folder knows, with their names. ``ValueError`` as for ``load``."""
    for path in sorted((folder / "resume").glob("*.json")):
        record = ClipRecord.load(folder, path.stem)
        if record is not None:
            yield path.stem, record


def forget(folder: Path, name: str) -> None:
    _path(folder, name).unlink(missing_ok=True)


def identity_of(video: VideoInput, frames: int) -> str | None:
    """Text that changes when one of the first ``frames`` frames does.

    Of a folder of pictures it is that of those pictures, so that others may come or be repaired; of
    a file that of all of it; None where there is nothing to compare.
    """
    # Sizes don't tell pictures apart that aren't compressed, such as BMPs: their contents do.
    paths = video.source.paths if isinstance(video.source, PictureFrames) else None
    if video.identity is None or paths is None:
        return video.identity
    listed = [[p.name, _content(p)] for p in paths[:frames]]
    return hashlib.blake2b(json.dumps(listed).encode(), digest_size=16).hexdigest()


def _content(path: Path) -> str | None:
    try:
        found = path.stat()
        return _content_of(path, found.st_size, found.st_mtime_ns)
    except OSError:
        return None


@cache  # compared at each checkpoint, so that each picture is read once
def _content_of(path: Path, size: int, time_ns: int) -> str:
    return file_hash(path)


def _path(folder: Path, name: str) -> Path:
    return folder / "resume" / f"{name}.json"
