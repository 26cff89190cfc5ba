"""LabelMe: one JSON beside each picture, segments as shapes of the type "mask".

    train/NAME.jpg
    train/NAME.json

Masks are exact, holes and parts included; LabelMe 5.3 and later shows and edits them. ``group_id``
is the segment's id, and the description holds its score. (https://github.com/wkentaro/labelme)
What a person made of such a file is read by ``read_shapes``.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from panoptic.errors import CorrectionError
from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.regions import Region
from panoptic.io.files import write_json
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

VERSION = "5.5.0"


class LabelmeExporter:
    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None:
        self.folder = folder
        self.pictures = pictures

    def add(self, item: ExportItem) -> None:
        for frame, result in item.frames():
            stem = self.folder / item.split / item.frame_name(frame)
            picture = self.pictures.put(item, frame, stem)
            write_json(
                item.file(stem.with_name(f"{stem.name}.json")),
                {
                    **{"version": VERSION, "flags": {}, "shapes": _shapes(result)},
                    **{"imagePath": picture.name, "imageData": None},
                    **{"imageHeight": result.height, "imageWidth": result.width},
                },
                indent=1,
            )

    def close(self) -> None:
        pass


def _shapes(result: PanopticSegmentation) -> list[dict[str, object]]:
    shapes: list[dict[str, object]] = []
    for s in result:
        x0, y0, x1, y1 = s.box
        buffer = io.BytesIO()
        mask = (result.ids[y0:y1, x0:x1] == s.id).astype(np.uint8)
        Image.fromarray(mask * 255).convert("1").save(buffer, format="PNG")
        shapes.append(
            {
                # The last pixel is included in a mask's box.
                **{"label": s.category, "points": [[x0, y0], [x1 - 1, y1 - 1]]},
                **{"group_id": s.id, "description": f"score {s.score:.6g}"},
                **{"shape_type": "mask", "flags": {}},
                "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
            }
        )
    return shapes


def read_shapes(content: Mapping[str, Any]) -> list[Region]:
    """The regions of a file's content: masks, polygons, rectangles and circles.

    Raises ``CorrectionError`` for shapes without an area, and ``KeyError``, ``TypeError`` or
    ``ValueError`` where a field is missing or wrong.
    """
    size = int(content["imageHeight"]), int(content["imageWidth"])
    return [
        Region(_mask(shape, size), shape["label"], shape.get("group_id"))
        for shape in content["shapes"]
    ]


def _mask(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    points = np.array(shape["points"], float)
    kind = shape.get("shape_type") or "polygon"
    if kind == "mask":
        mask = np.zeros(size, bool)
        x, y = points[0].astype(int)
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=["PNG"]) as png:
            window = np.asarray(png.convert("L")) > 0
        mask[y : y + window.shape[0], x : x + window.shape[1]] = window
        return mask
    if kind not in ("polygon", "rectangle", "circle"):
        raise CorrectionError(f"shapes of the type {kind!r} have no area")
    canvas = Image.new("1", size[::-1])
    draw = ImageDraw.Draw(canvas)
    if kind == "polygon":
        draw.polygon([(x, y) for x, y in points.tolist()], fill=1, outline=1)
    elif kind == "rectangle":
        low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        draw.rectangle((*low, *high), fill=1)
    else:
        (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.array(canvas, bool)
