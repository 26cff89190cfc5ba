"""All formats that were asked for, written side by side; one that can't go on ends alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from panoptic.formats.davis import DavisOutput
from panoptic.formats.detections_csv import DetectionsOutput
from panoptic.formats.overlay_video import OverlayOutput
from panoptic.formats.sa_v import MaskletOutput
from panoptic.formats.timeline_files import TimelineOutput
from panoptic.formats.video_output import VideoInfo, VideoOutput
from panoptic.formats.vipseg import VipsegOutput, write_listing
from panoptic.io.output_folder import remove_files

if TYPE_CHECKING:
    from panoptic.results.frame import PanopticFrame

VIDEO_FORMATS: Mapping[str, type[VideoOutput]] = MappingProxyType(
    {
        "overlay": OverlayOutput,
        "vipseg": VipsegOutput,
        "davis": DavisOutput,
        "sa-v": MaskletOutput,
        "detections": DetectionsOutput,
        "timeline": TimelineOutput,
    }
)
DEFAULT_FORMATS = ("overlay", "timeline", "vipseg")
Claim = Callable[[str, str], object]
"""Takes a folder, relative to that of the output, and a pattern of names: files about to be
written."""


class VideoOutputs:
    """A video in several formats, from frame ``start`` on.

    ``ahead`` says which have frames after ``start`` already, and the first one that they lack: they
    take no notice of those before. ``next`` is what each lacks; a format that has lost what it had
    begins anew, at 0. ``ended`` says by format why it takes no more frames: one that raises
    ``ValueError`` is closed with what it has, and the others go on. ``claim`` is told the places
    of files before they are written, and raises ``ValueError`` where somebody else's are.

    Raises ``ValueError`` for a format that isn't known.
    """

    def __init__(
        self,
        folder: Path,
        info: VideoInfo,
        formats: Sequence[str],
        start: int = 0,
        *,
        ahead: Mapping[str, int] | None = None,
        claim: Claim = lambda folder, match: None,
    ) -> None:
        unknown = [name for name in formats if name not in VIDEO_FORMATS]
        if unknown:
            raise ValueError(f"no format {unknown[0]!r}; there are {', '.join(VIDEO_FORMATS)}")
        self.next: dict[str, int] = {}
        self.ended: dict[str, str] = {}
        self._outputs: dict[str, VideoOutput] = {}
        for name in dict.fromkeys(formats):
            self._begin(name, folder, info, (ahead or {}).get(name, start), claim)

    @property
    def open(self) -> bool:
        """Whether a format still takes frames."""
        return bool(self._outputs)

    def add(self, frame: PanopticFrame) -> None:
        for name, output in list(self._outputs.items()):
            if frame.index < self.next[name]:
                continue
            try:
                output.add(frame)
            except ValueError as error:
                self._end(name, str(error))
            else:
                self.next[name] = frame.index + 1

    def checkpoint(self) -> None:
        """When this returns, all frames so far survive a kill."""
        for output in self._outputs.values():
            output.checkpoint()

    def close(self) -> dict[str, Path]:
        """Puts the files together; returns by format the one to look at."""
        paths = {}
        for name, output in list(self._outputs.items()):
            try:
                paths[name] = output.close()
            except ValueError as error:
                self.ended[name] = str(error)
        return paths

    def _begin(self, name: str, folder: Path, info: VideoInfo, start: int, claim: Claim) -> None:
        self.next[name] = start
        try:
            for place in VIDEO_FORMATS[name].places(info):
                claim(*place)
            self._outputs[name] = VIDEO_FORMATS[name](folder, info, start)
        except (ValueError, FileNotFoundError) as error:
            if start:
                return self._begin(name, folder, info, 0, claim)
            self.ended[name] = str(error)

    def _end(self, name: str, reason: str) -> None:
        output = self._outputs.pop(name)
        self.ended[name] = reason
        if self.next[name]:
            with suppress(ValueError):  # the reason that is told is the first one
                output.close()


def remove_leftovers(folder: Path, info: VideoInfo) -> None:
    """Removes what only resuming would have needed of this video, in every format."""
    for output in VIDEO_FORMATS.values():
        _remove(output.leftovers(folder, info))


def remove_written(folder: Path, info: VideoInfo, formats: Sequence[str]) -> None:
    """Removes what formats have of this video."""
    for name in formats:
        output = VIDEO_FORMATS[name]
        _remove(output.leftovers(folder, info))
        written = output.files(folder, info)
        remove_files(folder, {path.relative_to(folder).as_posix() for path in written})


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def rewrite_shared(folder: Path, formats: Sequence[str]) -> None:
    """Writes anew what the videos of a folder share, where somebody may have deleted it."""
    if "vipseg" in formats and (folder / "vipseg" / "frames").is_dir():
        write_listing(folder / "vipseg")
