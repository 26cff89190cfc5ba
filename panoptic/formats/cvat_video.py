"""CVAT for videos 1.1: one task a video, one track a segment that lasts.

    train/NAME/annotations.xml
    train/NAME/images/frame_000000.png

CVAT tracks polygons, not masks, so every frame has one polygon along the edges of the pixels; holes
and further parts are reached on a line without area, so that the area within is exact. A track is
"outside" from the first frame that it isn't in. Pictures are left to ``cvat_images``.
(https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import numpy as np

from panoptic.errors import CannotHold
from panoptic.formats.cvat_xml import CvatXml, add_attributes
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.polygons import edges, joined
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


class CvatVideoExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary

    def add(self, item: ExportItem) -> None:
        if not item.is_video:
            raise CannotHold("a picture; cvat_images is for these")
        folder = self.folder / item.split / item.name
        with tempfile.TemporaryFile() as spool:
            tracks = _Tracks(spool)
            for frame, result in item.frames():
                self.pictures.put(item, frame, folder / "images" / f"frame_{frame:06d}")
                tracks.add(frame, result)
            item.file(folder / "annotations.xml")
            xml = CvatXml(folder / "annotations.xml")
            try:
                for number, track in enumerate(tracks.tracks.values()):
                    xml.write(_element(number, track, tracks, item.item.frames))
            except BaseException:
                xml.abandon()
                raise
        frames = item.item.frames
        xml.close(
            self.vocabulary, name=item.name, mode="interpolation", frames=frames, size=item.size
        )

    def close(self) -> None:
        pass


@dataclass
class _Track:
    segment: Segment
    places: list[tuple[int, int, int]] = field(default_factory=list)  # frame, offset, length


class _Tracks:
    """Polygons by segment. They come by frame, and lie in a file until all are there."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self.tracks: dict[tuple[int, int], _Track] = {}

    def add(self, frame: int, result: PanopticSegmentation) -> None:
        for s in result:
            text = _points(result, s).encode()
            # An id whose category changes in mid-video becomes two tracks: CVAT's have one label.
            track = self.tracks.setdefault((s.id, s.category_id), _Track(s))
            track.places.append((frame, self._spool.tell(), len(text)))
            self._spool.write(text)

    def read(self, track: _Track) -> Iterator[tuple[int, str]]:
        for frame, offset, length in track.places:
            self._spool.seek(offset)
            yield frame, self._spool.read(length).decode()


def _points(result: PanopticSegmentation, segment: Segment) -> str:
    x0, y0, x1, y1 = segment.box
    window = result.ids[y0:y1, x0:x1] == segment.id
    polygon = joined(edges(window)) + np.array([x0, y0])
    return ";".join(f"{x}.00,{y}.00" for x, y in polygon.tolist())


def _element(number: int, track: _Track, tracks: _Tracks, frames: int) -> ElementTree.Element:
    element = ElementTree.Element(
        "track", id=str(number), label=track.segment.category, source="auto"
    )
    last: tuple[int, str] | None = None
    for frame, points in tracks.read(track):
        if last is not None and last[0] + 1 < frame:
            _shape(element, last[0] + 1, last[1], track.segment, outside=True)
        _shape(element, frame, points, track.segment, outside=False)
        last = frame, points
    if last is not None and last[0] + 1 < frames:
        _shape(element, last[0] + 1, last[1], track.segment, outside=True)
    return element


def _shape(
    track: ElementTree.Element, frame: int, points: str, segment: Segment, *, outside: bool
) -> None:
    shape = ElementTree.SubElement(
        track,
        "polygon",
        frame=str(frame),
        keyframe="1",
        outside=str(int(outside)),
        occluded="0",
        points=points,
        z_order="0",
    )
    add_attributes(shape, segment)
