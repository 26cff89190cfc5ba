"""LabelMe: one JSON beside each picture, segments as shapes of the type "mask".

    train/NAME.jpg
    train/NAME.json

Masks are exact, holes and parts included; LabelMe 5.3 and later shows and edits them. ``group_id``
is the segment's id, and the description holds its score. (https://github.com/wkentaro/labelme)
What a person made of such a file is read by ``read_picture``.
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
from panoptic.formats.fields import Fields, at, shown
from panoptic.formats.regions import (
    AnnotatedPicture,
    Notes,
    Region,
    Size,
    Target,
    paint,
    size_checked,
)
from panoptic.formats.shapes import Draw, points_of, window
from panoptic.io.files import write_json
from panoptic.io.pillow_files import lifted_limit
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


AREAS = ("polygon", "rectangle", "oriented_rectangle", "rotation", "circle", "mask")
"""Shapes that have one; "rotation" is what X-AnyLabeling calls an oriented rectangle."""
NO_AREAS = ("point", "points", "line", "linestrip")
_FIELDS = {"label", "points", "group_id", "description", "shape_type", "flags", "mask", "score"}


def read_picture(content: Any, place: str, file_name: str) -> AnnotatedPicture:
    """What a LabelMe file says of its picture; it is drawn as LabelMe's ``shape_to_mask`` does.

    Points and lines are helpers without an area, and left out. A group of shapes is one segment.
    """
    fields = Fields(content, place)

    def read(target: Target) -> PanopticSegmentation:
        own = fields.integer("imageHeight"), fields.integer("imageWidth")
        size_checked(place, own, target.size)
        for name in _true(content.get("flags")):
            target.notes.left_out(f"the flag {name!r}", at(place, "of the whole picture"))
        found = [
            _region(Fields(shape, at(place, f"shape {number}")), target.notes)
            for number, shape in enumerate(fields.list("shapes"), 1)
        ]
        return paint([region for region in found if region is not None], target)

    named = fields.content.get("imagePath")
    names = (named, file_name) if isinstance(named, str) and named else (file_name,)
    return AnnotatedPicture(place, names, read)


def _region(shape: Fields, notes: Notes) -> Region | None:
    kind = shape.text("shape_type") if shape.has("shape_type") else "polygon"
    place = f"{shape.place} ({shown(shape.content.get('label'))})"
    if kind in NO_AREAS:
        notes.left_out(f"a {kind}", place)
        return None
    if kind not in AREAS:
        raise CorrectionError(
            f"{place}: shapes of the type {kind!r} are not read; draw it as a polygon or a mask"
        )
    for name in _true(shape.content.get("flags")):
        notes.left_out(f"the flag {name!r}", place)
    described = shape.content.get("description")
    if described and not str(described).startswith("score "):
        notes.left_out("a description", place)
    for name in shape.content.keys() - _FIELDS:
        if shape.content[name]:
            notes.left_out(f"the field {name!r}", place)
    group = shape.integer("group_id") if shape.has("group_id") else None
    return Region(place, shape.text("label"), _draw(shape, kind, place), group, group)


def _true(flags: Any) -> list[str]:
    return [str(name) for name in flags if flags[name]] if isinstance(flags, Mapping) else []


def _draw(shape: Fields, kind: str, place: str) -> Draw:
    points = points_of(shape.content.get("points"), place)
    if kind == "mask":
        if points.shape != (2, 2):
            raise CorrectionError(f"{place}: a mask has two points, got {len(points)}")
        (x0, y0), (x1, y1) = points.astype(int).tolist()
        own = y1 - y0 + 1, x1 - x0 + 1
        return window(lambda size: _png(shape, size, place), own, x0, y0, place)
    least, most = {
        "circle": (2, 2),
        "rectangle": (2, 4),
        "oriented_rectangle": (4, 4),
        "rotation": (4, 4),
    }.get(kind, (3, len(points)))
    if not least <= len(points) <= most or (kind == "rectangle" and len(points) == 3):
        raise CorrectionError(f"{place}: a {kind} of {len(points)} points is none")

    def draw(size: Size) -> np.ndarray:
        canvas = Image.new("1", size[::-1])
        pen = ImageDraw.Draw(canvas)
        if kind == "circle":
            (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)
        elif kind == "rectangle" and len(points) == 2:
            low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            pen.rectangle((*low, *high), fill=1, outline=1)
        else:
            pen.polygon([(x, y) for x, y in points.tolist()], fill=1, outline=1)
        return np.array(canvas, bool)

    return draw


def _png(shape: Fields, size: Size, place: str) -> np.ndarray:
    try:
        data = base64.b64decode(shape.text("mask"), validate=True)
        with lifted_limit(), Image.open(io.BytesIO(data), formats=["PNG"]) as png:
            if png.size != size[::-1]:
                raise CorrectionError(
                    f"{place}: its mask is {png.width} x {png.height}, its points say "
                    f"{size[1]} x {size[0]}"
                )
            return np.asarray(png.convert("L")) > 0
    except CorrectionError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise CorrectionError(f"{place}: its mask is no PNG in base64: {error}") from error
