"""What entries of COCO panoptic files must hold, whoever wrote them: checked before use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panoptic.errors import CocoFormatError

_FLAGS = {"0": False, "1": True, "false": False, "true": True}


def flag(entry: Mapping[str, Any], name: str, default: bool) -> bool:
    """A yes or no of an entry: 0, 1, true, false, or one of these as text.

    Raises ``CocoFormatError`` for anything else: ``bool("0")`` would be True.
    """
    value = entry.get(name, default)
    known = _FLAGS.get(str(value).strip().lower()) if isinstance(value, int | str) else None
    if known is None:
        raise CocoFormatError(f"{name} must be 0 or 1, got {value!r} in {_short(entry)}")
    return known


def check_annotation(annotation: Mapping[str, Any]) -> None:
    """Raises ``CocoFormatError`` if the file name or the segments of an image aren't usable."""
    if not isinstance(annotation["file_name"], str):
        raise CocoFormatError(f"file_name {annotation['file_name']!r} is not a string")
    check_image_id(annotation["image_id"])
    ids = [info["id"] for info in annotation["segments_info"]]
    if len(set(ids)) != len(ids):
        raise CocoFormatError(f"image {annotation['image_id']!r} lists a segment id twice")
    for info in annotation["segments_info"]:
        if not is_integer(info["id"]) or not is_integer(info["category_id"]):
            raise CocoFormatError(
                f"image {annotation['image_id']!r}, segment {_short(info)}: id and category_id "
                "must be integers"
            )
        flag(info, "iscrowd", False)


def check_category(category: Mapping[str, Any]) -> None:
    """Raises ``CocoFormatError`` if a category has no number or no name."""
    if not is_integer(category["id"]):
        raise CocoFormatError(f"the id of the category {_short(category)} must be an integer")
    if not isinstance(category.get("name"), str) or not category["name"].strip():
        raise CocoFormatError(f"a category has no 'name': {_short(category)}")
    flag(category, "isthing", True)


def check_image_id(image_id: Any) -> None:
    """Raises ``CocoFormatError`` if it is neither a number nor a name."""
    if not is_integer(image_id) and not (isinstance(image_id, str) and image_id):
        raise CocoFormatError(f"an image id must be an integer or a string, got {image_id!r}")


def by_id(entries: list[Mapping[str, Any]], key: str, what: str) -> dict[Any, Mapping[str, Any]]:
    """The entries by ``key``. Raises ``CocoFormatError`` if one comes twice: one would be lost."""
    found: dict[Any, Mapping[str, Any]] = {}
    for entry in entries:
        if entry[key] in found:
            raise CocoFormatError(f"{what} {entry[key]!r} is listed twice")
        found[entry[key]] = entry
    return found


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(entry: Any) -> str:
    text = repr(entry)
    return text if len(text) <= 120 else text[:119] + "…"


def png_folder_of(json_path: Path, content: Mapping[str, Any]) -> Path:
    """COCO's own place of the PNGs, or the JSON's where a single result lies in a pair of files."""
    of_many, of_one = json_path.with_suffix(""), json_path.parent
    if not of_many.is_dir():
        return of_one
    name = f"{json_path.stem}.png"
    is_pair = [a.get("file_name") for a in content["annotations"] if isinstance(a, dict)] == [name]
    if not is_pair or not (of_one / name).is_file():
        return of_many
    if (of_many / name).is_file():
        raise CocoFormatError(
            f"{str(json_path)!r} may mean {str(of_one / name)!r} or {str(of_many / name)!r}: give "
            "the folder of its PNGs"
        )
    return of_one
