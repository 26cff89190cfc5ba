"""What both of CVAT's XML formats share when they are written.

(https://docs.cvat.ai/docs/dataset_management/formats/)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

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
