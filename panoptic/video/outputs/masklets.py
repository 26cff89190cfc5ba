"""Masklet JSON as SA-V has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.video.layouts.masklet_writer import MaskletWriter
from panoptic.video.outputs.base import VideoInfo

if TYPE_CHECKING:
    from panoptic.video.frame import PanopticFrame


class MaskletOutput:
    """``FOLDER/sa-v/VIDEO_auto.json``, every frame annotated."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self._writer = MaskletWriter(folder / "sa-v", info.name, fps=info.fps, start=start)

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation)

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._writer.close(keep_journal=True)

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return [folder / "sa-v" / f"{info.name}_auto.json.frames"]
