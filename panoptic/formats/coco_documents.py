"""What a COCO panoptic JSON holds: images, annotations with their segments, categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation


def document_of(
    result: PanopticSegmentation,
    file_name: str,
    png: str,
    categories: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The JSON of a single result, image 1, whose ids are in the file ``png``.

    ``categories`` are listed besides those that occur, as ``Vocabulary.to_coco`` gives them.
    """
    listed = {c["id"]: c for c in categories_of(result.segments)}
    listed |= {c["id"]: dict(c) for c in categories}
    return content_of([image_of(result, file_name, 1)], [annotation_of(result, png, 1)], listed)


def segments_info(result: PanopticSegmentation) -> list[dict[str, Any]]:
    """The segments in the words of the format; ``bbox`` is x, y, width, height."""
    described = []
    for s in result.segments:
        x0, y0, x1, y1 = s.box
        info = {
            "id": s.id,
            "category_id": s.category_id,
            "area": s.area,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "iscrowd": int(s.is_crowd),
            "score": s.score,
        }
        if s.quality is not None:
            info["quality"] = s.quality
        described.append(info)
    return described


def categories_of(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """The categories that occur, in the words of the format, by id."""
    found = {s.category_id: s for s in segments}
    return [
        {"id": int(i), "name": found[i].category, "isthing": int(found[i].is_thing)}
        for i in sorted(found)
    ]


def image_of(result: PanopticSegmentation, file_name: str, image_id: int | str) -> dict[str, Any]:
    size = {"height": result.height, "width": result.width}
    return {"id": image_id, "file_name": file_name, **size}


def annotation_of(result: PanopticSegmentation, png: str, image_id: int | str) -> dict[str, Any]:
    return {"image_id": image_id, "file_name": png, "segments_info": segments_info(result)}


def content_of(
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    categories: Mapping[int, Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "images": images,
        "annotations": annotations,
        "categories": [categories[i] for i in sorted(categories)],
    }
