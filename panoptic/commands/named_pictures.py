"""Pictures as a command line names them, with the names and numbers that their results get."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class NamedPicture:
    """A picture; ``file_name`` and ``image_id`` are what a truth finds its result by. Without
    numbers of its own (of a COCO JSON), pictures are counted as they are written."""

    path: Path
    file_name: str
    image_id: int | str | None = None


@dataclass(frozen=True)
class NamedPictures:
    """The pictures by path, in order, and why others can't be used."""

    by_path: Mapping[Path, NamedPicture]
    problems: tuple[str, ...] = ()


def named_pictures(given: Sequence[Path], images: Path | None = None) -> NamedPictures:
    """Files as they are; a COCO JSON stands for its pictures, which lie beside it or in ``images``.

    Files are called by their names, or where two share one, by their paths below the folder that
    all have in common. Raises ``ValueError`` where ``images`` belongs to no JSON.
    """
    lists = [path for path in given if path.suffix.lower() == ".json" and path.is_file()]
    if images is not None and not lists:
        raise ValueError("--images is where the pictures of a COCO JSON lie, and there is none")
    files = list(dict.fromkeys(path for path in given if path not in lists))
    found = dict(zip(files, _called(files), strict=True))
    problems: list[str] = []
    for path in lists:
        _add_listed(path, images, found, problems)
    return NamedPictures(_numbered(found), tuple(problems))


def _called(files: Sequence[Path]) -> list[NamedPicture]:
    names = Counter(path.name.casefold() for path in files)
    if not files or max(names.values()) == 1:
        return [NamedPicture(path, path.name) for path in files]
    paths = [Path(os.path.abspath(path)) for path in files]
    common = Path(os.path.commonpath([path.parent for path in paths]))
    return [
        NamedPicture(file, path.relative_to(common).as_posix())
        for file, path in zip(files, paths, strict=True)
    ]


def _add_listed(
    json: Path, images: Path | None, found: dict[Path, NamedPicture], problems: list[str]
) -> None:
    from panoptic.io.sources.coco_images import CocoImagesSource

    for unit in CocoImagesSource(json, images):
        if unit.problem is not None:
            problems.append(f"{str(json)!r}: {unit.name!r}: {unit.problem}")
        elif (path := Path(unit.source)) in found:
            problems.append(f"{str(json)!r}: {unit.name!r} is named twice, and is labelled once")
        else:
            found[path] = NamedPicture(path, unit.name, unit.image_id)


def _numbered(found: Mapping[Path, NamedPicture]) -> dict[Path, NamedPicture]:
    """Where some have numbers of their own, the others get those that are free."""
    own = {picture.image_id for picture in found.values()} - {None}
    if not own:
        return dict(found)
    free = (number for number in count(1) if number not in own)
    seen: set[int | str] = set()
    numbered = {}
    for path, picture in found.items():
        id = picture.image_id
        id = next(free) if id is None or id in seen else id
        seen.add(id)
        numbered[path] = replace(picture, image_id=id)
    return numbered
