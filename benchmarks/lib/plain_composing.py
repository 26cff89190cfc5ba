"""Composing as it was before it was made quick: the reference that its maps must equal.

Holes are looked for in one mask after the other, every mask is stretched over its window of the
picture and contests each pixel there, and crumbs and seams are looked for in windows, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from panoptic.compose.contest import Contest, Player
from panoptic.results.segment import CategoryLike
from panoptic.settings.compose import MergeSettings
from panoptic.video.mask_layers import Layers

FREE, FILLED_LOGIT, STEPS = -1, 0.1, 8.0
_EIGHT = np.ones((3, 3), bool)


def plain_holes(logits: Tensor, max_area: int) -> Tensor:
    """``sam2core.holes.fill_holes`` for logits (N, h, w)."""
    outside = (logits <= 0).cpu().numpy()
    holes = np.zeros_like(outside)
    for i, background in enumerate(outside):
        if background.all():
            continue
        groups, _ = ndimage.label(background, structure=_EIGHT)
        areas = np.bincount(groups.ravel())
        holes[i] = (areas <= max_area)[groups] & background
    return torch.where(torch.from_numpy(holes).to(logits.device), FILLED_LOGIT, logits)


def plain_steps(logits: np.ndarray) -> np.ndarray:
    """``panoptic.video.mask_layers.to_steps``."""
    steps = np.clip(np.rint(logits * STEPS), -128, 127)
    return np.where((steps == 0) & (logits > 0), 1, steps).astype(np.int8)


def plain_map(
    layers: Layers,
    categories: Mapping[int, CategoryLike],
    stuff_logit: float,
    min_area: float,
    cleanup: MergeSettings,
) -> np.ndarray:
    """The ids (H, W) of ``Layers.compose``, int32, 0 where there is nothing."""
    pixels = layers.size[0] * layers.size[1]
    shown = [layer for layer in layers.layers if not layer.is_empty]
    things = [categories[layer.category_id].is_thing for layer in shown]
    owner = np.full(layers.size, FREE, np.int32)
    for kind, least in ((True, 0.0), (False, stuff_logit)):
        numbers = np.array([n for n, thing in enumerate(things) if thing is kind], np.int32)
        players = [Player(shown[n].steps.astype(np.float32) / STEPS, 1.0, least) for n in numbers]
        contest = Contest(players, layers.size, owner == FREE)
        contest.drop(np.flatnonzero(contest.visible < max(min_area * pixels, 1)).tolist())
        won = contest.owner != FREE
        owner[won] = numbers[contest.owner[won]]
    plain_crumbs(owner, range(len(shown)), cleanup.min_fragment * pixels)
    plain_gaps(owner, cleanup.seam * pixels**0.5)
    return np.array([*(layer.id for layer in shown), 0], np.int32)[owner]  # -1 is the last


def plain_crumbs(owner: np.ndarray, groups: Iterable[int], min_pixels: float) -> None:
    """``panoptic.compose.cleanup.drop_fragments``."""
    windows = ndimage.find_objects(owner + 1)
    for group in groups:
        if group >= len(windows) or windows[group] is None:
            continue
        part = owner[windows[group]]
        pieces, count = ndimage.label(part == group, _EIGHT)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        crumbs = sizes < min_pixels
        crumbs[[0, int(sizes.argmax())]] = False
        part[crumbs[pieces]] = FREE


def plain_gaps(owner: np.ndarray, seam: float) -> None:
    """``panoptic.compose.cleanup.fill_gaps``."""
    free = owner == FREE
    if free.all() or not free.any():
        return
    gaps = free & ~_wide(free, round(seam))
    pieces, _ = ndimage.label(gaps, _EIGHT)
    for number, (rows, columns) in enumerate(ndimage.find_objects(pieces), start=1):
        around = (
            slice(max(rows.start - 1, 0), rows.stop + 1),
            slice(max(columns.start - 1, 0), columns.stop + 1),
        )
        mine = pieces[around] == number
        near = owner[around]
        if (near == FREE).all():
            continue
        nearest = ndimage.distance_transform_edt(
            near == FREE, return_distances=False, return_indices=True
        )
        near[mine] = near[tuple(nearest)][mine]


def _wide(mask: np.ndarray, radius: int) -> np.ndarray:
    if radius < 1:
        return mask
    core = ndimage.minimum_filter(mask, 2 * radius + 1, mode="nearest")
    return ndimage.maximum_filter(core, 2 * radius + 1, mode="nearest") & mask


def plain_measure(ids: np.ndarray) -> dict[int, tuple[int, tuple[int, int, int, int]]]:
    """``panoptic.results.id_map.measure``, of ids that are small."""
    areas = np.bincount(ids.ravel())
    windows = ndimage.find_objects(ids)
    return {
        int(id): (
            int(areas[id]),
            (columns.start, rows.start, columns.stop, rows.stop),
        )
        for id in np.flatnonzero(areas[1:]) + 1
        for rows, columns in [windows[id - 1]]
    }
