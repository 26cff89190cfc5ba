"""PASCAL VOC 2012 (http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/).

    JPEGImages/NAME.jpg             pictures (a PNG stays one, so that its pixels do)
    Annotations/NAME.xml            names and boxes; 1 is the first pixel, the last is included
    SegmentationClass/NAME.png      palette index of the class, 1 on in the order of labelmap.txt
    SegmentationObject/NAME.png     palette index of the object, 1 on in the order of the XML
    ImageSets/Main/train.txt        names by split; the same in ImageSets/Segmentation
    labelmap.txt                    names and colours, as CVAT and Datumaro read them

0 is background: what no word names. Scores cannot be held, and no more than 254 categories, and
objects in a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from panoptic.errors import CannotHold
from panoptic.formats.davis import palette
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.writers import NameLists, check_fewer, lookup, write_indices
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

_MOST = 254  # 255 is void


class PascalVocExporter:
    @staticmethod
    def check(vocabulary: Vocabulary) -> None:
        check_fewer(len(vocabulary), _MOST, "categories", "PASCAL VOC")
        for category in vocabulary:
            if ":" in category.name:
                raise CannotHold(
                    f"labelmap.txt has a colon after names, so none in {category.name!r}"
                )

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary
        self._classes = {c.id: number for number, c in enumerate(vocabulary, 1)}
        self._colors = palette()
        self._lists = [NameLists(folder / "ImageSets" / n) for n in ("Main", "Segmentation")]

    def add(self, item: ExportItem) -> None:
        names = []
        for frame, result in item.frames():
            check_fewer(len(result), _MOST, "objects in a picture", "PASCAL VOC")
            name = item.frame_name(frame)
            picture = self.pictures.put(item, frame, self.folder / "JPEGImages" / name)
            for kind, values in (
                ("Class", {s.id: self._classes[s.category_id] for s in result}),
                ("Object", {s.id: number for number, s in enumerate(result, 1)}),
            ):
                path = item.file(self.folder / f"Segmentation{kind}" / f"{name}.png")
                write_indices(path, lookup(result.ids, values), self._colors)
            path = item.file(self.folder / "Annotations" / f"{name}.xml")
            path.write_bytes(_xml(result, picture.name))
            names.append(name)
        for lists in self._lists:
            for name in names:
                lists.append(item.split, name)

    def close(self) -> None:
        lines = ["# label:color_rgb:parts:actions\n", "background:0,0,0::\n"]
        for category in self.vocabulary:
            place = 3 * self._classes[category.id]
            color = ",".join(str(v) for v in self._colors[place : place + 3])
            lines.append(f"{category.name}:{color}::\n")
        (self.folder / "labelmap.txt").write_text("".join(lines), encoding="utf-8")


def _xml(result: PanopticSegmentation, file_name: str) -> bytes:
    root = ElementTree.Element("annotation")
    _fill(root, {"folder": "JPEGImages", "filename": file_name})
    _fill(
        ElementTree.SubElement(root, "size"),
        {"width": result.width, "height": result.height, "depth": 3},
    )
    _fill(root, {"segmented": 1})
    for s in result:
        entry = ElementTree.SubElement(root, "object")
        _fill(entry, {"name": s.category, "pose": "Unspecified", "truncated": 0, "difficult": 0})
        x0, y0, x1, y1 = s.box
        box = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
        _fill(ElementTree.SubElement(entry, "bndbox"), box)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _fill(parent: ElementTree.Element, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = str(value)
