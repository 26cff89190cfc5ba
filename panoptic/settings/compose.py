"""Levels of the composition: when stuff masks are believed, and how masks become one map."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MergeSettings:
    """How masks become one map. Areas are parts of the picture, lengths parts of its
    sqrt(height x width), so that they mean the same at any size."""

    named_twice: float = 0.7
    """A thing whose mask has this IoU with the area of a stuff word is a false alarm, and that
    stuff. Things come before stuff whatever their score, and a box of the whole picture, too."""
    min_visible: float = 0.6
    """Share of its mask that a thing must keep among things. SAM 2 masks what is visible, so a mask
    that lost nearly half is someone else's: a duplicate or a false alarm."""
    inside_share: float = 0.5
    """A thing that would vanish under a larger one of another category gets its pixels if it is
    smaller than this share of it: it is in front of it or a part of it. 0 turns this off."""
    min_stuff_area: float = 0.005
    """Smallest stuff segment. COCO's own merging drops stuff below 64 x 64 of 640 x 480 pixels
    (0.013); words asked on purpose deserve the benefit of the doubt."""
    min_unknown_area: float = 0.003
    """Smallest segment filled in without a word: nobody asked for it, so crumbs are not wanted."""
    min_fragment: float = 0.0002
    """Connected pieces below this are freed, unless the segment has no larger one: 8 x 8 pixels of
    a 640 x 480 picture, what a mask decoder splashes elsewhere."""
    seam: float = 0.002
    """Half the width of unlabelled seams and holes that are closed: two masks that meet leave a gap
    of about one sample of the mask decoder, 1/256 of the picture."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {value}")


@dataclass(frozen=True)
class StuffMaskSettings:
    """When SAM 2's answer for a region is believed, and how far."""

    min_agreement: float = 0.3
    """Least IoU of a mask with its region. Below, SAM 2 has outlined something else (a part, a
    thing on top, the whole picture), and the heat alone is the better mask. A region is often a
    part of what is meant, so not more."""
    bound: float = 4.0
    """Log-odds of SAM 2's mask and of the heat are added, each counting up to here, a probability
    of 0.98: what is sure outweighs what isn't, and neither wins where both are sure."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement must be in [0, 1], got {self.min_agreement}")
        if self.bound <= 0:
            raise ValueError(f"bound must be above 0, got {self.bound}")
