"""Writes masklet JSON in SA-V's layout, frame by frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from panoptic.segmentation import PanopticSegmentation
from panoptic.video.layouts.files import Journal, whole_file

SMALL, MEDIUM = 32**2, 96**2  # pixels: the bounds of SA-V's size buckets


class MaskletWriter:
    """Writes one video as ``FOLDER/VIDEO_auto.json``, every segment a masklet.

    The layout wants every object in every frame, so frames go to a journal beside the file first,
    and ``close`` puts the JSON together, without holding the video in memory. Objects carry their
    segment id; ``masklet_category`` and ``masklet_isthing`` are added to the layout's fields, and
    what nobody judged (environment, split, stability) is null.

    ``fps`` is that of the video, and every ``every``-th frame is annotated (SA-V: every fourth).
    A resumed run gives ``start``, the number of the frame it goes on with.
    """

    def __init__(
        self, folder: str | Path, video_id: str, *, fps: float, every: int = 1, start: int = 0
    ) -> None:
        if fps <= 0 or every < 1:
            raise ValueError(f"fps is above 0 and every is 1 or more, got {fps} and {every}")
        self.path = Path(folder) / f"{video_id}_auto.json"
        self._video_id = video_id
        self._fps = fps
        self._every = every
        self._frame = start
        journal = self.path.with_name(self.path.name + ".frames")
        self._journal = Journal(journal, -(-start // every))

    def add(self, result: PanopticSegmentation) -> None:
        """Takes the next frame of the video."""
        from supervision import mask_to_rle

        if self._frame % self._every == 0:
            masks = {
                str(s.id): {
                    **{"counts": mask_to_rle(result.mask(s.id), compressed=True), "area": s.area},
                    **{"category": s.category, "isthing": int(s.is_thing)},
                }
                for s in result.segments
            }
            self._journal.append({"size": [result.height, result.width], "masks": masks})
        self._frame += 1

    def close(self, *, keep_journal: bool = False) -> Path:
        """Writes the JSON, removes the journal and returns the JSON's path.

        Whoever wants to be able to resume until all else is done keeps the journal. Raises
        ``ValueError`` if no frame was added.
        """
        self._journal.close()
        masklets: dict[str, _Masklet] = {}
        size: list[int] | None = None
        frames = 0
        for record in self._journal:
            size = record["size"]
            for id, mask in record["masks"].items():
                masklet = masklets.setdefault(
                    id, _Masklet(mask["category"], mask["isthing"], frames)
                )
                masklet.areas.append(mask["area"])
                masklet.frames.append(frames)
            frames += 1
        if size is None:
            raise ValueError(f"no frame of {self._video_id!r} was written: there is no video")
        order = sorted(masklets, key=int)
        with whole_file(self.path) as part, part.open("w", encoding="utf-8") as file:
            self._write_masks(file, order, size)
            fields = self._fields({i: masklets[i] for i in order}, size, frames)
            file.write(json.dumps(fields, ensure_ascii=False)[1:] + "\n")
        if not keep_journal:
            self._journal.path.unlink()
        return self.path

    def _write_masks(self, file: TextIO, order: list[str], size: list[int]) -> None:
        from supervision import mask_to_rle

        empty = mask_to_rle(np.zeros(size, bool), compressed=True)
        file.write('{"masklet": [')
        for number, record in enumerate(self._journal):
            masks = record["masks"]
            row = [
                {"size": size, "counts": masks[i]["counts"] if i in masks else empty} for i in order
            ]
            file.write((", " if number else "") + json.dumps(row))
        file.write("], ")

    def _fields(
        self, masklets: dict[str, _Masklet], size: list[int], frames: int
    ) -> dict[str, Any]:
        height, width = size
        each = list(masklets.values())
        areas = [float(np.mean(m.areas)) for m in each]
        return {
            "video_id": self._video_id,
            "video_duration": self._frame / self._fps,
            "video_frame_count": float(self._frame),
            "video_height": float(height),
            "video_width": float(width),
            "video_resolution": float(height * width),
            "video_environment": None,
            "video_split": None,
            "masklet_id": [int(i) for i in masklets],
            "masklet_size_rel": [a / (height * width) for a in areas],
            "masklet_size_abs": areas,
            "masklet_size_bucket": [_bucket(a) for a in areas],
            "masklet_visibility_changes": [m.visibility_changes(frames) for m in each],
            "masklet_first_appeared_frame": [m.first for m in each],
            "masklet_frame_count": [frames] * len(each),
            "masklet_edited_frame_count": [0] * len(each),
            "masklet_type": ["auto"] * len(each),
            "masklet_stability_score": [None] * len(each),
            "masklet_num": len(each),
            "masklet_category": [m.category for m in each],
            "masklet_isthing": [m.isthing for m in each],
        }


@dataclass
class _Masklet:
    category: str
    isthing: int
    first: int  # annotated frame

    def __post_init__(self) -> None:
        self.areas: list[int] = []
        self.frames: list[int] = []

    def visibility_changes(self, frames: int) -> int:
        """How often it comes into sight or goes out of it after its first appearance."""
        gaps = int(np.count_nonzero(np.diff(self.frames) > 1))
        return 2 * gaps + int(self.frames[-1] < frames - 1)


def _bucket(area: float) -> str:
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"
