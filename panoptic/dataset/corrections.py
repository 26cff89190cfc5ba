"""Reads labels that a person corrected in another tool back in.

What is read, told apart by its content:

- COCO panoptic: a JSON with its PNGs, or one PNG alone, whose ids are those of the first label
- LabelMe: a JSON of masks, polygons, rectangles and circles
- Label Studio: exported JSON with brush regions (the latest annotation of the task counts)
- CVAT 1.1 for images or for videos: XML with masks, polygons and boxes

A file may hold many pictures: the item's is found by the name that exports gave it. If a file
holds one picture alone, it is the one, whatever its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from panoptic.errors import CocoFormatError, CorrectionError
from panoptic.formats import cvat_xml, label_studio, labelme
from panoptic.formats.coco_panoptic import CocoPanoptic, read_ids
from panoptic.formats.exporter import ExportItem
from panoptic.formats.regions import paint
from panoptic.results.labelled import LabelledItem
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


def read_correction(
    path: str | Path, item: LabelledItem, vocabulary: Vocabulary
) -> dict[int, PanopticSegmentation]:
    """The corrected labels of an item that a file holds, by frame (0 for a picture).

    A segment that keeps its id and category keeps its score; new ones have score 1. The quality of
    all is 1, as a person looked at them.

    Raises ``CorrectionError`` if the file holds nothing of the item, is of no known form, has
    another size than the picture, or names a category that the vocabulary doesn't have.
    """
    path = Path(path)
    frame_of_name = {ExportItem(item).frame_name(frame): frame for frame in range(item.frames)}
    found: dict[int, PanopticSegmentation] = {}
    try:
        for frame, label in _labels(path, frame_of_name, item, vocabulary):
            if label.ids.shape != item.size:
                raise CorrectionError(
                    f"it is {label.width} x {label.height}, the picture is "
                    f"{item.size[1]} x {item.size[0]}"
                )
            found[frame] = _judged(label, item.load(frame), vocabulary)
    except FileNotFoundError:
        raise
    except (CocoFormatError, CorrectionError) as error:
        raise CorrectionError(f"{str(path)!r} is no correction of {item.key!r}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError, SyntaxError) as error:
        what = f"{type(error).__name__} {error}"
        raise CorrectionError(f"{str(path)!r} is damaged: {what}") from error
    if not found:
        raise CorrectionError(
            f"{str(path)!r} holds no label of {item.key!r}, which is called "
            f"{next(iter(frame_of_name))!r} in exports"
        )
    return found


Labels = Iterator[tuple[int, PanopticSegmentation]]


def _labels(
    path: Path, frame_of_name: Mapping[str, int], item: LabelledItem, vocabulary: Vocabulary
) -> Labels:
    if path.suffix.lower() == ".png":
        label = item.load(frame_of_name.get(path.stem, 0))
        ids = read_ids(path)
        unknown = set(np.unique(ids).tolist()) - {0} - {s.id for s in label}
        if unknown:
            raise CorrectionError(f"no segments have the ids {sorted(unknown)[:5]}; add a JSON")
        yield frame_of_name.get(path.stem, 0), PanopticSegmentation.from_ids(ids, label.segments)
        return
    if path.suffix.lower() == ".xml":
        found = cvat_xml.read_regions(path, frame_of_name, item.size)
    else:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = content.keys() if isinstance(content, dict) else set()
        if "shapes" in fields:
            name = PurePosixPath(str(content.get("imagePath", path.name)).replace("\\", "/")).stem
            # One picture a file: the name decides between frames only.
            if item.kind == "video" and name not in frame_of_name:
                return
            found = iter([(frame_of_name.get(name, 0), labelme.read_shapes(content))])
        elif "categories" in fields:
            yield from _coco(path, frame_of_name)
            return
        else:
            tasks = content if isinstance(content, list) else [content]
            found = label_studio.read_tasks(tasks, item.key)
    for frame, regions in found:
        yield frame, paint(regions, item.size, vocabulary)


def _coco(path: Path, frame_of_name: Mapping[str, int]) -> Labels:
    data = CocoPanoptic.open(path)
    for image_id, annotation in data.annotations.items():
        name = data.images.get(image_id, annotation)["file_name"]
        frame = frame_of_name.get(PurePosixPath(name).stem)
        if frame is None and len(data) == len(frame_of_name) == 1:
            frame = 0
        if frame is not None:
            yield frame, data.load(image_id)


def _judged(
    label: PanopticSegmentation, first: PanopticSegmentation, vocabulary: Vocabulary
) -> PanopticSegmentation:
    """With the first label's scores where a segment is the same, and the quality of a judgement."""
    scores = {(s.id, s.category_id): s.score for s in first}
    segments = []
    for s in label:
        if s.category_id not in vocabulary or vocabulary.by_id(s.category_id).name != s.category:
            raise CorrectionError(f"category {s.category_id} is not {s.category!r} here")
        score = scores.get((s.id, s.category_id), 1.0)
        segments.append(replace(s, score=score, quality=1.0))
    return PanopticSegmentation(label.ids, tuple(segments))
