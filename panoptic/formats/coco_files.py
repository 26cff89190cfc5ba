"""The COCO panoptic files that a path stands for: one JSON, or a folder that holds some.

A result has one JSON, an export one for each split; COCO itself has one a split as well. Whoever
reads "the data set" wants all of them.
"""

from __future__ import annotations

from pathlib import Path

from panoptic.errors import CocoFormatError
from panoptic.formats.coco_panoptic import CocoPanoptic

_EXPORT = "coco_panoptic"


def open_coco(path: str | Path, png_folder: str | Path | None = None) -> tuple[CocoPanoptic, ...]:
    """Opens all files that ``path`` stands for, in the order of their names.

    ``path`` is a JSON, the folder that ``panoptic image`` wrote (``panoptic.json``), or an export
    (``annotations/panoptic_train.json`` and so on, also one folder further up). ``png_folder`` is
    where the PNGs of a single JSON lie, if elsewhere.

    Raises ``CocoFormatError`` if a file isn't one or two don't fit together, and
    ``FileNotFoundError``, which says what was looked for.
    """
    path = Path(path)
    paths = _in_folder(path) if path.is_dir() else [path]
    if png_folder is not None and len(paths) > 1:
        raise ValueError(
            f"{str(path)!r} holds {len(paths)} JSON files with PNGs of their own: give one JSON to "
            "name a folder of PNGs for it"
        )
    files = tuple(CocoPanoptic.open(each, png_folder) for each in paths)
    for file in files[1:]:
        _check_same_words(files[0], file)
    return files


def _in_folder(folder: Path) -> list[Path]:
    for place in (folder, folder / _EXPORT):
        if found := sorted((place / "annotations").glob("panoptic_*.json")):
            return found
        if (place / "panoptic.json").is_file():
            return [place / "panoptic.json"]
    if found := sorted(p for p in folder.glob("panoptic_*.json") if p.with_suffix("").is_dir()):
        return found
    if (folder / "manifest.sqlite").is_file():
        raise FileNotFoundError(
            f"{str(folder)!r} is a labelled data set: export it (panoptic export {folder} --format "
            f"{_EXPORT}) and give the export"
        )
    raise FileNotFoundError(
        f"{str(folder)!r} holds no COCO panoptic JSON: looked for panoptic.json, "
        f"annotations/panoptic_*.json and {_EXPORT}/annotations/panoptic_*.json"
    )


def _check_same_words(one: CocoPanoptic, other: CocoPanoptic) -> None:
    for id in one.categories.keys() & other.categories.keys():
        names = one.categories[id]["name"], other.categories[id]["name"]
        if names[0] != names[1]:
            raise CocoFormatError(
                f"category {id} is {names[0]!r} in {str(one.json_path)!r} and {names[1]!r} in "
                f"{str(other.json_path)!r}: files of different words aren't one data set"
            )
