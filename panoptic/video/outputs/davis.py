"""Palette PNGs as DAVIS 2017 has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.video.layouts.davis import DavisWriter
from panoptic.video.outputs.base import VideoInfo, remove_frames

if TYPE_CHECKING:
    from panoptic.video.frame import PanopticFrame


class DavisOutput:
    """``FOLDER/davis/VIDEO/00000.png``; ``FOLDER/davis/VIDEO.json`` says what each index is."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        self._folder = folder / "davis" / info.name
        if start == 0:
            remove_frames(self._folder)
        self._writer = DavisWriter(folder / "davis", info.name, start=start)

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation)

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._folder

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return []
