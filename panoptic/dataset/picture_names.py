"""Which picture of somebody's annotation file is which item of a data set.

Tools call pictures by file name, by path or by URL, of the pictures that were exported or of the
ones that they were made from. A base name alone may be that of several items, so the surest name
counts, and two pictures that are equally sure are told and not chosen from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from panoptic.formats.exporter import ExportItem
from panoptic.formats.regions import AnnotatedPicture
from panoptic.results.labelled import SPLITS, LabelledItem
from prompts.text_files import posix_name

EXACT, SURE, BASE, STRANGE, ONLY = 5, 4, 3, 2, 1
"""How sure a name is: the key or the exported name; the path that the item came from; its base name
alone; the exported name in some other folder; none, but there is no other picture."""
_FOLDERS = {*SPLITS, "images", "default", "annotations"}  # that exports and tools put names into
# As CVAT calls the pictures of a video, and as a data set's own labels of one are called.
_UPLOAD = re.compile(r"[0-9a-f]{8}-(.+)")  # what Label Studio makes of a name
_FRAME = re.compile(r"(?:frame_)?(\d{6})")


@dataclass(frozen=True)
class Match:
    """A picture that is a frame of the item (0 for a picture); ``note`` says what isn't sure."""

    picture: AnnotatedPicture
    frame: int
    rank: int
    note: str | None = None


class PictureNames:
    """The pictures of one file, found by the names of items."""

    def __init__(self, pictures: list[AnnotatedPicture]) -> None:
        self._pictures = pictures
        self._by_key: dict[str, list[AnnotatedPicture]] = {}
        self._by_stem: dict[str, list[tuple[AnnotatedPicture, tuple[str, ...]]]] = {}
        for picture in pictures:
            if picture.key is not None:
                self._by_key.setdefault(picture.key, []).append(picture)
                continue
            for name in picture.names:
                parts = _parts(name)
                known = [parts, _uploaded(parts)] if parts else []
                for each in filter(None, known):
                    self._by_stem.setdefault(each[-1], []).append((picture, each))

    def of(self, item: LabelledItem, least: int = STRANGE) -> list[Match]:
        """The surest match of each frame, several where they are equally sure."""
        best: dict[int, list[Match]] = {}
        for match in self._candidates(item):
            known = best.get(match.frame)
            if match.rank < least or (known and known[0].rank > match.rank):
                continue
            if known is None or known[0].rank < match.rank:
                best[match.frame] = [match]
            elif all(match.picture is not other.picture for other in known):
                known.append(match)
        return [match for matches in best.values() for match in matches]

    def only(self, item: LabelledItem) -> list[Match]:
        """The pictures of a file that is about one item, whatever it is called there."""
        named = [(p, _frame_of(p)) for p in self._pictures if p.key is None]
        if len(named) != len(self._pictures):
            return []
        if item.kind == "image":
            return [_only(p, 0, item) for p, frame in named if len(named) == 1 and p.frame is None]
        return [_only(p, frame, item) for p, frame in named if frame is not None]

    def _candidates(self, item: LabelledItem) -> Iterator[Match]:
        for picture in self._by_key.get(item.key, ()):
            yield Match(picture, picture.frame or 0, EXACT)
        source = _parts(item.source)
        exported = ExportItem(item)
        frames = {_normal(name): frame for name, frame in exported.frame_of_name().items()}
        for stem in {*frames, _normal(exported.name), *source[-1:]}:
            for picture, parts in self._by_stem.get(stem, ()):
                yield from _match(picture, parts, item, frames, source, _normal(exported.name))


def _match(
    picture: AnnotatedPicture,
    parts: tuple[str, ...],
    item: LabelledItem,
    frames: dict[str, int],
    source: tuple[str, ...],
    clip: str,
) -> Iterator[Match]:
    if picture.frame is not None:  # a frame of a video, called by the name of that
        if item.kind == "video" and parts[-1] in (clip, *source[-1:]):
            yield Match(picture, picture.frame, EXACT)
        return
    strange = [part for part in parts[:-1] if part not in _FOLDERS]
    if parts[-1] in frames:
        frame = frames[parts[-1]]
        if not strange or parts == source[-len(parts) :]:
            yield Match(picture, frame, EXACT)
        else:
            yield Match(picture, frame, STRANGE, _note(picture, item))
    if item.kind == "image" and source and parts[-1] == source[-1]:
        same = _common_end(parts, source)
        if same >= len(PurePosixPath(item.key).parts):
            yield Match(picture, 0, SURE)
        elif same == len(parts):
            yield Match(picture, 0, BASE, _note(picture, item))


def _uploaded(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The name that a picture had before it was uploaded to Label Studio, which keeps no folder."""
    match = _UPLOAD.fullmatch(parts[-1])
    return (match[1],) if match else ()


def _common_end(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    count = 0
    while count < min(len(first), len(second)) and first[-1 - count] == second[-1 - count]:
        count += 1
    return count


def _only(picture: AnnotatedPicture, frame: int, item: LabelledItem) -> Match:
    return Match(picture, frame, ONLY, _note(picture, item) if frame == 0 else None)


def _note(picture: AnnotatedPicture, item: LabelledItem) -> str:
    name = picture.names[0] if picture.names else "without a name"
    return f"its picture is {name!r} and was taken for {item.key!r}"


def frame_named(name: str) -> int | None:
    """The frame of a video that a picture of this name is, if that is how frames are called."""
    parts = _parts(name)
    match = _FRAME.fullmatch(parts[-1]) if parts else None
    return int(match[1]) if match else None


def _frame_of(picture: AnnotatedPicture) -> int | None:
    if picture.frame is not None:
        return picture.frame
    found = [frame for name in picture.names if (frame := frame_named(name)) is not None]
    return found[0] if found else None


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path, the last without its suffix."""
    parts = [p for p in posix_name(name).split("/") if p not in ("", ".", "..")]
    if not parts:
        return ()
    return (*map(_normal, parts[:-1]), _normal(PurePosixPath(parts[-1]).stem))


def _normal(name: str) -> str:
    """Macs and their archives spell é as two letters."""
    return unicodedata.normalize("NFC", name)
