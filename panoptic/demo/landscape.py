"""Which stuff lies where: random divisions of a picture into textured regions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panoptic.demo.elements import Ground, View
from panoptic.demo.shapes import Blob, Box, HalfPlane, Shape, Wave
from panoptic.demo.sprites import hue_colouring
from panoptic.demo.textures import STUFF_NAMES, TextureBank

# How far a texture may be turned, in degrees: waves and horizons stay level, sand has no direction.
_TURNS = {
    "sky": 0,
    "water": 4,
    "grass": 8,
    "brick": 10,
    "wood": 15,
    "road": 40,
    "tile": 45,
    "sand": 180,
    "snow": 180,
    "dirt": 180,
}


def random_ground(
    rng: np.random.Generator,
    bank: TextureBank,
    view: View,
    keys: Callable[[str], int],
    *,
    recolour: bool = False,
) -> list[Ground]:
    """Two or three (at times one) regions of different stuff, back to front.

    The sky, where there is some, is on top. ``keys`` gives the key for the name of a stuff;
    ``recolour`` gives regions any hue, for scenes without names.
    """
    count = int(rng.choice([1, 2, 3], p=[0.06, 0.52, 0.42]))
    names = [str(n) for n in rng.choice(STUFF_NAMES, count, replace=False)]
    names.sort(key=lambda n: n != "sky")
    grounds = [random_stuff(rng, bank, keys(names[0]), names[0], recolour=recolour)]
    for name, (shape, within) in zip(names[1:], _divisions(rng, view, count), strict=True):
        parent = None if within is None else grounds[within].key
        ground = random_stuff(rng, bank, keys(name), name, shape, parent, recolour=recolour)
        grounds.append(ground)
    return grounds


def random_stuff(
    rng: np.random.Generator,
    bank: TextureBank,
    key: int,
    name: str,
    shape: Shape | None = None,
    within: int | None = None,
    *,
    recolour: bool = False,
) -> Ground:
    """A region of the named stuff with a random texture, at a random scale and angle."""
    turn = _TURNS[name]
    upright = rng.random() < 0.55
    exposure = rng.uniform(-14, 12)
    colouring = hue_colouring(
        hue=rng.uniform(-180, 180) if recolour else rng.normal(0, 3),
        saturation=rng.uniform(0.8, 1.1),
        contrast=rng.uniform(0.85, 1.1),
        brightness=exposure,
    )
    return Ground(
        key,
        bank.get(name, int(rng.integers(bank.per_stuff))),
        shape,
        within,
        scale=float(np.exp(rng.uniform(np.log(0.72), np.log(1.35)))),
        angle=0.0 if upright else rng.uniform(-turn, turn),
        flip=bool(rng.random() < 0.5),
        drift_x=rng.uniform(0, 2),
        drift_y=rng.uniform(0, 2),
        colouring=colouring,
    )


def random_waves(rng: np.random.Generator, reach: float, count: int = 2) -> tuple[Wave, ...]:
    """Waves of a border up to ``reach`` units high, from long swells to short ripples."""
    return tuple(
        Wave(rng.uniform(0, reach), rng.uniform(0.4, 4), rng.uniform(0, 6.28)) for _ in range(count)
    )


def _divisions(rng: np.random.Generator, view: View, count: int) -> list[tuple[Shape, int | None]]:
    """A shape for each region but the first, and the index of the region it is confined to."""
    half_w, half_h = view.half
    if count == 1:
        return []

    def border(offset: float, angle: float = 90.0) -> HalfPlane:
        waves = () if rng.random() < 0.3 else random_waves(rng, 0.05)
        return HalfPlane(angle + rng.uniform(-11, 11), offset, waves)

    if count == 2:
        kind = rng.random()
        if kind < 0.7:
            return [(border(half_h * rng.uniform(-0.45, 0.45)), None)]
        if kind < 0.85:
            return [(border(half_w * rng.uniform(-0.4, 0.4), float(rng.choice([0, 180]))), None)]
        return [(_patch(rng, half_w, half_h), None)]
    kind = rng.random()
    first = half_h * rng.uniform(-0.55, -0.15)
    if kind < 0.55:
        return [(border(first), None), (border(first + half_h * rng.uniform(0.45, 0.7)), None)]
    if kind < 0.8:  # Two kinds of ground side by side below the horizon.
        return [(border(first), None), (border(half_w * rng.uniform(-0.4, 0.4), 0.0), 1)]
    return [(border(first), None), (_patch(rng, half_w, half_h), 1)]


def _patch(rng: np.random.Generator, half_w: float, half_h: float) -> Shape:
    """A pond or a rug in the lower half."""
    x, y = rng.uniform(-0.6, 0.6) * half_w, rng.uniform(0.1, 0.6) * half_h
    if rng.random() < 0.65:
        waves = tuple(
            Wave(rng.uniform(0, 0.07), c, rng.uniform(0, 6.28)) for c in rng.choice(6, 2) + 1
        )
        return Blob(x, y, rng.uniform(0.25, 0.45), rng.uniform(1, 1.9), waves)
    width, height = rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.6)
    return Box(x, y, width, height, rng.uniform(-20, 20))
