"""A segmenter that knows the truth, and errs as SAM 2 does: parts for wholes, leaks, soft edges."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from benchmarks.standins.dials import check_not_negative, check_shares
from benchmarks.standins.looks import look_within
from benchmarks.standins.pointed_at import Pointed, answer
from benchmarks.standins.shapes import (
    GRID,
    SIDE,
    Shapes,
    disc,
    displaced,
    iou,
    to_grid,
    to_logits,
)
from benchmarks.standins.tracker import StandinTracker, TrackErrors
from benchmarks.standins.truth import TrueFrame, Truths, rng_of
from sam2core import ImageMasks, TrackerSettings
from sam2core.arrays import as_mask
from sam2core.errors import PromptError
from sam2core.transforms import as_rgb, to_prompt

KINDS = ("part", "whole", "more")
"""The three masks of one prompt, in this order."""


@dataclass(frozen=True)
class MaskErrors:
    """What a segmenter gets wrong; as it is by default, nothing. Rates are of all answers."""

    edge: float = 0.0
    """How soft outlines are: the deviation, in cells of the logits, of the Gauss that blurs them.
    Public models have 1 to 2, less where they are sure."""
    height: float = 10.0
    """The largest logit, and the lowest below zero. Unsure models stay within 2 or 3."""
    outline: float = 0.0
    """By how much the outline is off, as share of the root of the mask's area."""
    part: float = 0.0
    """How often a part is given for the whole."""
    more: float = 0.0
    """How often a neighbour is taken in, a look-alike rather than another."""
    holes: float = 0.0
    """How many holes a mask has, on average."""
    splashes: float = 0.0
    """How many specks elsewhere a mask has, on average."""
    leaks: float = 0.0
    """How often a part of a neighbour, a look-alike rather than another, is taken in."""
    iou_bias: float = 0.0
    """What the estimate of a mask's IoU is too high by, on average."""
    iou_noise: float = 0.0
    """The deviation of that estimate."""
    absent: float = 0.0
    """How often something is said not to be there that is."""
    steady: float = 0.0
    """Share of the errors that are the same in every frame of a clip; others are drawn anew."""

    def __post_init__(self) -> None:
        check_shares(self, ("part", "more", "leaks", "absent", "steady"))
        check_not_negative(self, (f.name for f in fields(self) if f.name != "iou_bias"))
        if self.height == 0:
            raise ValueError("height must be above 0: there is no mask without logits above 0")


@dataclass(frozen=True, eq=False)
class EncodedTruth:
    """A picture whose truth is known, to be asked for masks; ``size`` is its (height, width)."""

    shapes: Shapes
    size: tuple[int, int]


class StandinSegmenter:
    """Answers as :class:`sam2core.ImageSegmenter` does, from the truth of a picture.

    What points, boxes and earlier masks mean is in :mod:`benchmarks.standins.pointed_at`. Logits
    are (256, 256), as of public models. ``tracks`` are the errors of the trackers it gives.
    """

    mask_size = SIDE
    prompts_per_batch = 64

    def __init__(
        self,
        truths: Truths,
        errors: MaskErrors | None = None,
        seed: int = 0,
        tracks: TrackErrors | None = None,
    ) -> None:
        self.truths = truths
        self.errors = errors or MaskErrors()
        self.tracks = tracks or TrackErrors()
        self.seed = seed

    def encode(self, image: Any) -> EncodedTruth:
        """``ValueError`` for a picture whose truth isn't known."""
        rgb = as_rgb(image)
        return EncodedTruth(Shapes(self.truths.of(rgb)), (rgb.shape[0], rgb.shape[1]))

    def tracker(self, settings: TrackerSettings | None = None) -> StandinTracker:
        """A tracker of a stream; ``settings`` are of memories, which it doesn't have."""
        return StandinTracker(self.truths, self.tracks, self.seed)

    def describe(self, mask: Any, *, image: EncodedTruth) -> np.ndarray:
        """As ``StandinTracker.describe``, of a picture."""
        given = to_grid(as_mask(mask, "mask"))
        return look_within(image.shapes, given, self.tracks.looks, self.seed)

    def segment(
        self,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        mask_logits: Any = None,
        multimask: bool = False,
        *,
        image: EncodedTruth | None = None,
    ) -> ImageMasks:
        """As ``ImageSegmenter.segment``; three masks are a part, the whole, and more than it."""
        if image is None:
            raise ValueError("give segment the picture: image=encode(...)")
        if all(given is None or np.size(given) == 0 for given in (points, boxes, mask_logits)):
            raise PromptError("a prompt needs points, boxes or mask_logits; none was given")
        prompt = to_prompt(*image.size, GRID, points, labels, boxes, mask_logits)
        rows = [
            self._row(image.shapes, Pointed.of(prompt, i), multimask) for i in range(len(prompt))
        ]
        return ImageMasks(
            torch.from_numpy(np.stack([logits for logits, _, _ in rows])),
            torch.tensor([estimates for _, estimates, _ in rows], dtype=torch.float32),
            torch.tensor([presence for _, _, presence in rows], dtype=torch.float32),
            image.size,
        )

    def _row(
        self, shapes: Shapes, pointed: Pointed, multimask: bool
    ) -> tuple[np.ndarray, list[float], float]:
        """Logits (M, SIDE, SIDE), estimates (M,) and presence for one prompt."""
        e, frame = self.errors, shapes.frame
        given = answer(shapes, pointed, self._rng(frame, 0, "parts"))
        # What is taken for the whole. With three masks all are there, and the estimates mistaken.
        chance = self._rng(frame, given.id, "ambiguous").random()
        whole = "part" if chance < e.part else "more" if chance < e.part + e.more else "whole"
        swapped = {whole: "whole", "whole": whole}
        logits, estimates = [], []
        for kind in KINDS if multimask else (whole,):
            true: np.ndarray = getattr(given, kind)
            mask = self._worse(shapes, given.id, kind, true)
            logits.append(to_logits(mask, e.edge, e.height))
            estimate = iou(mask, true)
            if multimask:
                estimate *= iou(getattr(given, swapped.get(kind, kind)), given.whole)
            noise = self._rng(frame, given.id, f"iou {kind}").standard_normal()
            estimates.append(float(np.clip(estimate + e.iou_bias + e.iou_noise * noise, 0, 1)))
        absent = self._rng(frame, given.id, "absent").random() < e.absent
        return np.stack(logits), estimates, -6.0 if absent else 6.0

    def _worse(self, shapes: Shapes, id: int, kind: str, mask: np.ndarray) -> np.ndarray:
        """One of the masks with what is wrong about it."""
        e, frame = self.errors, shapes.frame
        size = float(np.sqrt(mask.sum()))
        mask = displaced(mask, e.outline * size, self._rng(frame, id, f"outline {kind}"))
        rng = self._rng(frame, id, f"leaks {kind}")
        lookalike = shapes.neighbour(id)
        if rng.random() < e.leaks and lookalike is not None:
            ys, xs = np.nonzero(mask)
            if len(ys):
                other = shapes.ids == lookalike
                there = np.argwhere(other)[:, ::-1]
                near = np.abs(there - (xs.mean(), ys.mean())).sum(1).argmin()
                mask = mask | shapes.part(other, there[near][None], rng)
        for what, inside in (("holes", True), ("splashes", False)):
            rng = self._rng(frame, id, f"{what} {kind}")
            for _ in range(rng.poisson(getattr(e, what))):
                cells = np.flatnonzero(mask.ravel() == inside)
                if len(cells):
                    at = cells[rng.integers(len(cells))]
                    radius = size * rng.uniform(0.03, 0.12)
                    spot = disc(np.array([at % GRID, at // GRID]), radius)
                    mask = mask & ~spot if inside else mask | spot
        return mask

    def _rng(self, frame: TrueFrame, id: int, what: str) -> np.random.Generator:
        """Chance for a segment of a frame, or of its clip where the error is a steady one."""
        steady = rng_of(self.seed, frame.clip, id, what, "steady").random() < self.errors.steady
        return rng_of(self.seed, frame.clip, -1 if steady else frame.index, id, what)
