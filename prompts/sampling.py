"""Points that stand for a region: spread out, well inside, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompts.regions import Region
from prompts.spatial import Prompt


@dataclass(frozen=True)
class SamplingSettings:
    """How many points are taken."""

    points: int = 12
    """Points inside a region. SAM 2 was trained with up to 8 clicks (arXiv 2408.00714, appendix
    D.2); stuff is larger and more varied than what one clicks on, so a few more, but not many."""

    def __post_init__(self) -> None:
        if self.points < 1:
            raise ValueError(f"points must be at least 1, got {self.points}")


# Spreading looks at no more pixels than this, and on no finer grid than this many pixels: a few
# dozen points can't use more, and a large image would take long.
_CANDIDATES = 4096
_GRID = 256 * 256


def spread_points(mask: np.ndarray, count: int, seed: int | Sequence[int] = 0) -> np.ndarray:
    """Up to ``count`` pixels of a mask (H, W) bool, as float32 (n, 2) x and y, best first.

    The first is the one deepest inside; each next one is the farthest from all so far (Gonzalez
    1985, farthest-first traversal), its distance counting less the nearer it is to the outline:
    otherwise points would gather in corners. Fewer come out if the mask has fewer pixels. In
    masks of many pixels only a random part of them is looked at, which the seed chooses.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"expected a mask (H, W) bool, got {mask.shape} {mask.dtype}")
    candidates, depth = _candidates(mask, np.random.default_rng(seed))
    # Relative to the deepest, so that a mask full of small holes is spread over as well.
    weight = np.sqrt(depth / depth.max(initial=1))
    distance = np.full(len(candidates), 1.0)
    chosen: list[np.ndarray] = []
    while len(chosen) < count and len(candidates):
        best = int((weight * distance).argmax())
        if distance[best] == 0:
            break  # every candidate is taken
        apart = np.hypot(*(candidates - candidates[best]).T)
        distance = np.minimum(distance, apart) if chosen else apart
        chosen.append(candidates[best])
    return np.array(chosen, dtype=np.float32).reshape(-1, 2)


def sample_prompts(
    regions: Sequence[Region], settings: SamplingSettings | None = None, seed: int = 0
) -> Prompt:
    """One prompt for each region: points in it."""
    settings = settings or SamplingSettings()
    return Prompt.from_points(
        [
            spread_points(region.mask, settings.points, (seed, number))
            for number, region in enumerate(regions)
        ]
    )


def _extent(mask: np.ndarray, across: int) -> tuple[int, int]:
    """First and last row (``across`` 1) or column (0) with a pixel of the mask."""
    positions = np.flatnonzero(np.any(mask, axis=across))
    return int(positions[0]), int(positions[-1])


def _candidates(mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some pixels of the mask, (M, 2) x and y, and how deep inside each lies, in pixels."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.zeros((0, 2)), np.zeros(0)
    top, bottom = _extent(mask, 1)
    left, right = _extent(mask, 0)
    crop = mask[top : bottom + 1, left : right + 1]
    step = max(1, int(np.ceil(np.sqrt(crop.size / _GRID))))
    if not crop[::step, ::step].any():
        step = 1  # too thin for the grid
    crop = crop[::step, ::step]
    depth = distance_transform_edt(np.pad(crop, 1))[1:-1, 1:-1]
    ys, xs = np.nonzero(crop)
    if len(ys) > _CANDIDATES:
        some = np.sort(rng.choice(len(ys), _CANDIDATES, replace=False))
        ys, xs = ys[some], xs[some]
    places = np.stack([left + xs * step, top + ys * step], axis=1).astype(np.float64)
    return places, depth[ys, xs] * step
