"""CVAT for images 1.1: masks as run lengths within their boxes, exact.

    train/annotations.xml
    train/images/NAME.jpg

Each split is a task: zip its folder and import it. Segment ids and scores are attributes.
(https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/)
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from panoptic.formats.cvat_xml import CvatXml, add_attributes
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.rle import runs
from panoptic.results.labelled import Split
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


class CvatImagesExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary
        self._xml: dict[Split, CvatXml] = {}
        self._images: dict[Split, int] = {}

    def add(self, item: ExportItem) -> None:
        split = item.split
        if split not in self._xml:
            self._xml[split] = CvatXml(self.folder / split / "annotations.xml")
            self._images[split] = 0
        images = self._images[split]
        with self._xml[split].together():
            for frame, result in item.frames():
                stem = self.folder / split / "images" / item.frame_name(frame)
                picture = self.pictures.put(item, frame, stem)
                self._xml[split].write(_image(images, picture.name, result))
                images += 1
        self._images[split] = images

    def close(self) -> None:
        for split, xml in self._xml.items():
            frames = self._images[split]
            xml.close(self.vocabulary, name=split, mode="annotation", frames=frames)


def _image(number: int, name: str, result: PanopticSegmentation) -> ElementTree.Element:
    image = ElementTree.Element(
        "image",
        {
            **{"id": str(number), "name": name},
            **{"width": str(result.width), "height": str(result.height)},
        },
    )
    for s in result:
        x0, y0, x1, y1 = s.box
        window = result.ids[y0:y1, x0:x1] == s.id
        values = {
            **{"label": s.category, "source": "auto", "occluded": "0"},
            "rle": ", ".join(str(length) for length in runs(window.ravel())),
            **{"left": str(x0), "top": str(y0)},
            **{"width": str(x1 - x0), "height": str(y1 - y0), "z_order": "0"},
        }
        add_attributes(ElementTree.SubElement(image, "mask", values), s)
    return image
