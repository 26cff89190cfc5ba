"""A clip of many segments as a tracker answers them: masks that move, full of holes and noise.

Two thirds are things, ellipses on their ways over one another; the rest is stuff, each with an area
of its own, and some is nobody's. Outlines are ragged, and a few cells of each mask are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from prompts import Vocabulary

SIDE = 256  # of SAM 2's mask logits


def words(segments: int) -> Vocabulary:
    """A word for each segment, things first."""
    things = segments * 2 // 3
    return Vocabulary(
        things=[f"thing {n}" for n in range(things)],
        stuff=[f"stuff {n}" for n in range(segments - things)],
    )


def clip(segments: int, frames: int, seed: int = 0, side: int = SIDE) -> Iterator[np.ndarray]:
    """Logits (segments, side, side), float32, frame by frame."""
    rng = np.random.default_rng(seed)
    things = segments * 2 // 3
    places = rng.uniform(0, side, (segments, 2))
    radii = rng.uniform(0.03, 0.16, (things, 2)) * side * min(1, (30 / segments) ** 0.5)
    speeds = rng.uniform(-0.01, 0.01, (things, 2)) * side
    ragged = np.stack([_noise(rng, side, 3.0) for _ in range(segments)])
    y, x = np.mgrid[:side, :side].astype(np.float32)
    distances = [np.hypot(y - place[0], x - place[1]) for place in places[things:]]
    nearest = np.sort(np.stack(distances), 0)[:2] if segments > things else None
    for frame in range(frames):
        logits = np.empty((segments, side, side), np.float32)
        for n in range(things):
            place = places[n] + frame * speeds[n]
            out = np.hypot((y - place[0]) / radii[n, 0], (x - place[1]) / radii[n, 1])
            logits[n] = (1 - out) * radii[n].mean()
        for n, distance in enumerate(distances, start=things):
            assert nearest is not None
            rival = np.where(distance == nearest[0], nearest[-1], nearest[0])
            logits[n] = np.minimum((rival - distance) / 2, 0.45 * side - distance)
        logits = np.clip(logits, -12, 12) + ragged
        logits += 0.2 * rng.standard_normal(logits.shape, np.float32)
        logits[rng.random(logits.shape) < 0.00003] *= -1
        yield logits


def _noise(rng: np.random.Generator, side: int, width: float) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.standard_normal((side, side)), width)
    return (noise / noise.std()).astype(np.float32)
