"""Stories that take long to tell: a place that has changed by the time it is seen again, a crowd
that passes one by one."""

from __future__ import annotations

import numpy as np

from panoptic.demo.motion import Curve, Performer, Shot, Switch
from panoptic.demo.shapes import Box, HalfPlane
from panoptic.demo.stage import Stage

PASSERS = 50


def road_returns(stage: Stage) -> list[Shot]:
    """The camera pans away from a road and back to it, and meanwhile it was dug up: it lies
    elsewhere, is as wide as before or not, and is of another texture."""
    rng = stage.rng
    half_w, _ = stage.view.half
    land = stage.region(str(rng.choice(("grass", "sand", "snow", "dirt"))))
    sky = stage.region("sky", HalfPlane(270.0, rng.uniform(0.2, 0.35)))

    def lane() -> Box:
        width = rng.uniform(0.3, 0.6)
        return Box(rng.uniform(-0.2, 0.2), 0.0, width, 9.0, rng.uniform(-25, 25))

    road = stage.region("road", lane())
    later = stage.region("road", lane())
    changes = {
        name: Switch(0.45, getattr(road, name), getattr(later, name))
        for name in ("shape", "texture", "scale", "angle", "flip", "colouring")
    }
    # The sky is painted last, so that the road ends at the horizon.
    ground = [Performer(land), Performer(road, changes), Performer(sky)]
    # Turned lanes reach farther to the side than they are wide.
    away = rng.choice([-1, 1]) * (half_w + rng.uniform(1.0, 1.2))
    camera = {"x": Curve((0.15, 0.35, 0.6, 0.8), (0.0, away, away, 0.0))}
    there = [stage.stroller(stage.thing((0.16, 0.26), x=away, y=0.15), 0.2)]
    return [stage.shot([*ground, *stage.extras(1, 3), *there], camera)]


def procession(stage: Stage) -> list[Shot]:
    """Fifty things pass, each once, on three lanes: some five are in sight at a time."""
    rng = stage.rng
    half_w, half_h = stage.view.half
    crossing, performers = 0.11, []
    for number, begin in enumerate(np.linspace(-0.08, 0.92, PASSERS)):
        actor = stage.thing((0.18, 0.28))
        outside = half_w + actor.size
        side = rng.choice([-1, 1])
        height = half_h * (0.6 * (number % 3 - 1) + rng.uniform(-0.12, 0.12))
        path = ((-side * outside, height), (side * outside, height + rng.uniform(-0.1, 0.1)))
        way = stage.way(*path, times=(float(begin), float(begin) + crossing))
        performers.append(Performer(actor, way))
    return [stage.shot([*stage.ground(), *performers])]
