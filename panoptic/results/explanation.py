"""Why a picture was labelled as it was: the steps on the way, small enough to keep and to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detectors.base import Boxes
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Category, Vocabulary

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Fate:
    """What became of a candidate: its segment's id, or None and the reason."""

    segment_id: int | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class KeptMask:
    """A mask that SAM 2 gave, one bit a pixel at the decoder's resolution, and its signals."""

    bits: np.ndarray
    shape: tuple[int, int]
    predicted_iou: float | None
    stability: float | None
    agreement: float | None
    """IoU with what it was asked by: its box, or its region."""

    @classmethod
    def of(
        cls,
        mask: np.ndarray,
        predicted_iou: float | None,
        stability: float | None,
        agreement: float | None,
    ) -> KeptMask:
        shape = mask.shape[0], mask.shape[1]
        return cls(np.packbits(mask), shape, predicted_iou, stability, agreement)

    def mask(self) -> np.ndarray:
        """Bool (h, w), covering the whole picture."""
        count = self.shape[0] * self.shape[1]
        return np.unpackbits(self.bits, count=count).reshape(self.shape).astype(bool)


@dataclass(frozen=True)
class RegionStep:
    """A stuff region and what became of it: ``area`` as a part of the picture, ``score`` its mean
    heat, ``chosen`` which of SAM 2's masks was taken, None where its heat stands alone."""

    category: Category
    area: float
    score: float
    chosen: int | None
    mask: KeptMask
    fate: Fate


@dataclass(frozen=True)
class WordStep:
    """A stuff word: its highest and mean heat, and the part of the picture where it is the
    likeliest word, above the background and not covered by a thing."""

    category: Category
    highest: float
    mean: float
    share: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """The way from words and picture to the result, step by step.

    It shows itself in notebooks as one sheet; ``print`` gives the numbers; ``save`` writes a
    picture of every step. It is small (megabytes less than the trace it is made from), so results
    carry it along.

    ``heat`` uint8 (K, h, w) is 255 x probability of each of ``words``. ``region_of`` int16 (r, c)
    holds the number of the region at each pixel, counted from 1 in the order of ``regions``, and
    ``covered`` bool (r, c) says where things are. ``points`` has for each region (P, 2), x and y as
    parts of the picture's width and height. ``boxes``, ``thing_masks`` and ``thing_fates`` go
    together.
    """

    result: PanopticSegmentation
    vocabulary: Vocabulary
    background: float
    boxes: Boxes
    thing_masks: tuple[KeptMask, ...]
    thing_fates: tuple[Fate, ...]
    words: tuple[WordStep, ...]
    heat: np.ndarray
    region_of: np.ndarray
    covered: np.ndarray
    points: tuple[np.ndarray, ...]
    regions: tuple[RegionStep, ...]

    def sheet(self) -> Image.Image:
        """All steps on one picture."""
        from panoptic.show.explanation_sheet import sheet

        return sheet(self)

    def text(self) -> str:
        """All steps in numbers."""
        from panoptic.show.explanation_text import describe

        return describe(self)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Writes ``sheet.png``, a picture of every step and ``explain.txt``; returns the folder.

        Raises ``OutputError`` where files of these names hold anything else, unless ``overwrite``.
        """
        from panoptic.show.explanation_sheet import save

        return save(self, folder, overwrite=overwrite)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return (
            f"<Explanation: {len(self.boxes)} boxes, {len(self.regions)} regions, "
            f"{len(self.result)} segments; print() it, or show its sheet()>"
        )

    def _repr_png_(self) -> bytes:
        import io

        stream = io.BytesIO()
        self.sheet().save(stream, format="PNG")
        return stream.getvalue()
