"""FiftyOne: COCO instances in the folders that its importer looks for.

    train/data/NAME.jpg
    train/labels.json

Masks are exact, scores become confidences, and what else COCO's files hold here (``segment_id``,
``quality``) becomes attributes:

    fiftyone.Dataset.from_dir("train", fiftyone.types.COCODetectionDataset,
                              label_types="segmentations")

(https://docs.voxel51.com/user_guide/import_datasets.html#cocodetectiondataset)
"""

from __future__ import annotations

from panoptic.formats.coco_instances import CocoInstancesExporter


class FiftyOneExporter(CocoInstancesExporter):
    pictures_folder = "{split}/data"
    labels_file = "{split}/labels.json"
