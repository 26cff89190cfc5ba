"""Formats to export labels to, one module a format, and the list of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the list of formats is asked for by every command line
    from panoptic.formats.exporter import Exporter, PictureSink
    from prompts import Vocabulary


@dataclass(frozen=True)
class Format:
    """One format: ``exporter`` is the class in the module of the format's name."""

    name: str
    exporter: str
    about: str
    """What is written, and what the format cannot hold; one line."""


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("coco_panoptic", "CocoPanopticExporter", "COCO panoptic, exact"),
        Format("coco_instances", "CocoInstancesExporter", "COCO instances, masks as RLE, exact"),
        Format("yolo_seg", "YoloSegExporter", "YOLO segmentation: polygons, no ids, no scores"),
        Format("pascal_voc", "PascalVocExporter", "PASCAL VOC 2012: exact masks, no scores"),
        Format("cityscapes", "CityscapesExporter", "Cityscapes: exact ids, no scores"),
        Format("davis", "DavisExporter", "DAVIS 2017: palette PNGs, 254 objects, no scores"),
        Format("segments_ai", "SegmentsAiExporter", "Segments.ai: RGBA bitmaps, exact, no scores"),
        Format("label_studio", "LabelStudioExporter", "Label Studio: brush predictions, exact"),
        Format("cvat_images", "CvatImagesExporter", "CVAT for images 1.1: masks, exact"),
        Format("cvat_video", "CvatVideoExporter", "CVAT for videos 1.1: polygon tracks, exact"),
        Format("labelme", "LabelmeExporter", "LabelMe: mask shapes beside pictures, exact"),
        Format(
            "fiftyone", "FiftyOneExporter", "FiftyOne: COCO instances as it imports them, exact"
        ),
        Format("huggingface", "HuggingFaceExporter", "Parquet for datasets, exact"),
    )
}


def new_exporter(
    name: str, folder: Path, vocabulary: Vocabulary, pictures: PictureSink
) -> Exporter:
    """An exporter of this name that writes into an empty folder. Raises as ``check_can_hold``."""
    check_can_hold(name, vocabulary)
    return _exporter(name)(folder, vocabulary, pictures)


def check_can_hold(name: str, vocabulary: Vocabulary) -> None:
    """Finds before anything is labelled that a format can't be written.

    Raises ``ValueError`` for a name that no format has, or for a vocabulary that the format cannot
    hold, and ``ModuleNotFoundError`` where it needs a package that isn't installed.
    """
    if name not in FORMATS:
        raise ValueError(f"no format is called {name!r}; there are {', '.join(FORMATS)}")
    if (check := getattr(_exporter(name), "check", None)) is not None:
        check(vocabulary)


def _exporter(name: str) -> type[Exporter]:
    return getattr(importlib.import_module(f"{__name__}.{name}"), FORMATS[name].exporter)
