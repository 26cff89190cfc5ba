"""Shapes of CVAT's XML, in images and in tracks alike, as regions.

(https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/)
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.cvat_xml import ATTRIBUTES
from panoptic.formats.fields import Fields, shown
from panoptic.formats.regions import Notes, Region
from panoptic.formats.shapes import Draw, Turn, ellipse, points_of, polygon, rectangle, window

NO_AREAS = ("points", "polyline", "skeleton", "tag")


def region_of(
    shape: Element, place: str, label: str, group: str | None, notes: Notes
) -> Region | None:
    """A shape as a region, None where it has no area. Raises ``CorrectionError``.

    ``label`` and ``group`` are the shape's, or those of its track.
    """
    if shape.tag in NO_AREAS:
        notes.left_out(f"a {shape.tag}", place)
        return None
    fields = Fields(shape.attrib, place, texts=True)
    _tell(shape, place, notes)
    return Region(place, label, _draw(shape.tag, fields, place), segment_id(shape), group)


def segment_id(shape: Element) -> int | None:
    """The segment's id, which exports note as an attribute."""
    for attribute in shape.findall("attribute"):
        value = (attribute.text or "").strip()
        if attribute.get("name") == ATTRIBUTES[0] and _is_id(value):
            return int(value)
    return None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _tell(shape: Element, place: str, notes: Notes) -> None:
    """Says what is noted of a shape, beside what exports do."""
    if shape.get("occluded") == "1":
        notes.left_out("the mark 'occluded'", place)
    for attribute in shape.findall("attribute"):
        name, value = attribute.get("name", ""), (attribute.text or "").strip()
        ours = name == ATTRIBUTES[1] or (name == ATTRIBUTES[0] and _is_id(value))
        if value and not ours:
            notes.left_out(f"the attribute {shown(name)}", place)


def _draw(tag: str, fields: Fields, place: str) -> Draw:
    if tag == "mask":
        left, top, width, height = (fields.integer(n) for n in ("left", "top", "width", "height"))
        rle = fields.text("rle")
        own = height, width
        return window(lambda size: _mask(rle, size, place), own, left, top, place)
    turned = fields.number("rotation") if fields.has("rotation") else 0.0
    if tag == "box":
        x0, y0, x1, y1 = (fields.number(n) for n in ("xtl", "ytl", "xbr", "ybr"))
        centre = (x0 + x1) / 2, (y0 + y1) / 2
        return rectangle((x0, y0), x1 - x0, y1 - y0, Turn(centre, turned) if turned else None)
    if tag == "ellipse":
        cx, cy, rx, ry = (fields.number(n) for n in ("cx", "cy", "rx", "ry"))
        return ellipse((cx, cy), (rx, ry), turned)
    if tag == "polygon":
        return polygon(points_of(_points(fields, place), place, least=3))
    raise CorrectionError(
        f"{place}: shapes of the type {shown(tag)} are not read; draw it as a polygon or a mask"
    )


def _points(fields: Fields, place: str) -> list[list[float]]:
    text = fields.text("points")
    try:
        return [[float(v) for v in pair.split(",")] for pair in text.split(";")]
    except ValueError as error:
        raise CorrectionError(f"{place}: its points are not x,y;x,y: {shown(text)}") from error


def _mask(rle: str, size: tuple[int, int], place: str) -> np.ndarray:
    height, width = size
    try:
        lengths = [int(v) for v in rle.split(",")]
    except ValueError as error:
        raise CorrectionError(f"{place}: its rle is no list of lengths: {shown(rle)}") from error
    if min(height, width) < 1 or min(lengths) < 0 or sum(lengths) != height * width:
        raise CorrectionError(
            f"{place}: its rle has {sum(lengths)} pixels, a mask of {width} x {height} has "
            f"{max(width, 0) * max(height, 0)}"
        )
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
