"""What the scenarios are built from: ground, things in their places, ways to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from panoptic.demo.casting import Manner
from panoptic.demo.elements import Actor, Ground, View
from panoptic.demo.landscape import random_ground, random_stuff
from panoptic.demo.motion import Curve, Curves, Performer, Shot
from panoptic.demo.shapes import Shape
from panoptic.demo.textures import STUFF_NAMES

if TYPE_CHECKING:
    from panoptic.demo.scenes import World

_WALLS = ("brick", "wood", "tile")
_HILLS = ("grass", "sand", "snow", "dirt", "water", "road")


class Stage:
    """Makes the elements of one clip and numbers them: a new id for each thing, one a stuff.

    Its coordinates are the world's: the picture's short side is 1 unit, its middle the origin.
    """

    def __init__(
        self, world: World, rng: np.random.Generator, size: tuple[int, int], manner: Manner
    ) -> None:
        self.rng = rng
        self.view = View(*size)
        self.names: dict[int, str] = {}
        self._world = world
        self._manner = manner
        self._shadow = world.casting.shadow(rng)

    def ground(self) -> tuple[Performer, ...]:
        """Regions of stuff, at rest. Stuff that an earlier shot has shown keeps its id."""
        grounds = random_ground(
            self.rng,
            self._world.bank,
            self.view,
            self._stuff_key,
            recolour=self._manner.anything,
        )
        return tuple(Performer(g) for g in grounds)

    def region(self, name: str, shape: Shape | None = None) -> Ground:
        """A region of the named stuff, everywhere or of some outline."""
        return random_stuff(
            self.rng,
            self._world.bank,
            self._stuff_key(name),
            name,
            shape,
            recolour=self._manner.anything,
        )

    def screen(self, shape: Shape, ground: Sequence[Performer], wall: bool) -> Performer:
        """A region to stand before things, a wall or a hill, of stuff that the ground lacks."""
        used = {self.names[p.element.key] for p in ground}
        kinds = [n for n in (_WALLS if wall else _HILLS) if n not in used]
        kinds = kinds or [n for n in STUFF_NAMES if n not in used and n != "sky"]
        return Performer(self.region(kinds[self.rng.integers(len(kinds))], shape))

    def thing(
        self, sizes: tuple[float, float] = (0.18, 0.36), least_core: float = 0.0, **fields: float
    ) -> Actor:
        """A new thing. ``sizes``: least and greatest longer side; ``least_core``: how large a disc
        it must cover for certain (``Picture.core``); ``fields`` are set as given."""
        key = max(self.names, default=0) + 1
        best: tuple[str, Actor] | None = None
        for _ in range(60):
            name, actor = self._world.casting.actor(
                self.rng, key, self.view, self._manner, self._shadow, sizes
            )
            if best is None or actor.picture.core.radius > best[1].picture.core.radius:
                best = name, actor
            if actor.picture.core.radius >= least_core:
                best = name, actor
                break
        assert best is not None
        self.names[key] = best[0]
        return replace(best[1], **fields)  # type: ignore[arg-type]

    def twin(self, actor: Actor) -> Actor:
        """Another thing that looks exactly like this one."""
        key = max(self.names) + 1
        self.names[key] = self.names[actor.key]
        return replace(actor, key=key)

    def extras(self, least: int, greatest: int) -> tuple[Performer, ...]:
        """Small things that walk about a little."""
        count = int(self.rng.integers(least, greatest + 1))
        return tuple(self.stroller(self.thing((0.14, 0.26))) for _ in range(count))

    def stroller(self, actor: Actor, distance: float = 0.25) -> Performer:
        """The thing goes so far in some direction (inwards if near the edge), rocking a little."""
        half_w, half_h = self.view.half
        angle = self.rng.uniform(0, 2 * np.pi)
        dx, dy = distance * np.cos(angle), distance * np.sin(angle) * 0.6
        dx = -dx if abs(actor.x + dx) > half_w else dx
        dy = -dy if abs(actor.y + dy) > half_h else dy
        return Performer(actor, self.way((actor.x, actor.y), (actor.x + dx, actor.y + dy)))

    def way(
        self,
        *points: Sequence[float] | np.ndarray,
        times: Sequence[float] | None = None,
        rock: float = 5,
    ) -> dict[str, Curve]:
        """Curves along points at the given times (evenly by default), rocking by some degrees."""
        knots = tuple(times) if times is not None else tuple(np.linspace(0, 1, len(points)))
        xs, ys = (tuple(float(v) for v in values) for values in zip(*points, strict=True))
        curves = {"x": Curve(knots, xs), "y": Curve(knots, ys)}
        if rock:
            swing, cycles = self.rng.uniform(0, rock), self.rng.uniform(1, 4)
            start = self.rng.normal(0, 6)
            curves["angle"] = Curve((0.0,), (start,), swing, cycles, self.rng.uniform(0, 6.28))
        return curves

    def shot(
        self,
        performers: Sequence[Performer],
        camera: Curves | None = None,
        lighting: Curves | None = None,
        start: float = 0.0,
    ) -> Shot:
        """A shot of these performers, back to front, in some light."""
        light = self._world.casting.light(self.rng)
        return Shot(tuple(performers), self.view, light, camera or {}, lighting or {}, start)

    def _stuff_key(self, name: str) -> int:
        for key, known in self.names.items():
            if known == name:
                return key
        key = max(self.names, default=0) + 1
        self.names[key] = name
        return key


def drifting(performers: Sequence[Performer], dx: float, dy: float) -> tuple[Performer, ...]:
    """The same regions with textures that flow so many units over the clip."""
    out = []
    for performer in performers:
        ground = performer.element
        assert isinstance(ground, Ground)
        curves = {
            "drift_x": Curve((0.0, 1.0), (ground.drift_x, ground.drift_x + dx)),
            "drift_y": Curve((0.0, 1.0), (ground.drift_y, ground.drift_y + dy)),
        }
        out.append(Performer(ground, curves))
    return tuple(out)
