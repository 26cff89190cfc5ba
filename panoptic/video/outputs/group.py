"""All formats that were asked for, written side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from panoptic.video.outputs.base import VideoInfo, VideoOutput
from panoptic.video.outputs.davis import DavisOutput
from panoptic.video.outputs.detections import DetectionsOutput
from panoptic.video.outputs.masklets import MaskletOutput
from panoptic.video.outputs.overlay import OverlayOutput
from panoptic.video.outputs.timeline import TimelineOutput
from panoptic.video.outputs.vipseg import VipsegOutput

if TYPE_CHECKING:
    from panoptic.video.frame import PanopticFrame

FORMATS: Mapping[str, type[VideoOutput]] = MappingProxyType(
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


class Outputs:
    """A video in several formats. Raises ``ValueError`` for a format that isn't known."""

    def __init__(
        self, folder: Path, info: VideoInfo, formats: Sequence[str], start: int = 0
    ) -> None:
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            raise ValueError(f"no format {unknown[0]!r}; there are {', '.join(FORMATS)}")
        self._outputs = {
            name: FORMATS[name](folder, info, start) for name in dict.fromkeys(formats)
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
