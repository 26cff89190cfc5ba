"""What both of CVAT's XML formats share, and reading what comes back in either.

(https://docs.cvat.ai/docs/dataset_management/formats/)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree import ElementTree

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.polygons import filled
from panoptic.formats.regions import Region
from panoptic.results.segment import Segment
from prompts import Vocabulary

# Their values are texts, as numbers would need bounds.
ATTRIBUTES = ("segment_id", "score")


class CvatXml:
    """An ``annotations.xml`` whose images or tracks are written one by one.

    They go to a file beside it, as the head tells how many frames there are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._spool = path.with_name(path.name + ".spool")
        self._body: IO[bytes] = self._spool.open("wb+")

    def write(self, element: ElementTree.Element) -> None:
        ElementTree.indent(element, level=1)
        self._body.write(b"  " + ElementTree.tostring(element, encoding="utf-8") + b"\n")

    @contextmanager
    def together(self) -> Iterator[None]:
        """Elements written in this block are kept all or, after an error, none."""
        mark = self._body.tell()
        try:
            yield
        except BaseException:
            self._body.seek(mark)
            self._body.truncate()
            raise

    def close(
        self,
        vocabulary: Vocabulary,
        *,
        name: str,
        mode: str,
        frames: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Writes the file: the head, with ``size`` (height, width) for a video, and the body."""
        task = ElementTree.Element("task")
        head = {"name": name, "size": frames, "mode": mode, "overlap": 0}
        head |= {"start_frame": 0, "stop_frame": max(frames - 1, 0)}
        fill(task, head)
        _labels(ElementTree.SubElement(task, "labels"), vocabulary)
        if size is not None:
            original = ElementTree.SubElement(task, "original_size")
            fill(original, {"width": size[1], "height": size[0]})
        meta = ElementTree.Element("meta")
        meta.append(task)
        ElementTree.indent(meta, level=1)
        self._body.seek(0)
        with self.path.open("wb") as file:
            file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            file.write(b"  <version>1.1</version>\n  ")
            file.write(ElementTree.tostring(meta, encoding="utf-8") + b"\n")
            shutil.copyfileobj(self._body, file)
            file.write(b"</annotations>\n")
        self._body.close()
        self._spool.unlink()

    def abandon(self) -> None:
        """Removes the file of what was written so far."""
        self._body.close()
        self._spool.unlink(missing_ok=True)


def add_attributes(shape: ElementTree.Element, segment: Segment) -> None:
    for name, value in zip(ATTRIBUTES, (segment.id, f"{segment.score:.6g}"), strict=True):
        ElementTree.SubElement(shape, "attribute", name=name).text = str(value)


def fill(parent: ElementTree.Element, values: Mapping[str, object]) -> None:
    """Children of these names with these texts."""
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = str(value)


def _labels(parent: ElementTree.Element, vocabulary: Vocabulary) -> None:
    for category in vocabulary:
        label = ElementTree.SubElement(parent, "label")
        color = "#{:02x}{:02x}{:02x}".format(*vocabulary.color(category.id))
        fill(label, {"name": category.name, "color": color, "type": "any"})
        attributes = ElementTree.SubElement(label, "attributes")
        for name in ATTRIBUTES:
            fill(
                ElementTree.SubElement(attributes, "attribute"),
                {"name": name, "mutable": False, "input_type": "text", "default_value": ""}
                | {"values": ""},
            )


def read_regions(
    path: Path, frame_of_name: Mapping[str, int], size: tuple[int, int]
) -> Iterator[tuple[int, list[Region]]]:
    """The regions of an XML for images or for videos: masks, polygons and boxes, by frame.

    ``frame_of_name`` says which frame a picture of this name (without suffix) is; those of other
    names are left out, unless there is one picture only. ``size`` is the (height, width) of the
    frames of a video. Raises ``CorrectionError`` for a file that CVAT never writes and for shapes
    without an area, and ``KeyError`` or ``ValueError`` where an attribute is missing or wrong.
    """
    root = _parsed(path)
    images = list(root.iter("image"))
    for image in images:
        frame = frame_of_name.get(PurePosixPath(image.attrib["name"]).stem)
        if frame is None and len(images) == len(frame_of_name) == 1:
            frame = 0
        if frame is None:
            continue
        own = int(image.attrib["height"]), int(image.attrib["width"])
        shapes = sorted(image, key=lambda shape: int(shape.get("z_order", 0)))
        yield frame, [_region(s, s.attrib["label"], own) for s in shapes if s.tag != "tag"]
    tracked: dict[int, list[tuple[ElementTree.Element, str]]] = {}
    for track in root.iter("track"):
        for shape in track:
            if shape.get("outside") == "0":
                frame = int(shape.attrib["frame"])
                tracked.setdefault(frame, []).append((shape, track.attrib["label"]))
    for frame, found in sorted(tracked.items()):
        found.sort(key=lambda each: int(each[0].get("z_order", 0)))
        yield frame, [_region(shape, label, size) for shape, label in found]


def _parsed(path: Path) -> ElementTree.Element:
    data = path.read_bytes()
    # The standard library's parser expands entities, a way to fill the memory.
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise CorrectionError("it has a DOCTYPE, which CVAT never writes")
    return ElementTree.fromstring(data)


def _region(shape: ElementTree.Element, label: str, size: tuple[int, int]) -> Region:
    noted = {a.get("name"): a.text for a in shape.findall("attribute")}
    number = noted.get("segment_id") or ""
    id = int(number) if number.isdigit() else None
    given = shape.attrib
    mask = np.zeros(size, bool)
    if shape.tag == "mask":
        left, top, width, height = (int(given[n]) for n in ("left", "top", "width", "height"))
        lengths = [int(v) for v in given["rle"].split(",")]
        window = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
        mask[top : top + height, left : left + width] = window
    elif shape.tag == "box":
        x0, y0, x1, y1 = (round(float(given[n])) for n in ("xtl", "ytl", "xbr", "ybr"))
        mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    elif shape.tag == "polygon":
        points = [pair.split(",") for pair in given["points"].split(";")]
        mask = filled(np.array(points, float), size)
    else:
        raise CorrectionError(f"shapes of the type {shape.tag!r} have no area")
    return Region(mask, label, id)
