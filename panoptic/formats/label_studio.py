"""Label Studio: tasks with brush masks as predictions, ready to be corrected.

    label_config.xml        the labeling interface: one brush label a category
    train.json              tasks to import, one a picture
    train/NAME.jpg          pictures

Pictures are named as files of a local storage (https://labelstud.io/guide/storage#Local-storage):
start Label Studio with ``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true`` and
``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`` set to this folder. Masks are exact; a region's id tells
the segment's id, its score is the segment's. What comes back as JSON is read by
``label_studio_tasks``.
"""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from xml.etree import ElementTree

from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.rle import brush
from panoptic.formats.writers import JsonLists
from panoptic.results.labelled import Split
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

FROM_NAME, TO_NAME = "segments", "image"


class LabelStudioExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary
        self._tasks: dict[Split, JsonLists] = {}

    def add(self, item: ExportItem) -> None:
        if item.split not in self._tasks:
            self._tasks[item.split] = JsonLists(self.folder / f"{item.split}.json", "tasks")
        tasks = self._tasks[item.split]
        with tasks.together():
            for frame, result in item.frames():
                stem = self.folder / item.split / item.frame_name(frame)
                picture = self.pictures.put(item, frame, stem)
                place = urllib.parse.quote(f"{item.split}/{picture.name}")
                data = {"image": f"/data/local-files/?d={place}", "key": item.key}
                if item.is_video:
                    data["frame"] = str(frame)
                tasks.append("tasks", {"data": data, "predictions": [_prediction(item, result)]})

    def close(self) -> None:
        for tasks in self._tasks.values():
            tasks.close(tasks.place("tasks"))
        view = ElementTree.Element("View")
        ElementTree.SubElement(view, "Image", name=TO_NAME, value="$image", zoom="true")
        labels = ElementTree.SubElement(view, "BrushLabels", name=FROM_NAME, toName=TO_NAME)
        for category in self.vocabulary:
            color = "#{:02x}{:02x}{:02x}".format(*self.vocabulary.color(category.id))
            ElementTree.SubElement(labels, "Label", value=category.name, background=color)
        ElementTree.indent(view)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "label_config.xml").write_bytes(ElementTree.tostring(view) + b"\n")


def _prediction(item: ExportItem, result: PanopticSegmentation) -> dict[str, object]:
    regions = [
        {
            **{"id": f"segment-{s.id}", "type": "brushlabels", "origin": "prediction"},
            **{"from_name": FROM_NAME, "to_name": TO_NAME, "image_rotation": 0},
            **{"original_width": result.width, "original_height": result.height},
            "value": {
                **{"format": "rle", "rle": brush(result.mask(s.id))},
                "brushlabels": [s.category],
            },
            "score": s.score,
        }
        for s in result
    ]
    prediction: dict[str, object] = {"model_version": "panoptic", "result": regions}
    if item.item.quality is not None:
        prediction["score"] = item.item.quality
    return prediction
