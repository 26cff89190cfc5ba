"""LabelMe: one JSON beside each picture, segments as shapes of the type "mask".

    train/NAME.jpg
    train/NAME.json

Masks are exact, holes and parts included; LabelMe 5.3 and later shows and edits them. ``group_id``
is the segment's id, and the description holds its score. (https://github.com/wkentaro/labelme)
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.formats.exporter import ExportItem, PictureSink
from panoptic.formats.writers import write_json
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
