"""Automatic masks by the published rules, over the answers of sam2core's own decoder.

The rules are those of Meta's `SAM2AutomaticMaskGenerator` (sam2 1.1.0) with its default settings:
all is judged at the picture's resolution, copies are told by the IoU of their boxes, of copies
from different crops the one of the smaller crop stays. (With a min_mask_region_area, the published
generator also cleans masks, in cells of the decoder and only with its CUDA extension; not here.)
Rules can be switched one by one to those that sam2core has, has had, or offers, so that what each
does alone can be measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2core.image_segmenter import ImageMasks, ImageSegmenter
from sam2core.patches import Patch, suppress

_OFFSET, _MOST_OVERLAP = 1.0, 0.7
_CROP_OVERLAP, _MARGIN = 512 / 1500, 20.0
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Rules:
    """As published, unless switched. The least estimated IoU and stability are no matter of rules:
    sam2core has the published values as well."""

    least_iou: float = 0.8
    least_stability: float = 0.95
    masks_compared: bool = False
    """Copies have an IoU above the bound of their masks, not of their boxes: sam2core's rule."""
    judged_small: bool = False
    """Stability is counted in the decoder's cells, not in the picture's pixels, which is cheaper:
    sam2core's rule once."""
    most_coverage: float = 1.0
    """Masks of a larger part of the picture are dropped; published: none is. A setting there."""
    grid_divisor: int = 1
    """By which the grid of points is coarser in each layer of crops. A setting on both sides."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask at its place in the picture, the model's estimate, and the area of its crop."""

    patch: Patch
    iou: float
    crop_area: int


def published_masks(
    segmenter: ImageSegmenter,
    picture: np.ndarray,
    rules: Rules,
    points_per_side: int = 32,
    crop_layers: int = 0,
) -> list[FoundMask]:
    """All masks of an RGB picture (H, W, 3) that the rules let through."""
    size = picture.shape[0], picture.shape[1]
    found: list[FoundMask] = []
    crops = _crops(*size, crop_layers)
    for layer, crop in crops:
        x0, y0, x1, y1 = crop
        segmenter.set_image(picture[y0:y1, x0:x1])
        grid = _grid(int(points_per_side / rules.grid_divisor**layer)) * (x1 - x0, y1 - y0)
        inside: list[FoundMask] = []
        for start in range(0, len(grid), segmenter.prompts_per_batch):
            batch = grid[start : start + segmenter.prompts_per_batch]
            answer = segmenter.segment(points=batch[:, None], multimask=True)
            inside += _let_through(answer, crop, size, rules)
        inside.sort(key=lambda mask: -mask.iou)
        found += [inside[i] for i in _without_copies(inside, rules)]
    if len(crops) > 1:
        found.sort(key=lambda mask: mask.crop_area)
        found = [found[i] for i in _without_copies(found, rules)]
    return found


def _let_through(
    answer: ImageMasks, crop: Box, size: tuple[int, int], rules: Rules
) -> Iterator[FoundMask]:
    x0, y0, x1, y1 = crop
    for logits, iou in zip(answer.logits.flatten(0, 1), answer.iou.flatten().tolist(), strict=True):
        if iou <= rules.least_iou:
            continue
        large = torch.nn.functional.interpolate(
            logits[None, None], (y1 - y0, x1 - x0), mode="bilinear", align_corners=False
        )[0, 0]
        # Of an empty mask the stability is 0/0: it is dropped.
        if not _stability(logits if rules.judged_small else large) >= rules.least_stability:
            continue
        patch = Patch.of((large > 0).numpy(), x0, y0)
        too_large = patch.area > rules.most_coverage * size[0] * size[1]
        if patch.area and not too_large and not _cut_off(patch, crop, size):
            yield FoundMask(patch, iou, (x1 - x0) * (y1 - y0))


def _stability(logits: Tensor) -> float:
    return float((logits > _OFFSET).sum() / (logits > -_OFFSET).sum())


def _corners(patch: Patch) -> np.ndarray:
    """The first and the last pixel, (4,): a published box ends with the last pixel."""
    x0, y0, x1, y1 = patch.box
    return np.array([x0, y0, x1 - 1, y1 - 1], dtype=np.float64)


def _cut_off(patch: Patch, crop: Box, size: tuple[int, int]) -> bool:
    """Near a border of the crop and not near the picture's."""
    at_crop = np.abs(_corners(patch) - crop) <= _MARGIN
    at_picture = np.abs(_corners(patch) - (0, 0, size[1], size[0])) <= _MARGIN
    return bool((at_crop & ~at_picture).any())


def _without_copies(masks: Sequence[FoundMask], rules: Rules) -> list[int]:
    """Of masks in order of preference those that are no copy of one that stays before them."""
    if rules.masks_compared:
        return suppress([mask.patch for mask in masks], _MOST_OVERLAP)
    boxes = np.array([_corners(mask.patch) for mask in masks]).reshape(-1, 4)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    alive, kept = np.ones(len(boxes), dtype=bool), []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        kept.append(i)
        shared = np.minimum(boxes[i, 2:], boxes[:, 2:]) - np.maximum(boxes[i, :2], boxes[:, :2])
        both = shared.clip(min=0).prod(axis=1)
        alive &= ~(both > _MOST_OVERLAP * (areas[i] + areas - both))
    return kept


def _grid(per_side: int) -> np.ndarray:
    """(per_side^2, 2) as (x, y) in 0 to 1, row by row."""
    centres = (np.arange(per_side) + 0.5) / per_side
    return np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)


def _crops(height: int, width: int, layers: int) -> list[tuple[int, Box]]:
    """(layer, xyxy). They go column by column, and end at the picture's border."""
    crops: list[tuple[int, Box]] = [(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(_CROP_OVERLAP * min(height, width) * 2 / count)
        across, down = (math.ceil((overlap * (count - 1) + n) / count) for n in (width, height))
        for i in range(count):
            for j in range(count):
                x, y = i * (across - overlap), j * (down - overlap)
                crops.append((layer, (x, y, min(x + across, width), min(y + down, height))))
    return crops
