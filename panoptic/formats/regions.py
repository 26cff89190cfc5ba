"""Pictures and regions as other tools describe them, and the label that these make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.fields import at, shown
from panoptic.results.id_map import MAX_SEGMENT_ID
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from prompts.category import Category

Size = tuple[int, int]
"""Height and width in pixels."""


class Notes:
    """What a file says that no label can hold, and what else a person should know of how it was
    read. Equal ones are counted."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def say(self, text: str) -> None:
        self._found.setdefault(text, [])

    def left_out(self, what: str, place: str) -> None:
        """``what`` is the kind of thing, in the singular and with an article."""
        self._found.setdefault(what, []).append(place)

    @property
    def count(self) -> int:
        """How many things were left out."""
        return sum(len(places) for places in self._found.values())

    def texts(self) -> tuple[str, ...]:
        return tuple(
            f"{what} is left out: {places[0]}"
            + (f" and {len(places) - 1} more" if len(places) > 1 else "")
            if places
            else what
            for what, places in self._found.items()
        )


@dataclass(frozen=True)
class AnnotatedPicture:
    """One picture, or one frame of a video, in a file of another tool; its label is not read yet.

    ``names`` are those that the tool gives the picture, the surest first; where there is a
    ``key``, it alone says which item this is. ``frame`` is that of a video, None where the name
    tells. ``read`` raises ``CorrectionError``, or any error that broken content leads to.
    ``unsaid`` is set where nobody said anything of the picture, such as a task that was skipped.
    ``ids`` are the segments' ids that its whole file gives, so that new ones get others.
    """

    place: str
    names: tuple[str, ...]
    read: Callable[[Target], PanopticSegmentation]
    key: str | None = None
    frame: int | None = None
    unsaid: str | None = None
    ids: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Target:
    """The picture that a label is read for.

    ``fresh_id`` gives a new segment an id that none had: of a stuff category (by its number) or of
    an object that lasts (by whatever tells it apart) the same one each time, else one of its own.
    """

    size: Size
    vocabulary: Vocabulary
    notes: Notes
    fresh_id: Callable[[Hashable, Collection[int]], int]


@dataclass(frozen=True)
class Region:
    """One region of a corrected label: the name of its category, and how to draw it.

    ``draw`` makes its mask, bool (H, W), of a picture's size. ``id`` is that of the segment that
    it was, None for a new one. Regions of one ``group`` and category are one segment.
    """

    place: str
    category: str
    draw: Callable[[Size], np.ndarray]
    id: int | None = None
    group: Hashable = None
    is_crowd: bool = False


def paint(regions: Sequence[Region], target: Target) -> PanopticSegmentation:
    """Regions one upon the other, later ones on top, as a label.

    Those of one id and category are one segment, as are those of one group, and all of one stuff
    category; scores are 1. Raises ``CorrectionError`` for a category that the vocabulary doesn't
    have, and where a region can't be drawn.
    """
    ids = np.zeros(target.size, np.int32)
    segments: dict[int, Segment] = {}
    numbers = _numbers(regions, target)
    notes = target.notes
    for region, number in zip(regions, numbers, strict=True):
        category = target.vocabulary.by_name(region.category)
        mask = region.draw(target.size)
        if not mask.any():
            notes.left_out("a shape that covers no pixel of the picture", region.place)
            continue
        known = segments.get(number)
        segments[number] = Segment(
            number,
            category.id,
            category.name,
            category.is_thing,
            1.0,
            is_crowd=region.is_crowd or (known is not None and known.is_crowd),
        )
        ids[mask] = number
    label = PanopticSegmentation.from_ids(ids, segments.values())
    _say_of_segments(label, regions, numbers, segments, notes)
    return label


def size_checked(place: str, given: Size, size: Size) -> None:
    """Raises ``CorrectionError`` if a file's (height, width) is not the picture's."""
    if given != size:
        raise CorrectionError(
            at(place, f"it is {given[1]} x {given[0]}, the picture is {size[1]} x {size[0]}")
        )


def _numbers(regions: Sequence[Region], target: Target) -> list[int]:
    """The segment of each region."""
    whose: list[Hashable] = []
    for region in regions:
        if not region.category.strip() or region.category not in target.vocabulary:
            known = ", ".join(c.name for c in target.vocabulary)
            raise CorrectionError(
                f"{region.place}: no category is called {shown(region.category)}; there are {known}"
            )
        whose.append(_same(region, target.vocabulary.by_name(region.category), len(whose)))
    wanted: dict[Hashable, int] = {}
    for region, same in zip(regions, whose, strict=True):
        id = region.id
        if id is not None and _is_id(id) and same not in wanted and id not in wanted.values():
            wanted[same] = id
    for same in whose:
        if same not in wanted:
            wanted[same] = target.fresh_id(same, wanted.values())
    return [wanted[same] for same in whose]


def _same(region: Region, category: Category, number: int) -> Hashable:
    """What regions of one segment have in common."""
    if not category.is_thing:
        return ("stuff", category.id)
    if _is_id(region.id):
        return ("id", region.id, category.id)
    if region.group is not None:
        return ("group", region.group, category.id)
    return ("alone", number)


def _is_id(id: int | None) -> bool:
    return id is not None and 1 <= id <= MAX_SEGMENT_ID


def _say_of_segments(
    label: PanopticSegmentation,
    regions: Sequence[Region],
    numbers: Sequence[int],
    segments: dict[int, Segment],
    notes: Notes,
) -> None:
    seen = {s.id for s in label}
    for number, segment in segments.items():
        places = [r.place for r, n in zip(regions, numbers, strict=True) if n == number]
        if number not in seen:
            notes.say(f"{places[0]} is covered by regions above it")
        elif len(places) > 1 and segment.is_thing:
            some = ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")
            notes.say(f"one {segment.category} with the id {number}: {some}")
