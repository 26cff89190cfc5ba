"""Panoptic PNGs and a JSON as VIPSeg and panopticapi-style evaluators have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from panoptic.video.layouts.vipseg_writer import VipsegWriter
from panoptic.video.outputs.base import VideoInfo, remove_frames

if TYPE_CHECKING:
    from panoptic.video.frame import PanopticFrame


class VipsegOutput:
    """``FOLDER/vipseg/pan_pred/VIDEO/00000.png`` and ``FOLDER/vipseg/pred.json``, all videos of
    the folder in one JSON."""

    def __init__(self, folder: Path, info: VideoInfo, start: int = 0) -> None:
        root = folder / "vipseg"
        _check_words(root / "frames", info)
        if start == 0:
            remove_frames(root / "pan_pred" / info.name)
        self._writer = VipsegWriter(root, info.name, info.vocabulary, start=start)

    def add(self, frame: PanopticFrame) -> None:
        self._writer.add(frame.segmentation)

    def checkpoint(self) -> None:
        """Every frame is on disk as soon as it was added."""

    def close(self) -> Path:
        return self._writer.close()

    @staticmethod
    def leftovers(folder: Path, info: VideoInfo) -> list[Path]:
        return []  # later videos need what is known of this one for the JSON


def _check_words(folder: Path, info: VideoInfo) -> None:
    """One JSON of several videos needs one meaning of each category id."""
    wanted = {c.id: c.name for c in info.vocabulary}
    for path in sorted(folder.glob("*.jsonl")):
        if path.stem == info.name:
            continue
        with path.open(encoding="utf-8") as file:
            there = {c["id"]: c["name"] for c in json.loads(file.readline())["categories"]}
        for id in sorted(wanted.keys() & there.keys()):
            if wanted[id] != there[id]:
                raise ValueError(
                    f"{str(folder.parent)!r} holds {path.stem!r}, labelled with other words "
                    f"(category {id} is {there[id]!r} there and {wanted[id]!r} here): give videos "
                    "of different words folders of their own"
                )
