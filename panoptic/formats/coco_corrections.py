"""Reads corrections in COCO's two forms: panoptic (PNGs of ids) and instances (polygons, RLE).

Categories are known by their names, as every tool numbers them anew. A picture that is damaged is
told when it is read, so the others of the file can be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.coco_panoptic import read_ids
from panoptic.formats.fields import Fields, at, is_number, shown
from panoptic.formats.regions import AnnotatedPicture, Region, Size, Target, paint, size_checked
from panoptic.formats.rle import read_coco
from panoptic.formats.shapes import Draw, points_of, polygon
from panoptic.results.segment import UNKNOWN, UNKNOWN_ID, Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts.text_files import posix_name


def looks_like_coco(content: Any) -> bool:
    """Whether it has COCO's lists."""
    return isinstance(content, Mapping) and all(
        isinstance(content.get(name), list) for name in ("annotations", "categories")
    )


def read_pictures(
    content: Mapping[str, Any], json_path: Path, place: str
) -> list[AnnotatedPicture]:
    """The pictures of a COCO JSON; PNGs lie in the folder of its name, or beside it."""
    data = _Content(content, json_path, place)
    if any(isinstance(a, Mapping) and "segments_info" in a for a in data.annotations):
        return [_panoptic(a, data, number) for number, a in enumerate(data.annotations, 1)]
    return list(_instances(data))


class _Content:
    """The lists of a JSON, and what is found in them by id."""

    def __init__(self, content: Mapping[str, Any], json_path: Path, place: str) -> None:
        self.json_path, self.place = json_path, place
        self.annotations: list[Any] = content["annotations"]
        self._categories = _by_id(content["categories"])
        images = content.get("images")
        self.images = _by_id(images if isinstance(images, list) else [])

    def category(self, entry: Fields) -> str:
        """The name of an entry's category."""
        return self.entry(entry).text("name")

    def entry(self, entry: Fields) -> Fields:
        """An entry's category."""
        found = self._categories.get(_hashable(entry.content.get("category_id")), [])
        if len(found) != 1:
            raise entry.error("category_id", f"one of 'categories', where it is {len(found)} times")
        return found[0]

    def image(self, image_id: Any) -> Fields | None:
        """The entry of ``images``, if there is one; ``CorrectionError`` if there are several."""
        found = self.images.get(_hashable(image_id), [])
        if len(found) > 1:
            raise CorrectionError(at(self.place, f"'images' lists {shown(image_id)} twice"))
        return found[0] if found else None


def _by_id(entries: list[Any]) -> dict[Any, list[Fields]]:
    found: dict[Any, list[Fields]] = {}
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, Mapping):
            fields = Fields(entry, f"entry {number} of the list")
            found.setdefault(_hashable(entry.get("id")), []).append(fields)
    return found


def _hashable(id: Any) -> Any:
    """1 and "1" are two ids; true is none."""
    return (type(id).__name__, id) if isinstance(id, int | str) else repr(id)


def _panoptic(annotation: Any, data: _Content, number: int) -> AnnotatedPicture:
    place = at(data.place, f"annotation {number}")
    if not isinstance(annotation, Mapping):
        return AnnotatedPicture(place, (), _refusing(f"{place}: expected fields"))
    fields = Fields(annotation, place)
    png = annotation.get("file_name")
    names = [png] if isinstance(png, str) else []
    try:
        image = data.image(annotation.get("image_id"))
        if image is not None and isinstance(image.content.get("file_name"), str):
            names.insert(0, image.content["file_name"])
    except CorrectionError as error:
        return AnnotatedPicture(place, tuple(names), _refusing(str(error)))

    def read(target: Target) -> PanopticSegmentation:
        ids = read_ids(_png_path(data.json_path, fields))
        size_checked(place, (ids.shape[0], ids.shape[1]), target.size)
        segments: dict[int, Segment] = {}
        for n, info in enumerate(fields.list("segments_info"), 1):
            segment = _segment(Fields(info, at(place, f"segment {n}")), data, target)
            if segment.id in segments:
                raise CorrectionError(f"{place}: segment {segment.id} is listed twice")
            segments[segment.id] = segment
        there = set(np.unique(ids).tolist()) - {0}
        if lost := there - segments.keys():
            raise CorrectionError(f"{place}: the JSON says nothing of the ids {sorted(lost)[:5]}")
        if unseen := segments.keys() - there:
            raise CorrectionError(f"{place}: the ids {sorted(unseen)[:5]} are not in the PNG")
        return PanopticSegmentation.from_ids(*_stuff_joined(ids, segments, target))

    return AnnotatedPicture(place, tuple(names), read)


def _png_path(json_path: Path, fields: Fields) -> Path:
    path = PurePosixPath(posix_name(fields.text("file_name")))
    if path.is_absolute() or ".." in path.parts or "\0" in str(path) or not path.name:
        raise fields.error("file_name", "a name below the folder of the PNGs")
    beside = json_path.with_suffix("")
    found = (beside if beside.is_dir() else json_path.parent) / path
    if not found.is_file():
        raise CorrectionError(f"{fields.place}: there is no PNG {str(found)!r}")
    return found


def _segment(info: Fields, data: _Content, target: Target) -> Segment:
    name, id = data.category(info), info.integer("id")
    crowd = info.has("iscrowd") and bool(info.integer("iscrowd"))
    filled = name == UNKNOWN and info.integer("category_id") == UNKNOWN_ID
    if filled and name not in target.vocabulary:  # our own label, filled in on request
        return Segment(id, UNKNOWN_ID, UNKNOWN, True, 1.0, is_crowd=crowd)
    if not name.strip() or name not in target.vocabulary:
        known = ", ".join(c.name for c in target.vocabulary)
        raise CorrectionError(
            f"{info.place}: no category is called {shown(name)}; there are {known}"
        )
    category = target.vocabulary.by_name(name)
    told = data.entry(info).content.get("isthing")
    if told in (0, 1) and bool(told) != category.is_thing:
        # Datumaro, for one, calls everything stuff.
        kinds = ("stuff", "a thing")
        target.notes.say(
            f"{name!r} is {kinds[told]} in the file, and taken for {kinds[category.is_thing]}"
        )
    return Segment(id, category.id, category.name, category.is_thing, 1.0, is_crowd=crowd)


def _stuff_joined(
    ids: np.ndarray, segments: dict[int, Segment], target: Target
) -> tuple[np.ndarray, list[Segment]]:
    """Stuff is one segment a category: further ones are joined to the first, which is said."""
    first: dict[int, Segment] = {}
    for segment in segments.values():
        known = first.setdefault(segment.category_id, segment)
        if known is not segment and not segment.is_thing:
            ids = np.where(ids == segment.id, known.id, ids)
            target.notes.say(f"segment {segment.id} was joined to {known.id}, {known.category}")
    return ids, list(segments.values())


def _instances(data: _Content) -> Iterator[AnnotatedPicture]:
    of_image: dict[Any, list[Fields]] = {}
    broken: list[str] = []
    for number, annotation in enumerate(data.annotations, 1):
        place = at(data.place, f"annotation {number}")
        id = annotation.get("image_id") if isinstance(annotation, Mapping) else None
        if id is not None and (image := _hashable(id)) in data.images:
            of_image.setdefault(image, []).append(Fields(annotation, place))
        else:
            broken.append(f"{place}: its image_id is none of 'images'")
    for id, entries in data.images.items():
        name = entries[0].content.get("file_name")
        names = (name,) if isinstance(name, str) else ()
        place = at(data.place, f"image {shown(entries[0].content.get('id'))} ({shown(name)})")
        if len(entries) > 1:
            yield AnnotatedPicture(place, names, _refusing(f"{place}: 'images' lists it twice"))
            continue
        yield AnnotatedPicture(
            place, names, _reader(entries[0], of_image.get(id, []), data, place, tuple(broken))
        )


def _reader(
    image: Fields, annotations: list[Fields], data: _Content, place: str, broken: tuple[str, ...]
) -> Any:
    def read(target: Target) -> PanopticSegmentation:
        for text in broken:  # of which picture it is can't be told
            target.notes.say(f"{text}: left out")
        size_checked(place, (image.integer("height"), image.integer("width")), target.size)
        regions = [_region(annotation, data, target) for annotation in annotations]
        return paint([region for region in regions if region is not None], target)

    return read


def _region(annotation: Fields, data: _Content, target: Target) -> Region | None:
    category = data.category(annotation)
    place = f"{annotation.place} ({shown(category)})"
    if annotation.content.get("keypoints"):
        target.notes.left_out("a list of keypoints", place)
        if not annotation.content.get("segmentation"):
            return None
    for name, value in _noted(annotation.content.get("attributes")):
        target.notes.left_out(f"the attribute {shown(name)}", f"{place}, {shown(value)}")
    crowd = annotation.has("iscrowd") and bool(annotation.integer("iscrowd"))
    id = annotation.integer("segment_id") if annotation.has("segment_id") else None
    return Region(place, category, _draw(annotation, place), id, is_crowd=crowd)


def _noted(attributes: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(attributes, Mapping):
        for name, value in attributes.items():
            if value not in (None, False, "", 0):
                yield str(name), value


def _draw(annotation: Fields, place: str) -> Draw:
    given = annotation.content.get("segmentation")
    if isinstance(given, list) and given:
        parts = [_polygon(part, place) for part in given]

        def union(size: Size) -> np.ndarray:
            mask = np.zeros(size, bool)
            for part in parts:
                mask |= part(size)
            return mask

        return union
    if isinstance(given, Mapping):
        return _rle(Fields(given, at(place, "'segmentation'")), place)
    raise CorrectionError(
        f"{place}: it has no mask ('segmentation' is {shown(given)}); a box alone is no label"
    )


def _polygon(part: Any, place: str) -> Draw:
    if not isinstance(part, list) or len(part) % 2:
        raise CorrectionError(f"{place}: a polygon is a list of x, y, x, y, got {shown(part)}")
    pairs = [list(pair) for pair in zip(part[::2], part[1::2], strict=True)]
    return polygon(points_of(pairs, place, least=3))


def _rle(given: Fields, place: str) -> Draw:
    size, counts = given.list("size"), given.content.get("counts")
    if len(size) != 2 or not all(isinstance(v, int) for v in size):
        raise given.error("size", "height and width")
    if not isinstance(counts, str):
        counts = given.list("counts")
        if not all(is_number(v) and v == int(v) for v in counts):
            raise given.error("counts", "whole numbers, or their compressed text")
        counts = [int(v) for v in counts]

    def draw(wanted: Size) -> np.ndarray:
        size_checked(place, (size[0], size[1]), wanted)
        try:
            return read_coco(counts, *wanted)
        except (ValueError, OverflowError) as error:
            raise CorrectionError(f"{place}: {error}") from error

    return draw


def _refusing(reason: str) -> Any:
    def read(target: Target) -> PanopticSegmentation:
        raise CorrectionError(reason)

    return read
