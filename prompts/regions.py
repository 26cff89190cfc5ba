"""From stuff heatmaps to clean regions: where a stuff word surely is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RegionSettings:
    """How heatmaps become regions. Lengths and areas are relative to the image."""

    background: float = 0.1
    """A pixel whose best word is below this probability belongs to no region. CLIPSeg's
    probabilities stay low even where it is right; 0.1 is the published recipe's level."""
    erosion: float = 0.015
    """How far a region's core keeps from its outline, as a part of sqrt(height x width). The
    outline of a CLIPSeg heatmap is uncertain by about a third of its patch (16 of 352 pixels)."""
    min_area: float = 0.002
    """Components smaller than this part of the image are dropped: it is the area of one CLIPSeg
    patch, so they are less than what the heatmap can resolve."""
    max_components: int = 8
    """The most components a word keeps, the largest first: each is one question to SAM 2."""

    def __post_init__(self) -> None:
        for name in ("background", "erosion", "min_area"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if self.max_components < 1:
            raise ValueError(f"max_components must be 1 or more, got {self.max_components}")


@dataclass(frozen=True, eq=False)
class Region:
    """One connected piece of a stuff category.

    ``mask`` (H, W) bool is the piece, ``core`` the part of it away from its outline (never
    empty): points are taken there. ``score`` is the mean probability over the mask.
    """

    category_id: int
    mask: np.ndarray
    core: np.ndarray
    score: float

    def __post_init__(self) -> None:
        for name in ("mask", "core"):
            value = getattr(self, name)
            if value.ndim != 2 or value.dtype != np.bool_ or value.shape != self.mask.shape:
                raise ValueError(
                    f"expected {name} (H, W) bool, the same for mask and core, "
                    f"got {value.shape} {value.dtype}"
                )
        if not self.core.any() or (self.core & ~self.mask).any():
            raise ValueError("a region's core must be a part of its mask, and not empty")

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
    order of ``category_ids``, the largest piece first. A thin piece (a river, a pole) is eroded
    by at most half of its own half-width, so that it keeps a core.
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
    winners = _winners(probabilities, _union(things, probabilities.shape[1:]), settings.background)
    depth = _depth(winners)
    radius = settings.erosion * float(np.sqrt(winners.size))
    found = []
    for index, category_id in enumerate(category_ids):
        for mask in _components(winners == index, settings):
            core = mask & (depth > min(radius, float(depth[mask].max()) / 2))
            score = float(probabilities[index][mask].mean(dtype=np.float64))
            found.append(Region(int(category_id), mask, core, score))
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


def _winners(probabilities: np.ndarray, things: np.ndarray, background: float) -> np.ndarray:
    """The index of the likeliest word at each pixel, -1 for none, (H, W)."""
    winners = probabilities.argmax(axis=0)
    best = np.take_along_axis(probabilities, winners[None], axis=0)[0]
    winners[(best < background) | things] = -1
    return winners


def _depth(labels: np.ndarray) -> np.ndarray:
    """How far each pixel is from the nearest pixel of another label, to within one pixel.

    One distance transform serves all labels. The image's edge doesn't count as an outline:
    what touches it goes on outside.
    """
    from scipy.ndimage import distance_transform_edt

    edge = np.zeros(labels.shape, dtype=bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    if not edge.any():
        return np.full(labels.shape, float(max(labels.shape)))
    return distance_transform_edt(~edge) + 1


def _components(mask: np.ndarray, settings: RegionSettings) -> list[np.ndarray]:
    """Connected pieces (over the four sides) that are large enough, the largest first."""
    from scipy.ndimage import label

    numbered, count = label(mask)
    if not count:
        return []
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-areas, kind="stable")[: settings.max_components]
    least = max(1.0, settings.min_area * mask.size)
    return [numbered == i + 1 for i in order if areas[i] >= least]
