"""Levels of the composition: when stuff masks are believed, and how masks become one map."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MergeSettings:
    """How masks become one map. Areas are parts of the picture, lengths parts of its
    sqrt(height x width), so that they mean the same at any size."""

    mask_threshold: float = 0.0
    """Logit above which a pixel belongs to a mask: where SAM 2 itself cuts."""
    stuff_weight: float = 0.2
    """Factor on the claims of stuff. Scores of boxes and of heatmaps are not comparable, and stuff
    is by definition what the things left: 0.2 lets a thing at the recipe's box threshold (0.35)
    win wherever its mask says yes (0.35 x 0.6 > 0.2), even against certain stuff."""
    min_visible: float = 0.5
    """Share of its mask that a thing must keep. SAM 2 masks what is visible, so a mask that lost
    more than half is mostly someone else's: a duplicate or a false alarm."""
    inside_share: float = 0.5
    """A thing that would vanish under a larger one of another category gets its pixels if it is
    smaller than this share of it: it is in front of it or a part of it. 0 turns this off."""
    min_thing_area: float = 0.0002
    """Smallest thing: 8 x 8 pixels of a 640 x 480 picture; below that, masks are noise."""
    min_stuff_area: float = 0.005
    """Smallest stuff segment. COCO's own merging drops stuff below 64 x 64 of 640 x 480 pixels
    (0.013); words asked on purpose deserve the benefit of the doubt."""
    min_unknown_area: float = 0.003
    """Smallest segment filled in without a word: nobody asked for it, so crumbs are not wanted."""
    min_fragment: float = 0.0002
    """Connected pieces below this are freed, unless the segment has no larger one."""
    min_fragment_share: float = 0.02
    """For things also pieces below this share of the largest one: what an occluder cuts off is
    larger, what a mask decoder splashes elsewhere is smaller."""
    max_hole: float = 0.001
    """Unlabelled pieces up to this size are given to the segment around them."""
    seam: float = 0.004
    """Half the width of unlabelled seams that are closed: two masks that meet leave a gap of
    about one sample of the mask decoder, 1/256 of the picture."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name != "mask_threshold" and not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {value}")


@dataclass(frozen=True)
class StuffMaskSettings:
    """When SAM 2's answer for a region is believed, and how far."""

    min_agreement: float = 0.5
    """Least IoU of a mask with its region. Below, SAM 2 has outlined something else (a part, a
    thing on top, the whole picture), and the heat alone is the better mask."""
    heat_weight: float = 1.0
    """Factor on the heat's log-odds. 0 takes SAM 2's masks as they are."""
    heat_bound: float = 4.0
    """The heat's log-odds count up to here, a probability of 0.98."""
    mask_bound: float = 6.0
    """SAM 2's logits count up to here. More than the heat's: where both are as sure as they can
    be and disagree, it is mostly about what belongs together, which SAM 2 sees better."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement must be in [0, 1], got {self.min_agreement}")
        if self.heat_weight < 0 or self.heat_bound <= 0 or self.mask_bound <= 0:
            raise ValueError(
                "expected heat_weight >= 0 and positive bounds, got "
                f"{self.heat_weight}, {self.heat_bound} and {self.mask_bound}"
            )
