"""Layers: the masks of all segments in one frame, and how they become one id map.

Logits are kept in eighths from -16 to 16 (int8), in frames at hand as in those on disk, so that
putting a frame together again, with one layer more or another one changed, gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from panoptic.compose.cell_contest import settle_cells
from panoptic.compose.cleanup import drop_fragments, fill_gaps
from panoptic.compose.contest import settle
from panoptic.results.segment import CategoryLike, Segment
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.compose import MergeSettings

STEPS = 8.0
"""Steps of one logit. At the edge of a mask an eighth moves the outline by less than a pixel."""
_INSIDE, _OUTSIDE = 127, -128  # steps of a mask that is known exactly


def to_steps(logits: np.ndarray) -> np.ndarray:
    """Float logits of any shape as int8 eighths. What is above 0 stays above, the rest not."""
    found = np.empty(logits.shape, np.int8)
    masks = (logits, found) if logits.ndim > 2 else (logits[None], found[None])
    for each, steps in zip(*masks, strict=True):  # what is computed of a mask fits into the cache
        eighths = each * np.asarray(STEPS, each.dtype)
        np.rint(eighths, out=eighths)
        np.clip(eighths, -128, 127, out=eighths)
        np.copyto(steps, eighths, casting="unsafe")
        np.maximum(steps, each > 0, out=steps, where=steps == 0)
    return found


@dataclass(frozen=True, eq=False)
class Layer:
    """A segment's mask in one frame: ``steps`` (h, w) int8, stretched over the whole frame.

    ``score`` is the confidence in the category. ``quality`` is the probability that it is right in
    this frame (see ``followed_quality``); 1 for what was put in by hand.
    """

    id: int
    category_id: int
    score: float
    quality: float
    steps: np.ndarray

    @classmethod
    def of_mask(
        cls, id: int, category_id: int, score: float, quality: float, mask: np.ndarray
    ) -> Layer:
        """Of a mask bool (h, w) that is exact as it is."""
        steps = np.where(mask, np.int8(_INSIDE), np.int8(_OUTSIDE))
        return cls(id, category_id, score, quality, steps)

    @property
    def is_empty(self) -> bool:
        return not (self.steps > 0).any()

    @property
    def is_outline(self) -> bool:
        """Whether it says no more than what is inside and what is not."""
        return bool(((self.steps == _INSIDE) | (self.steps == _OUTSIDE)).all())

    def joined(self, other: Layer) -> Layer:
        """This segment with another's mask added to it."""
        if self.steps.shape == other.steps.shape:
            steps = np.maximum(self.steps, other.steps)
        else:
            height, width = np.maximum(self.steps.shape, other.steps.shape)
            steps = np.maximum(self.resized(height, width), other.resized(height, width))
        score = max(self.score, other.score)
        return replace(self, score=score, quality=max(self.quality, other.quality), steps=steps)

    def resized(self, height: int, width: int) -> np.ndarray:
        """The steps at another resolution, int8 (height, width)."""
        if self.steps.shape == (height, width):
            return self.steps
        picture = Image.fromarray(self.steps.astype(np.float32))
        shrinks = height * width < self.steps.size
        way = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        return to_steps(np.asarray(picture.resize((width, height), way)) / STEPS)

    def pieces(self) -> np.ndarray:
        """Bool (h, w), at the resolution of the layer."""
        return self.steps > 0


@dataclass(frozen=True)
class Levels:
    """What a map of layers depends on beside their masks, see ``Layers.compose``; ``things`` says
    of each layer whether it is one."""

    things: tuple[bool, ...]
    stuff_logit: float
    min_area: float
    cleanup: MergeSettings

    def rounds(self) -> list[tuple[list[int], float]]:
        """Who contests, and from which logit on: the things, then stuff."""
        return [
            ([n for n, thing in enumerate(self.things) if thing is kind], least)
            for kind, least in ((True, 0.0), (False, self.stuff_logit))
        ]


@dataclass(frozen=True, eq=False)
class Composed:
    """A map of the layers of these ``ids``, at these levels: ``owner`` int16 (H, W) is the place of
    each pixel's layer, -1 where there is none, and -2 - place where a gap was filled."""

    ids: tuple[int, ...]
    levels: Levels
    owner: np.ndarray


@dataclass(frozen=True, eq=False)
class Layers:
    """All layers of one frame of ``size`` (height, width), in the order in which ids came.

    ``composed`` is what a device has made of some of them already.
    """

    index: int
    size: tuple[int, int]
    layers: tuple[Layer, ...]
    composed: Composed | None = None

    def __getitem__(self, id: int) -> Layer:
        for layer in self.layers:
            if layer.id == id:
                return layer
        raise KeyError(f"no layer {id} in frame {self.index}; there are {self.ids}")

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(layer.id for layer in self.layers)

    def with_layers(self, layers: Sequence[Layer]) -> Layers:
        """With these layers added, or in place of those of the same id."""
        new = {layer.id: layer for layer in layers}
        kept = [layer for layer in self.layers if layer.id not in new]
        ordered = sorted([*kept, *layers], key=lambda layer: layer.id)
        return replace(self, layers=tuple(ordered), composed=None)

    def without(self, ids: Sequence[int]) -> Layers:
        return replace(self, layers=tuple(la for la in self.layers if la.id not in set(ids)))

    def compose(
        self,
        categories: Mapping[int, CategoryLike],
        stuff_logit: float,
        min_area: float,
        cleanup: MergeSettings,
        image: np.ndarray | None = None,
    ) -> PanopticSegmentation:
        """One id map: a pixel within things' masks goes to the most probable thing, any other to
        the most probable stuff; crumbs and seams are cleaned up.

        Stuff claims from ``stuff_logit`` on (0 or less), things from 0. ``min_area`` is the
        smallest segment that is shown, as share of the picture; ``cleanup`` says what crumbs
        and seams are (its other levels are those of still pictures). ``image`` is the frame
        itself, for displays.
        """
        things = tuple(categories[layer.category_id].is_thing for layer in self.layers)
        levels = Levels(things, stuff_logit, min_area, cleanup)
        made = self.composed
        if made is not None and (made.ids, made.levels) == (self.ids, levels):
            shown, owner = self.layers, made.owner
        else:
            shown = tuple(layer for layer in self.layers if not layer.is_empty)
            things = tuple(categories[layer.category_id].is_thing for layer in shown)
            owner = _owner([la.steps for la in shown], self.size, replace(levels, things=things))
        known = [layer.id for layer in shown]
        # -1 is the last, and what lies below counts on from there.
        table = np.array([*known, *reversed(known), 0], np.int32)
        ids = table.take(owner, mode="wrap")  # quicker than checking
        ids.flags.writeable = False  # so that it isn't copied
        segments = [_segment(layer, categories) for layer in shown]
        return PanopticSegmentation.from_ids(ids, segments, image)


def _owner(steps: list[np.ndarray], size: tuple[int, int], levels: Levels) -> np.ndarray:
    """The place of each pixel's mask, int16 (H, W), -1 where there is none."""
    pixels = size[0] * size[1]
    alike = len({each.shape for each in steps}) == 1
    contest = settle_cells if alike else settle
    owner = contest(steps, STEPS, levels.rounds(), size, max(levels.min_area * pixels, 1))
    drop_fragments(owner, range(len(steps)), levels.cleanup.min_fragment * pixels)
    fill_gaps(owner, levels.cleanup.seam * pixels**0.5)
    return owner


def _segment(layer: Layer, categories: Mapping[int, CategoryLike]) -> Segment:
    category = categories[layer.category_id]
    return Segment(
        id=layer.id,
        category_id=category.id,
        category=category.name,
        is_thing=category.is_thing,
        score=layer.score,
        quality=float(np.clip(layer.quality, 0, 1)),
    )
