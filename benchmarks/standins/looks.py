"""Looks of a stand-in, made of who is in a mask: as learned features, of category and instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.standins.shapes import GRID, Shapes
from benchmarks.standins.truth import rng_of

CHANNELS = 48
CELLS = 12
"""Of an overview along each side, as of a tracker's."""


@dataclass(frozen=True)
class LookErrors:
    """What looks say too little of; as it is by default, nothing."""

    alike: float = 0.5
    """How alike two things of one category are, from 0 for not at all to 1 for the same."""
    noise: float = 0.0
    """Length of what is new in every frame, that of a look being 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.alike <= 1:
            raise ValueError(f"alike must be in [0, 1], got {self.alike}")
        if self.noise < 0:
            raise ValueError(f"noise must be at least 0, got {self.noise}")


def look_within(shapes: Shapes, mask: np.ndarray, errors: LookErrors, seed: int) -> np.ndarray:
    """The look, float32 (CHANNELS,) of length 1, of a mask (GRID, GRID): of all that is in it, by
    how much of it there is. Zeros for an empty mask."""
    ids, counts = np.unique(shapes.ids[mask], return_counts=True)
    if not len(ids):
        return np.zeros(CHANNELS, np.float32)
    vectors = _vectors(shapes, ids.tolist(), errors, seed)
    look = counts / counts.sum() @ np.stack([vectors[i] for i in ids.tolist()])
    return _unit(look).astype(np.float32)


def overview(shapes: Shapes, errors: LookErrors, seed: int) -> np.ndarray:
    """What is where, float32 (CHANNELS, CELLS, CELLS)."""
    ids, compact = np.unique(shapes.ids, return_inverse=True)
    cell = np.arange(GRID) * CELLS // GRID
    flat = (cell[:, None] * CELLS + cell) * len(ids) + compact.reshape(shapes.ids.shape)
    counts = np.bincount(flat.ravel(), minlength=CELLS**2 * len(ids)).reshape(CELLS**2, -1)
    vectors = _vectors(shapes, ids.tolist(), errors, seed)
    shown = counts / counts.sum(axis=1, keepdims=True) @ np.stack(list(vectors.values()))
    return shown.T.reshape(CHANNELS, CELLS, CELLS).astype(np.float32)


def _vectors(
    shapes: Shapes, ids: list[int], errors: LookErrors, seed: int
) -> Mapping[int, np.ndarray]:
    """What each segment looks like in this frame."""
    clip, index = shapes.frame.clip, shapes.frame.index
    found = {}
    for id in ids:
        kind = _unit(rng_of(seed, shapes.category(id) or 0, "look").standard_normal(CHANNELS))
        own = _unit(rng_of(seed, clip, id, "look").standard_normal(CHANNELS))
        new = _unit(rng_of(seed, clip, index, id, "look").standard_normal(CHANNELS))
        look = np.sqrt(errors.alike) * kind + np.sqrt(1 - errors.alike) * own
        found[id] = _unit(look) + errors.noise * new
    return found


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / (np.linalg.norm(vector) or 1.0)
