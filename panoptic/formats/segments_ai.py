"""Segments.ai: a release file and one RGBA bitmap a picture, as its SDK reads them.

    release.json                                        samples, categories, annotations
    panoptic_labels/v1/NAME.jpg                         pictures
    panoptic_labels/v1/NAME_label_ground-truth.png      id = R + 256 G + 65536 B, A is 255

The folders are those in which the SDK keeps what it has downloaded, so that
``SegmentsDataset("release.json", segments_dir=".")`` works here without a network. The split of a
sample is in its metadata. (https://docs.segments.ai/reference/label-types)
"""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.writers import JsonLists
from panoptic.results.id_map import ids_to_rgb
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

LABELSET = "ground-truth"
_OWNER, _NAME, _RELEASE = "panoptic", "labels", "v1"


class SegmentsAiExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures
        self.vocabulary = vocabulary
        self._samples = JsonLists(folder / "release.json", "samples")

    def add(self, item: ExportItem) -> None:
        folder = self.folder / f"{_OWNER}_{_NAME}" / _RELEASE
        with self._samples.together():
            for frame, result in item.frames():
                name = item.frame_name(frame)
                picture = self.pictures.put(item, frame, folder / name)
                bitmap = item.file(folder / f"{name}_label_{LABELSET}.png")
                Image.fromarray(_rgba(result)).save(bitmap, format="PNG")
                self._samples.append("samples", _sample(item, picture, bitmap, result))

    def close(self) -> None:
        categories = [
            {
                **{"name": c.name, "id": c.id, "color": list(self.vocabulary.color(c.id))},
                "has_instances": c.is_thing,
            }
            for c in self.vocabulary
        ]
        dataset = {
            **{"name": _NAME, "owner": _OWNER, "description": "", "public": False},
            "task_type": "segmentation-bitmap",
            "task_attributes": {"format_version": "0.1", "categories": categories},
            "labelsets": [{"name": LABELSET, "is_groundtruth": True, "description": ""}],
            "samples": self._samples.place("samples"),
        }
        self._samples.close({"name": _RELEASE, "description": "", "dataset": dataset})


def _rgba(result: PanopticSegmentation) -> np.ndarray:
    alpha = np.full((*result.ids.shape, 1), 255, np.uint8)
    return np.concatenate([ids_to_rgb(result.ids), alpha], axis=2)


def _sample(
    item: ExportItem, picture: Path, bitmap: Path, result: PanopticSegmentation
) -> dict[str, object]:
    annotations = [{"id": s.id, "category_id": s.category_id} for s in result]
    label = {
        **{"label_status": "PRELABELED", "label_type": "segmentation-bitmap"},
        "attributes": {
            "format_version": "0.1",
            "annotations": annotations,
            "segmentation_bitmap": {"url": bitmap.name},
        },
    }
    return {
        # Of the name alone, so that it's the same each time.
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, picture.stem)),
        "name": picture.name,
        "attributes": {"image": {"url": picture.name}},
        "metadata": {"split": item.split},
        "labels": {LABELSET: label},
    }
