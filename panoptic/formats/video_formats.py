"""All formats that were asked for, written side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from panoptic.formats.davis import DavisOutput
from panoptic.formats.detections_csv import DetectionsOutput
from panoptic.formats.overlay_video import OverlayOutput
from panoptic.formats.sa_v import MaskletOutput
from panoptic.formats.timeline_files import TimelineOutput
from panoptic.formats.video_output import VideoInfo, VideoOutput
from panoptic.formats.vipseg import VipsegOutput

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


class VideoOutputs:
    """A video in several formats. Raises ``ValueError`` for a format that isn't known."""

    def __init__(
        self, folder: Path, info: VideoInfo, formats: Sequence[str], start: int = 0
    ) -> None:
        unknown = [name for name in formats if name not in VIDEO_FORMATS]
        if unknown:
            raise ValueError(f"no format {unknown[0]!r}; there are {', '.join(VIDEO_FORMATS)}")
        self._outputs = {
            name: VIDEO_FORMATS[name](folder, info, start) for name in dict.fromkeys(formats)
        }

    def add(self, frame: PanopticFrame) -> None:
        for output in self._outputs.values():
            output.add(frame)

    def checkpoint(self) -> None:
        """When this returns, all frames so far survive a kill."""
        for output in self._outputs.values():
            output.checkpoint()

    def close(self) -> dict[str, Path]:
        """Puts the files together; returns by format the one to look at."""
        return {name: output.close() for name, output in self._outputs.items()}
