"""Reads labels that a person corrected in another tool back in.

What is read, told apart by its content, from a file, a folder of files or a zip archive:

- COCO panoptic: a JSON with its PNGs, or one PNG alone, whose ids are those of the first label
- COCO instances: polygons and run lengths
- LabelMe: masks, polygons, rectangles (turned ones, too) and circles
- Label Studio: JSON or JSON-MIN with brushes, polygons, rectangles and ellipses
- CVAT 1.1 for images or for video: masks, polygons, boxes and ellipses

A file may hold many pictures, and ``picture_names`` says which is the item's. What a label can't
hold (a point, a note, an attribute) is left out and told. A frame that can't be read is refused
and told; the others are taken.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from panoptic.dataset.picture_names import BASE, Match, PictureNames, frame_named
from panoptic.errors import CorrectionError, DatasetError
from panoptic.formats.annotation_files import annotation_files
from panoptic.formats.coco_panoptic import read_ids
from panoptic.formats.exporter import ExportItem
from panoptic.formats.regions import AnnotatedPicture, Notes, Target
from panoptic.results.labelled import LabelledItem
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary


@dataclass(frozen=True)
class Correction:
    """What a file says of an item.

    ``labels`` are by frame (0 for a picture) and at least one. A segment that keeps its id and
    category keeps its score; new ones have score 1. The quality of all is 1, as a person looked
    at them. ``notes`` tell what was left out; ``refused`` tell the frames that couldn't be read.
    """

    labels: Mapping[int, PanopticSegmentation]
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def read_correction(path: str | Path, item: LabelledItem, vocabulary: Vocabulary) -> Correction:
    """The corrected labels of an item that a file, folder or zip archive holds.

    Raises ``CorrectionError`` if it holds nothing of the item, is of no known form, has another
    size than the picture, or names a category that the vocabulary doesn't have; and
    ``FileNotFoundError``.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".png":
            return _of_png(path, item)
        with opened_corrections(path) as file:
            return file.of(item, vocabulary)
    except CorrectionError as error:
        raise CorrectionError(f"{str(path)!r} is no correction of {item.key!r}: {error}") from error


@contextmanager
def opened_corrections(path: str | Path) -> Iterator[CorrectionFile]:
    """A file, folder or zip archive with the corrections of one item or many.

    Raises ``FileNotFoundError``, and ``CorrectionError`` where it is no such file at all.
    """
    with annotation_files(Path(path)) as files:
        pictures: list[AnnotatedPicture] = []
        damaged: dict[str, str] = {}
        for file in files:
            try:
                pictures += file.pictures()
            except CorrectionError as error:
                if len(files) == 1:
                    raise
                damaged[file.place] = str(error)
        yield CorrectionFile(pictures, damaged)


class CorrectionFile:
    """Opened annotations: ``pictures``, and the files among them that are ``damaged``, by name."""

    def __init__(
        self, pictures: list[AnnotatedPicture], damaged: Mapping[str, str] | None = None
    ) -> None:
        self.pictures = pictures
        self.damaged = dict(damaged or {})
        self.names = PictureNames(pictures)

    def of(self, item: LabelledItem, vocabulary: Vocabulary) -> Correction:
        """What it says of one item, which the caller is sure of. Raises ``CorrectionError``."""
        matches = self.names.of(item)
        if not matches and not self.damaged:
            matches = self.names.only(item)
        if not matches:
            why = "".join(f"; {text}" for text in list(self.damaged.values())[:3])
            raise CorrectionError(
                f"it holds no label of it ({len(self.pictures)} of others); in exports it is "
                f"called {ExportItem(item).frame_name(0)!r}{why}"
            )
        return _read(matches, item, vocabulary)

    def claims(self, items: Iterable[LabelledItem]) -> list[Claim]:
        """Which of many items its pictures are: each picture is the surest one's alone. Where
        several are equally sure, the claim tells so."""
        found = [(item, matches) for item in items if (matches := self.names.of(item, least=BASE))]
        best: dict[int, int] = {}
        for _, matches in found:
            for match in matches:
                best[id(match.picture)] = max(match.rank, best.get(id(match.picture), 0))
        whose: dict[int, list[str]] = {}
        claims = []
        for item, matches in found:
            kept = [m for m in matches if m.rank == best[id(m.picture)]]
            for match in kept:
                whose.setdefault(id(match.picture), []).append(item.key)
            if kept:
                claims.append((item, kept))
        return [
            Claim(item, tuple(kept), tuple(sorted({k for m in kept for k in whose[id(m.picture)]})))
            for item, kept in claims
        ]

    def read(self, claim: Claim, vocabulary: Vocabulary) -> Correction:
        """What it says of one of many items. Raises ``CorrectionError``."""
        place = claim.matches[0].picture.place or "it"
        if len(claim.keys) > 1:
            raise CorrectionError(
                f"{place}: it could be {' or '.join(claim.keys[:3])}; name one, as KEY=FILE"
            )
        try:
            correction = _read(claim.matches, claim.item, vocabulary)
            bare = claim.item.kind == "image" and not len(correction.labels[0])
            if bare and len(claim.item.load()):
                # Tools list pictures that nobody opened like those that were emptied.
                raise CorrectionError(
                    f"{place}: it holds no region, and the label stays as it is; to make it void, "
                    "correct this item alone, as KEY=FILE"
                )
        except DatasetError as error:  # the label that is corrected is gone
            raise CorrectionError(str(error)) from error
        return correction

    def rest(self, claims: Iterable[Claim]) -> tuple[list[str], list[str]]:
        """In words: the pictures of which nobody said anything, such as skipped tasks; and those
        that are no item's."""
        claimed = {id(match.picture) for claim in claims for match in claim.matches}
        unsaid = [p.unsaid for p in self.pictures if p.unsaid]
        rest = [p for p in self.pictures if not p.unsaid and id(p) not in claimed]
        return unsaid, [f"{p.place or 'it'}: no item is called so" for p in rest]


@dataclass(frozen=True)
class Claim:
    """An item and its pictures in a file; ``keys`` are of all items that these could be."""

    item: LabelledItem
    matches: tuple[Match, ...]
    keys: tuple[str, ...]

    @property
    def unsaid(self) -> bool:
        """Whether nobody annotated any of them."""
        return all(match.picture.unsaid for match in self.matches)


def _read(matches: Sequence[Match], item: LabelledItem, vocabulary: Vocabulary) -> Correction:
    notes = Notes()
    ids = frozenset[int]().union(*(match.picture.ids for match in matches))
    target = Target(item.size, vocabulary, notes, _FreshIds(item, ids))
    by_frame: dict[int, list[Match]] = {}
    for match in matches:
        by_frame.setdefault(match.frame, []).append(match)
    labels: dict[int, PanopticSegmentation] = {}
    refused: list[str] = []
    for frame, found in sorted(by_frame.items()):
        try:
            if not 0 <= frame < item.frames:
                raise CorrectionError(
                    f"{found[0].picture.place}: the frames are 0 to {item.frames - 1}"
                )
            if len(found) > 1:
                places = " and ".join(match.picture.place or "it" for match in found[:3])
                raise CorrectionError(f"{places} are both called so: leave one")
            if found[0].note:
                notes.say(found[0].note)
            before = notes.count
            label = _label(found[0].picture, target)
            if not len(label) and notes.count > before:
                raise CorrectionError(
                    f"{found[0].picture.place or 'it'} holds nothing that a label could be made "
                    f"of: {'; '.join(notes.texts()[-3:])}"
                )
            labels[frame] = _judged(label, item.load(frame), found[0].picture.place, notes)
        except CorrectionError as error:
            refused.append(str(error))
    if not labels:
        raise CorrectionError("; ".join(refused[:3]) + ("; ..." if len(refused) > 3 else ""))
    return Correction(labels, notes.texts(), tuple(refused))


def _label(picture: AnnotatedPicture, target: Target) -> PanopticSegmentation:
    """A picture's label; whatever broken content leads to becomes a ``CorrectionError``."""
    try:
        return picture.read(target)
    except (CorrectionError, DatasetError):  # the latter of the label that is corrected
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        what = f"{type(error).__name__} {error}"
        raise CorrectionError(f"{picture.place or 'the file'} is damaged: {what}") from error
    except (OSError, SyntaxError, RecursionError) as error:
        raise CorrectionError(f"{picture.place or 'the file'} can't be read: {error}") from error


def _of_png(path: Path, item: LabelledItem) -> Correction:
    named = ExportItem(item).frame_of_name().get(path.stem, frame_named(path.name))
    if item.kind == "video" and (named is None or named >= item.frames):
        raise CorrectionError(
            f"its name tells no frame; it should be {ExportItem(item).frame_name(0)!r} or '000000' "
            "and so on"
        )
    frame = named or 0 if item.kind == "video" else 0
    label = item.load(frame)
    try:
        ids = read_ids(path)
    except FileNotFoundError:
        raise
    except ValueError as error:
        raise CorrectionError(str(error)) from error
    if ids.shape != item.size:
        raise CorrectionError(
            f"it is {ids.shape[1]} x {ids.shape[0]}, the picture is {item.size[1]} x {item.size[0]}"
        )
    unknown = set(np.unique(ids).tolist()) - {0} - {s.id for s in label}
    if unknown:
        raise CorrectionError(f"no segments have the ids {sorted(unknown)[:5]}; add a JSON")
    notes = Notes()
    corrected = PanopticSegmentation.from_ids(ids, label.segments)
    return Correction({frame: _judged(corrected, label, path.name, notes)}, notes.texts())


def _judged(
    label: PanopticSegmentation, first: PanopticSegmentation, place: str, notes: Notes
) -> PanopticSegmentation:
    """With the first label's scores where a segment is the same, and the quality of a judgement."""
    if len(first) and not len(label):
        notes.say(f"{place or 'it'} holds no region: a label of {len(first)} becomes void")
    scores = {(s.id, s.category_id): s.score for s in first}
    segments = [
        replace(s, score=scores.get((s.id, s.category_id), 1.0), quality=1.0) for s in label
    ]
    return PanopticSegmentation(label.ids, tuple(segments))


class _FreshIds:
    """Ids that no segment of an item has, in any frame, nor of the file that is read.

    A stuff category keeps the id that it has in the item; an object of a track, or of a group,
    gets the same one in every frame.
    """

    def __init__(self, item: LabelledItem, ids: frozenset[int]) -> None:
        self._item = item
        self._used = set(ids)
        self._given: dict[Hashable, int] | None = None

    def __call__(self, same: Hashable, taken: Collection[int]) -> int:
        if self._given is None:
            self._given = {}
            for frame in range(self._item.frames):
                for s in self._item.load(frame):
                    self._used.add(s.id)
                    if not s.is_thing:
                        self._given.setdefault(("stuff", s.category_id), s.id)
        lasts = isinstance(same, tuple) and same[0] != "alone"
        if lasts and self._given.get(same) not in (None, *taken):
            return self._given[same]
        self._used.update(taken)
        number = 1
        while number in self._used:
            number += 1
        self._used.add(number)
        if lasts:
            self._given[same] = number
        return number
