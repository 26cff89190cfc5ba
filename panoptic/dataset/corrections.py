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

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw

from panoptic.errors import CocoFormatError, CorrectionError
from panoptic.formats.coco_panoptic import CocoPanoptic, read_ids
from panoptic.formats.exporter import ExportItem
from panoptic.formats.polygons import filled
from panoptic.formats.rle import read_brush
from panoptic.results.labelled import LabelledItem
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


@dataclass(frozen=True)
class _Region:
    """One region of a corrected label; a later one lies on top. ``id`` is None for a new one."""

    mask: np.ndarray
    category: str
    id: int | None


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
    names = {ExportItem(item).frame_name(frame): frame for frame in range(item.frames)}
    found: dict[int, PanopticSegmentation] = {}
    try:
        for frame, label in _labels(path, names, item, vocabulary):
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
            f"{next(iter(names))!r} in exports"
        )
    return found


Labels = Iterator[tuple[int, PanopticSegmentation]]


def _labels(
    path: Path, names: Mapping[str, int], item: LabelledItem, vocabulary: Vocabulary
) -> Labels:
    if path.suffix.lower() == ".png":
        label = item.load(names.get(path.stem, 0))
        ids = read_ids(path)
        unknown = set(np.unique(ids).tolist()) - {0} - {s.id for s in label}
        if unknown:
            raise CorrectionError(f"no segments have the ids {sorted(unknown)[:5]}; add a JSON")
        yield names.get(path.stem, 0), PanopticSegmentation.from_ids(ids, label.segments)
        return
    read: Callable[[Any, Mapping[str, int], LabelledItem], Iterator[tuple[int, list[_Region]]]]
    content: Any
    if path.suffix.lower() == ".xml":
        content, read = _xml(path), _cvat
    else:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "shapes" in content:
            name = PurePosixPath(str(content.get("imagePath", path.name)).replace("\\", "/")).stem
            # One picture a file: the name decides between frames only.
            if item.kind == "image" or name in names:
                yield names.get(name, 0), _painted(list(_labelme(content)), item, vocabulary)
            return
        if isinstance(content, dict) and "categories" in content:
            yield from _coco(path, names)
            return
        read = _label_studio
        content = content if isinstance(content, list) else [content]
    for frame, regions in read(content, names, item):
        yield frame, _painted(regions, item, vocabulary)


def _coco(path: Path, names: Mapping[str, int]) -> Labels:
    data = CocoPanoptic.open(path)
    for image_id, annotation in data.annotations.items():
        name = data.images.get(image_id, annotation)["file_name"]
        frame = names.get(PurePosixPath(name).stem)
        if frame is None and len(data) == len(names) == 1:
            frame = 0
        if frame is not None:
            yield frame, data.load(image_id)


def _labelme(content: Mapping[str, Any]) -> Iterator[_Region]:
    size = int(content["imageHeight"]), int(content["imageWidth"])
    for shape in content["shapes"]:
        points = np.array(shape["points"], float)
        kind = shape.get("shape_type") or "polygon"
        mask = np.zeros(size, bool)
        if kind == "mask":
            x, y = points[0].astype(int)
            with Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=["PNG"]) as png:
                window = np.asarray(png.convert("L")) > 0
            mask[y : y + window.shape[0], x : x + window.shape[1]] = window
        elif kind in ("polygon", "rectangle", "circle"):
            mask = _drawn(kind, points, size)
        else:
            raise CorrectionError(f"shapes of the type {kind!r} have no area")
        yield _Region(mask, shape["label"], shape.get("group_id"))


def _label_studio(
    tasks: Sequence[Mapping[str, Any]], names: Mapping[str, int], item: LabelledItem
) -> Iterator[tuple[int, list[_Region]]]:
    for task in tasks:
        data = task["data"]
        if data.get("key") != item.key or not task.get("annotations"):
            continue
        latest = max(task["annotations"], key=lambda a: (a.get("updated_at") or "", a.get("id", 0)))
        regions = []
        for region in latest["result"]:
            if region.get("type") != "brushlabels":
                continue
            height, width = region["original_height"], region["original_width"]
            number = str(region["id"]).rpartition("segment-")[2]
            (name,) = region["value"]["brushlabels"]
            mask = read_brush(region["value"]["rle"], height, width)
            regions.append(_Region(mask, name, int(number) if number.isdigit() else None))
        yield int(data.get("frame", 0)), regions


def _xml(path: Path) -> ElementTree.Element:
    data = path.read_bytes()
    # The standard library's parser expands entities, a way to fill the memory.
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise CorrectionError("it has a DOCTYPE, which CVAT never writes")
    return ElementTree.fromstring(data)


def _cvat(
    root: ElementTree.Element, names: Mapping[str, int], item: LabelledItem
) -> Iterator[tuple[int, list[_Region]]]:
    images = list(root.iter("image"))
    for image in images:
        frame = names.get(PurePosixPath(image.attrib["name"]).stem)
        if frame is None and len(images) == len(names) == 1:
            frame = 0
        if frame is None:
            continue
        size = int(image.attrib["height"]), int(image.attrib["width"])
        shapes = sorted(image, key=lambda shape: int(shape.get("z_order", 0)))
        yield frame, [_cvat_region(s, s.attrib["label"], size) for s in shapes if s.tag != "tag"]
    tracked: dict[int, list[tuple[ElementTree.Element, str]]] = {}
    for track in root.iter("track"):
        for shape in track:
            if shape.get("outside") == "0":
                frame = int(shape.attrib["frame"])
                tracked.setdefault(frame, []).append((shape, track.attrib["label"]))
    for frame, found in sorted(tracked.items()):
        found.sort(key=lambda each: int(each[0].get("z_order", 0)))
        yield frame, [_cvat_region(shape, label, item.size) for shape, label in found]


def _cvat_region(shape: ElementTree.Element, label: str, size: tuple[int, int]) -> _Region:
    noted = {a.get("name"): a.text for a in shape.findall("attribute")}
    number = noted.get("segment_id") or ""
    id = int(number) if number.isdigit() else None
    given = shape.attrib
    mask = np.zeros(size, bool)
    if shape.tag == "mask":
        left, top, width, height = (int(given[n]) for n in ("left", "top", "width", "height"))
        lengths = [int(v) for v in given["rle"].split(",")]
        window = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
        mask[top : top + height, left : left + width] = window
    elif shape.tag == "box":
        x0, y0, x1, y1 = (round(float(given[n])) for n in ("xtl", "ytl", "xbr", "ybr"))
        mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    elif shape.tag == "polygon":
        points = [pair.split(",") for pair in given["points"].split(";")]
        mask = filled(np.array(points, float), size)
    else:
        raise CorrectionError(f"shapes of the type {shape.tag!r} have no area")
    return _Region(mask, label, id)


def _drawn(kind: str, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
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


def _painted(
    regions: list[_Region], item: LabelledItem, vocabulary: Vocabulary
) -> PanopticSegmentation:
    """Regions one upon the other. Those of one id and category are one segment."""
    ids = np.zeros(item.size, np.int32)
    segments: dict[int, Segment] = {}
    used = {region.id for region in regions}
    free = iter(number for number in range(1, len(regions) + len(used) + 2) if number not in used)
    for region in regions:
        if region.mask.shape != item.size:
            height, width = region.mask.shape
            raise CorrectionError(
                f"it is {width} x {height}, the picture is {item.size[1]} x {item.size[0]}"
            )
        if region.category not in vocabulary:
            known = ", ".join(c.name for c in vocabulary)
            raise CorrectionError(f"no category is called {region.category!r}; there are {known}")
        category = vocabulary.by_name(region.category)
        number = region.id if region.id is not None and region.id > 0 else next(free)
        if number in segments and segments[number].category_id != category.id:
            number = next(free)
        segments[number] = Segment(number, category.id, category.name, category.is_thing, 1.0)
        ids[region.mask] = number
    return PanopticSegmentation.from_ids(ids, segments.values())


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
