"""What ``panoptic video`` wrote of a clip, read back as frames that can be corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panoptic.formats.vipseg import VipsegVideos
from panoptic.io.clips import VideoInput
from panoptic.results.frame import Event
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.video.clip_record import ClipRecord, identity_of
from panoptic.video.layer_store import StoredFrame
from panoptic.video.mask_layers import Layer, Layers
from prompts import Category, Vocabulary
from sam2core import FrameSource

_PROMPTED = ("new", "returned", "corrected")
"""Events of frames in which a segment was prompted with a mask that was detected."""


@dataclass(frozen=True)
class WrittenLabels:
    """The labels of one clip. ``timeline`` are the records of the frames, where there are any."""

    name: str
    videos: VipsegVideos
    vocabulary: Vocabulary
    timeline: tuple[dict[str, Any], ...]

    @classmethod
    def open(cls, folder: Path, clip: VideoInput, vocabulary: Vocabulary | None) -> WrittenLabels:
        """Raises ``ValueError`` where there are no labels of the clip, or none that fit it."""
        root = folder / "vipseg"
        if not root.is_dir():
            raise ValueError(
                f"{str(folder)!r} has no VIPSeg output, whose masks a session is made of: label "
                "the clip with --format vipseg (which is written by default)"
            )
        videos = VipsegVideos.open(root)
        if clip.name not in videos.annotations:
            there = ", ".join(sorted(videos.annotations))
            raise ValueError(f"{str(root)!r} has no labels of {clip.name!r}; there are {there}")
        frames, count = len(videos.annotations[clip.name]), clip.count or 0
        if frames > count:
            raise ValueError(
                f"{str(root)!r} has {frames} frames of {clip.name!r}, which has {count}"
            )
        known = ClipRecord.load(folder, clip.name)
        now = None if known is None else identity_of(clip, known.frames)
        if known is not None and None not in (known.identity, now) and known.identity != now:
            raise ValueError(
                f"{str(folder)!r} was labelled from {known.source or clip.name!r}, and the clip is "
                "another one, or changed since: give the clip that was labelled"
            )
        words = Vocabulary.from_categories(
            Category(c.id, c.name, c.is_thing) for c in videos.categories.values()
        )
        for category in words:
            if vocabulary is not None and (category.id, category.name, category.is_thing) not in [
                (c.id, c.name, c.is_thing) for c in vocabulary
            ]:
                raise ValueError(
                    f"{str(root)!r} was labelled with other words: there {category.id} is "
                    f"{category.name!r}"
                )
        path = folder / "timelines" / f"{clip.name}.jsonl"
        timeline: tuple[dict[str, Any], ...] = ()
        if path.is_file():
            timeline = tuple(_lines(path))
            if len(timeline) != frames:
                raise ValueError(
                    f"{str(path)!r} has {len(timeline)} frames and {str(root)!r} {frames}: they "
                    "are not of one run"
                )
        return cls(clip.name, videos, vocabulary or words, timeline)

    def __len__(self) -> int:
        return len(self.videos.annotations[self.name])

    def is_cut(self, index: int) -> bool:
        return any(e.kind == "cut" for e in self._events(index))

    def records(self, source: FrameSource) -> Iterator[tuple[StoredFrame, np.ndarray]]:
        """The frames as a session keeps them, with their pictures. ``ValueError`` where sizes
        differ."""
        shot, known = 0, set[int]()
        results = self.videos.frames(self.name)
        for (index, image), result in zip(source.frames(0, len(self)), results, strict=True):
            if result.ids.shape != image.shape[:2]:
                raise ValueError(
                    f"frame {index} of {self.name!r} is {image.shape[:2]} (height, width), its "
                    f"label {result.ids.shape}: these are labels of another clip"
                )
            events = self._events(index)
            shot += self.is_cut(index)
            anew = {e.segment_id for e in events if e.kind in _PROMPTED}
            if not self.timeline:
                anew |= {s.id for s in result} - known
            known |= {s.id for s in result}
            time = self.timeline[index]["time"] if self.timeline else None
            infos = self.videos.annotations[self.name][index]["segments_info"]
            qualities = {info["id"]: float(info.get("quality", 1.0)) for info in infos}
            size = (image.shape[0], image.shape[1])
            layers = Layers(index, size, ()).with_layers(_layers(result, qualities))
            prompts = {s.id: result.mask(s.id) for s in result if s.id in anew}
            yield StoredFrame(layers, shot, events, time, prompts), image

    def _events(self, index: int) -> tuple[Event, ...]:
        if not self.timeline:
            return ()
        return tuple(Event(**event) for event in self.timeline[index]["events"])


def _layers(result: PanopticSegmentation, qualities: Mapping[int, float]) -> list[Layer]:
    return [
        Layer.of_mask(s.id, s.category_id, s.score, qualities[s.id], result.mask(s.id))
        for s in result
    ]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                record["time"], record["events"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{str(path)!r}, line {number}, is damaged: {error!r}") from error
            yield record
