"""Regions of one Label Studio annotation: brushes, polygons, rectangles and ellipses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.fields import Fields, at, is_number, shown
from panoptic.formats.regions import Region, Size, Target, size_checked
from panoptic.formats.rle import read_brush
from panoptic.formats.shapes import Draw, Turn, ellipse, points_of, polygon, rectangle

MIN = "JSON-MIN"
"""Stands for the type of a region, which JSON-MIN doesn't tell."""
SHAPES = ("brush", "polygon", "rectangle", "ellipse")
NO_AREAS = (
    *("keypoint", "vector", "timeline", "choices", "taxonomy", "textarea", "rating", "number"),
    *("datetime", "relation", "pairwise", "ranker"),
)
_PREFIX = "segment-"


def regions_of(results: list[Any], target: Target, place: str) -> Iterator[Region]:
    """The regions of an annotation's results. Raises ``CorrectionError``.

    Shapes that were drawn apart from their labels are found by the id that both have.
    """
    given = [Fields(r, at(place, f"result {n}")) for n, r in enumerate(results, 1)]
    apart: dict[str, list[str]] = {}
    for result in given:
        if result.content.get("type") == "labels" and result.has("id"):
            labels = _labels(result.fields("value").content)
            apart.setdefault(str(result.content["id"]), []).extend(labels)
    labelled = [_geometry(r) for r in given if _labels(r.content.get("value"))]
    for result in given:
        kind = _kind(result)
        if kind == "labels":
            continue
        name = str(result.content.get("id", result.content.get("from_name", "")))
        where = f"{result.place} ({kind} {shown(name)})"
        if kind in NO_AREAS:
            target.notes.left_out(f"a {kind}", where)
            continue
        if kind not in SHAPES:
            raise CorrectionError(
                f"{where}: regions of the type {shown(kind)} are not read; draw it with a brush, "
                "as a polygon, a rectangle or an ellipse"
            )
        if result.content.get("item_index"):
            raise CorrectionError(
                f"{where}: it is of picture {shown(result.content['item_index'])} (from 0) of a "
                "task of several; only tasks of one picture are read"
            )
        if _meta(result):
            target.notes.left_out("a note on a region", where)
        labels = _labels(result.content.get("value")) or apart.get(name, [])
        if not labels and result.content.get("type") == MIN and _geometry(result) in labelled:
            continue  # its labels stand in another field, with the same shape
        if len(set(labels)) != 1:
            raise CorrectionError(
                f"{where}: a region has one label, got {shown(labels)}; give it one, or delete it"
            )
        yield _region(result, kind, labels[0], where, target.size)


def _kind(result: Fields) -> str:
    kind = result.text("type")
    if kind == "labels":
        return kind
    if kind == MIN:
        value = result.content
        if "rle" in value:
            return "brush"
        if "points" in value:
            return "polygon"
        if "radiusX" in value:
            return "ellipse"
        if "height" in value and "x" in value:
            return "rectangle"
        return "keypoint" if "x" in value else "an unknown shape"
    return kind.removesuffix("labels")


def _labels(value: Any) -> list[str]:
    """The labels within a region's value; their field is called after the shape."""
    if not isinstance(value, Mapping):
        return []
    found = [v for name, v in value.items() if str(name).endswith("labels") and isinstance(v, list)]
    return [label for labels in found for label in labels if isinstance(label, str)]


def _geometry(result: Fields) -> dict[str, Any]:
    value = result.content.get("value")
    if not isinstance(value, Mapping):
        return {}
    return {n: v for n, v in value.items() if not str(n).endswith("labels")}


def _meta(result: Fields) -> bool:
    meta = result.content.get("meta")
    return isinstance(meta, Mapping) and bool(meta.get("text"))


def _region(result: Fields, kind: str, label: str, place: str, size: Size) -> Region:
    own = result.integer("original_height"), result.integer("original_width")
    size_checked(place, own, size)
    turned = result.number("image_rotation") if result.has("image_rotation") else 0
    if turned:
        raise CorrectionError(
            f"{place}: it was drawn on a picture turned by {turned:g} degrees; turn it back first"
        )
    name = str(result.content.get("id", ""))
    number = name.removeprefix(_PREFIX)
    known = name.startswith(_PREFIX) and number.isascii() and number.isdecimal()
    id = int(number) if known and len(number) < 10 else None
    return Region(place, label, _draw(result.fields("value"), kind, place, size), id)


def _draw(value: Fields, kind: str, place: str, size: Size) -> Draw:
    height, width = size
    if kind == "brush":
        return lambda size: _brush(value, place, size)
    if kind == "polygon":
        if value.content.get("closed") is False:
            raise CorrectionError(f"{place}: the polygon is not closed")
        points = points_of(value.content.get("points"), place, least=3)
        return polygon(points * (width / 100, height / 100))
    x, y = value.number("x") * width / 100, value.number("y") * height / 100
    degrees = value.number("rotation") if value.has("rotation") else 0.0
    if kind == "ellipse":
        radii = value.number("radiusX") * width / 100, value.number("radiusY") * height / 100
        return ellipse((x, y), radii, degrees)
    w, h = value.number("width") * width / 100, value.number("height") * height / 100
    return rectangle((x, y), w, h, Turn((x, y), degrees) if degrees else None)


def _brush(value: Fields, place: str, size: Size) -> np.ndarray:
    if value.content.get("format") != "rle":
        raise value.error("format", "'rle'")
    rle = value.list("rle")
    if not all(is_number(byte) and byte in range(256) for byte in rle):
        raise CorrectionError(f"{place}: its run lengths are bytes from 0 to 255")
    try:
        return read_brush(rle, *size)
    except ValueError as error:
        raise CorrectionError(f"{place}: {error}") from error
