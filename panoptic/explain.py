"""Why a picture was labelled as it was: the steps of a trace, small enough to keep and to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detectors.base import Boxes
from panoptic.segmentation import PanopticSegmentation
from prompts import Category, Vocabulary

if TYPE_CHECKING:
    from PIL import Image

    from panoptic.merge import Fate
    from panoptic.trace import Trace

# Longer side in pixels at which heatmaps and regions are kept. They come from a model that sees
# 352 pixels in patches of 16, so more would be interpolation.
_HEAT_SIDE, _REGION_SIDE = 160, 320


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
    ``core`` and ``covered`` bool (r, c) say where points were taken and where things are.
    ``points`` (N, P, 2) are x and y as parts of the picture's width and height, ``labels`` (N, P)
    1 inside, 0 outside, -1 padding; one row a region. ``boxes``, ``thing_masks`` and
    ``thing_fates`` go together.
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
    core: np.ndarray
    covered: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    regions: tuple[RegionStep, ...]

    @classmethod
    def of(cls, trace: Trace) -> Explanation:
        """The explanation of a trace."""
        count, fates = len(trace.boxes), trace.report.fates
        heat = trace.heatmaps.probabilities
        step = _step(heat.shape[1:], _HEAT_SIDE)
        size = np.array([trace.covered.shape[1], trace.covered.shape[0]])
        region_of, core = _region_maps(trace)
        small = _step(trace.covered.shape, _REGION_SIDE)
        return cls(
            result=trace.result,
            vocabulary=trace.vocabulary,
            background=trace.settings.regions.background,
            boxes=trace.boxes,
            thing_masks=_thing_masks(trace),
            thing_fates=fates[:count],
            words=_words(trace),
            heat=(heat[:, ::step, ::step] * 255).astype(np.uint8),
            region_of=region_of[::small, ::small].copy(),
            core=core[::small, ::small].copy(),
            covered=trace.covered[::small, ::small].copy(),
            points=(trace.prompt.points_nk2 + 0.5) / size,
            labels=trace.prompt.labels_nk,
            regions=_regions(trace, fates[count:]),
        )

    def sheet(self) -> Image.Image:
        """All steps on one picture."""
        from panoptic.explain_sheet import sheet

        return sheet(self)

    def text(self) -> str:
        """All steps in numbers."""
        from panoptic.explain_text import describe

        return describe(self)

    def save(self, folder: str | Path) -> Path:
        """Writes ``sheet.png``, a picture of every step and ``explain.txt``; returns the folder."""
        from panoptic.explain_sheet import panels

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.sheet().save(folder / "sheet.png")
        for number, panel in enumerate(panels(self, side=960), start=1):
            panel.picture.save(folder / f"{number}-{panel.name}.png")
        (folder / "explain.txt").write_text(self.text() + "\n", encoding="utf-8")
        return folder

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


def _step(shape: tuple[int, ...], side: int) -> int:
    return max(1, -(-max(shape) // side))


def _region_maps(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    region_of = np.zeros(trace.covered.shape, np.int16)
    core = np.zeros(trace.covered.shape, bool)
    for number, region in enumerate(trace.regions, start=1):
        region_of[region.mask] = number
        core |= region.core
    return region_of, core


def _thing_masks(trace: Trace) -> tuple[KeptMask, ...]:
    if trace.thing_masks is None:
        return ()
    logits = trace.thing_masks.logits[:, 0].cpu().numpy()
    return tuple(
        KeptMask.of(mask > 0, c.evidence.predicted_iou, c.evidence.stability, c.evidence.agreement)
        for mask, c in zip(logits, trace.candidates, strict=False)
    )


def _words(trace: Trace) -> tuple[WordStep, ...]:
    heat = trace.heatmaps.probabilities
    areas = dict.fromkeys(trace.heatmaps.category_ids.tolist(), 0.0)
    if len(heat):
        step = _step(heat.shape[1:], _REGION_SIDE)
        small = heat[:, ::step, ::step]
        likeliest = small.argmax(0)
        likeliest[(small.max(0) < trace.settings.regions.background)] = -1
        likeliest[trace.covered[::step, ::step]] = -1
        for index, category_id in enumerate(areas):
            areas[category_id] = float((likeliest == index).mean())
    return tuple(
        WordStep(
            trace.vocabulary.by_id(category_id), float(h.max()), float(h.mean(dtype=float)), share
        )
        for h, (category_id, share) in zip(heat, areas.items(), strict=True)
    )


def _regions(trace: Trace, fates: tuple[Fate, ...]) -> tuple[RegionStep, ...]:
    return tuple(
        RegionStep(
            category=trace.vocabulary.by_id(stuff.region.category_id),
            area=stuff.region.area / stuff.region.mask.size,
            score=stuff.region.score,
            chosen=stuff.chosen,
            mask=KeptMask.of(
                stuff.logits > 0, stuff.predicted_iou, stuff.stability, stuff.agreement
            ),
            fate=fate,
        )
        for stuff, fate in zip(trace.stuff_masks, fates, strict=True)
    )
