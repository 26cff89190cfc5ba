"""One segment of a result, and what has to be known of its category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from panoptic.results.id_map import MAX_SEGMENT_ID, Box

# A segment that no word names: class-agnostic, filled in on request. Vocabulary ids start at 1.
UNKNOWN_ID = 0


UNKNOWN = "unknown"


class CategoryLike(Protocol):
    """What a category has to offer to name a segment; ``prompts.Category`` does."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def is_thing(self) -> bool: ...


@dataclass(frozen=True)
class Segment:
    """One segment of a panoptic result.

    ``id`` is its value in the id map (1 or more), ``box`` is xyxy in pixels, right and bottom
    exclusive, ``area`` counts pixels. ``score`` is the confidence in the category, in [0, 1], on
    the scale of the detector. ``quality`` is the probability that the whole segment is right, word
    and outline (an IoU of 0.75), or None where nobody judged. ``is_crowd`` marks ground truth that
    stands for many objects at once (COCO's iscrowd).

    A segment that has not been measured yet has area 0; ``PanopticSegmentation.from_ids`` fills
    area and box in.
    """

    id: int
    category_id: int
    category: str
    is_thing: bool
    score: float
    area: int = 0
    box: Box = (0, 0, 0, 0)
    quality: float | None = None
    is_crowd: bool = False

    def __post_init__(self) -> None:
        # numpy's numbers are welcome, but JSON can't write them.
        for name, plain in (("id", int), ("category_id", int), ("area", int), ("score", float)):
            if type(value := getattr(self, name)) is not plain:
                object.__setattr__(self, name, plain(value))
        object.__setattr__(self, "box", tuple(map(int, self.box)))
        if self.quality is not None:
            object.__setattr__(self, "quality", float(self.quality))
        if not 1 <= self.id <= MAX_SEGMENT_ID:
            raise ValueError(f"a segment id is 1 to {MAX_SEGMENT_ID} (0 is void), got {self.id}")
        if self.category_id < 0:
            raise ValueError(f"segment {self.id}: category id {self.category_id} is negative")
        if not self.category:
            raise ValueError(f"segment {self.id} has an empty category name")
        for name, value in (("score", self.score), ("quality", self.quality)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise ValueError(f"segment {self.id}: {name} must be in [0, 1], got {value}")

    @property
    def is_unknown(self) -> bool:
        """Whether it was filled in without any word that names it."""
        return self.category_id == UNKNOWN_ID and self.category == UNKNOWN


@dataclass(frozen=True)
class NamedCategory:
    """A category as the ground truth knows it."""

    id: int
    name: str
    is_thing: bool
