"""COCO panoptic (https://cocodataset.org/#format-data): the whole label, nothing lost.

    train/NAME.jpg                             pictures
    annotations/panoptic_train.json            segments and categories
    annotations/panoptic_train/NAME.png        id = R + 256 G + 65536 B

``score`` and ``quality`` of a segment are kept in fields of these names, which readers ignore.
"""

from __future__ import annotations

from pathlib import Path

from panoptic.coco import segments_info, write_ids
from panoptic.dataset.formats.base import ExportItem, Pictures
from panoptic.dataset.formats.files import JsonLists, close_coco
from panoptic.dataset.item import Split
from prompts import Vocabulary


class CocoPanopticExporter:
    """Image ids count through all splits, from 1, in the order of the items."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: Pictures) -> None:
        self.folder = folder
        self.vocabulary = vocabulary
        self.pictures = pictures
        self._json: dict[Split, JsonLists] = {}
        self._images = 0

    def add(self, item: ExportItem) -> None:
        annotations = self.folder / "annotations"
        pngs = annotations / f"panoptic_{item.split}"
        lists = self._lists(item.split)
        images = self._images
        with lists.together():
            for frame, result in item.frames():
                name = item.frame_name(frame)
                picture = self.pictures.put(item, frame, self.folder / item.split / name)
                write_ids(item.file(pngs / f"{name}.png"), result.ids)
                images += 1
                size = {"height": result.height, "width": result.width}
                lists.append("images", {"id": images, "file_name": picture.name, **size})
                lists.append(
                    "annotations",
                    {
                        **{"image_id": images, "file_name": f"{name}.png"},
                        "segments_info": segments_info(result),
                    },
                )
        self._images = images

    def _lists(self, split: Split) -> JsonLists:
        if split not in self._json:
            path = self.folder / "annotations" / f"panoptic_{split}.json"
            self._json[split] = JsonLists(path, "images", "annotations")
        return self._json[split]

    def close(self) -> None:
        for lists in self._json.values():
            close_coco(lists, self.vocabulary)
