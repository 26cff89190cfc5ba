"""COCO instances (https://cocodataset.org/#format-data): one annotation a segment, masks as RLE.

    train/NAME.jpg                        pictures
    annotations/instances_train.json      images, annotations, categories

Masks are exact, ``iscrowd`` is 0 (pycocotools reads RLE all the same), and stuff is listed like
things. ``score``, ``segment_id`` and ``quality`` are fields that readers ignore.
"""

from __future__ import annotations

from pathlib import Path

from panoptic.formats.coco_documents import segments_info
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.image_ids import ImageIds, image_entry
from panoptic.formats.writers import JsonLists, close_coco
from panoptic.results.labelled import Split
from prompts import Vocabulary


class CocoInstancesExporter:
    """Annotation ids count through all splits, from 1, in the order of the items; image ids, too,
    where the source has none of its own."""

    pictures_folder = "{split}"
    labels_file = "annotations/instances_{split}.json"

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.vocabulary = vocabulary
        self.pictures = pictures
        self._json: dict[Split, JsonLists] = {}
        self._ids = ImageIds()
        self._annotations = 0

    def add(self, item: ExportItem) -> None:
        from supervision import mask_to_rle

        if item.split not in self._json:
            path = self.folder / self.labels_file.format(split=item.split)
            self._json[item.split] = JsonLists(path, "images", "annotations")
        lists = self._json[item.split]
        annotations = self._annotations
        with lists.together(), self._ids.together():
            for frame, result in item.frames():
                pictures = self.folder / self.pictures_folder.format(split=item.split)
                stem = pictures / item.frame_name(frame)
                picture = self.pictures.put(item, frame, stem)
                image_id, size = self._ids.of(item), (result.height, result.width)
                lists.append("images", image_entry(image_id, picture.name, size, item))
                for info in segments_info(result):
                    annotations += 1
                    counts = mask_to_rle(result.mask(info["id"]), compressed=True)
                    lists.append(
                        "annotations",
                        {
                            **info,
                            **{"id": annotations, "image_id": image_id, "segment_id": info["id"]},
                            "segmentation": {"size": size, "counts": counts},
                        },
                    )
        self._annotations = annotations

    def close(self) -> None:
        for lists in self._json.values():
            close_coco(lists, self.vocabulary)
