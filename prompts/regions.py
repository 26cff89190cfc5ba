"""From stuff heatmaps to regions: the connected pieces in which a stuff word is the likeliest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RegionSettings:
    """How heatmaps become regions."""

    background: float = 0.1
    """A pixel whose best word is below this probability belongs to no region. CLIPSeg's
    probabilities stay low even where it is right; 0.1 is the published recipe's level."""
    min_area: float = 0.005
    """Pieces smaller than this part of the image are dropped. One CLIPSeg patch is 0.002, so they
    are hardly what the heatmap can resolve, and mostly crumbs of words that aren't there."""

    def __post_init__(self) -> None:
        for name in ("background", "min_area"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Region:
    """One connected piece of a stuff category: ``mask`` (H, W) bool, not empty, and ``score``, the
    mean probability over it."""

    category_id: int
    mask: np.ndarray
    score: float

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != np.bool_ or not self.mask.any():
            raise ValueError(
                "expected a mask (H, W) bool with a pixel at least, "
                f"got {self.mask.shape} {self.mask.dtype}"
            )

    @property
    def area(self) -> int:
        return int(self.mask.sum())


def find_regions(
    probabilities_khw: np.ndarray,
    category_ids: np.ndarray,
    things: np.ndarray | None = None,
    settings: RegionSettings | None = None,
) -> tuple[Region, ...]:
    """Every pixel to its likeliest word, without things and background, in connected pieces.

    ``things`` are bool masks (N, H, W), or their union (H, W). Regions come by category in the
    order of ``category_ids``, the largest piece first.
    """
    settings = settings or RegionSettings()
    probabilities = np.asarray(probabilities_khw)
    if probabilities.ndim != 3 or len(probabilities) != len(category_ids):
        raise ValueError(
            "expected probabilities (K, H, W) and K category ids, "
            f"got {probabilities.shape} and {len(category_ids)} ids"
        )
    if probabilities.size == 0:
        return ()
    winners = likeliest_words(probabilities, settings.background)
    winners[_union(things, probabilities.shape[1:])] = -1
    found = []
    won = np.bincount(winners.ravel() + 1, minlength=len(category_ids) + 1)[1:]
    for index, category_id in enumerate(category_ids):
        if not won[index]:  # most words are nowhere, and to look for pieces takes time
            continue
        for mask in _components(winners == index, settings):
            score = float(probabilities[index][mask].mean(dtype=np.float64))
            found.append(Region(int(category_id), mask, score))
    return tuple(found)


def _union(things: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if things is None:
        return np.zeros(shape, dtype=bool)
    union = np.asarray(things)
    if union.ndim == 3:
        union = np.any(union, axis=0)
    if union.shape != shape or union.dtype != np.bool_:
        raise ValueError(
            f"expected thing masks (N, {shape[0]}, {shape[1]}) bool like the heatmaps, "
            f"got {np.shape(things)} {union.dtype}"
        )
    return union


def likeliest_words(probabilities_khw: np.ndarray, background: float) -> np.ndarray:
    """The index of the likeliest of K >= 1 words at each pixel, -1 below the background, (H, W)."""
    winners = probabilities_khw.argmax(axis=0)
    best = np.take_along_axis(probabilities_khw, winners[None], axis=0)[0]
    winners[best < background] = -1
    return winners


def _components(mask: np.ndarray, settings: RegionSettings) -> list[np.ndarray]:
    """Connected pieces (over the four sides) that are large enough, the largest first."""
    from scipy.ndimage import label

    numbered, count = label(mask)
    if not count:
        return []
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-areas, kind="stable")
    least = max(1.0, settings.min_area * mask.size)
    return [numbered == i + 1 for i in order if areas[i] >= least]
