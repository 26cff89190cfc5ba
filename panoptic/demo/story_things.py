"""Stories of the demo clips in which things do something: go, hide, leave, cross, come late."""

from __future__ import annotations

import numpy as np

from panoptic.demo.hiding import fit_behind, passage_behind
from panoptic.demo.motion import Curve, Performer, Shot, ramp
from panoptic.demo.shapes import Box, HalfPlane, Wave
from panoptic.demo.stage import Stage


def move(stage: Stage) -> list[Shot]:
    """Several things cross the picture in different directions."""
    rng = stage.rng
    half_w, half_h = stage.view.half
    performers = []
    for _ in range(int(rng.integers(2, 5))):
        actor = stage.thing()
        side = rng.choice([-1, 1])
        start = (-side * half_w * rng.uniform(0.4, 0.8), half_h * rng.uniform(-0.7, 0.7))
        end = (side * half_w * rng.uniform(0.3, 0.8), half_h * rng.uniform(-0.7, 0.7))
        performers.append(Performer(actor, stage.way(start, end)))
    return [stage.shot([*stage.ground(), *performers])]


def turn_and_grow(stage: Stage) -> list[Shot]:
    """Things turn about themselves, grow and shrink."""
    rng = stage.rng
    performers = []
    for _ in range(int(rng.integers(2, 4))):
        actor = stage.thing((0.22, 0.34))
        turn = rng.choice([-1, 1]) * rng.uniform(120, 360)
        grow = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.35, 0.6)))
        curves = stage.stroller(actor, 0.12).curves
        changes = {
            "angle": ramp(actor.angle, actor.angle + turn),
            "size": Curve((0.0, 0.5, 1.0), (actor.size, actor.size * grow, actor.size)),
        }
        performers.append(Performer(actor, {**curves, **changes}))
    return [stage.shot([*stage.ground(), *performers])]


def behind_thing(stage: Stage) -> list[Shot]:
    """A small thing passes behind a large one, is covered wholly for a while and comes out."""
    rng = stage.rng
    front = stage.thing((0.44, 0.54), least_core=0.27, aspect=1.0, angle=float(rng.normal(0, 10)))
    back = fit_behind(stage.thing((0.2, 0.2), aspect=1.0), front)
    start = rng.uniform(-0.05, 0.05, 2)
    end = start + rng.uniform(-0.04, 0.04, 2)
    times = (0.0, 0.36, 0.62, 1.0)
    passage = passage_behind(back, front, start, np.array(stage.view.half) - 0.05, rng)
    path = [point + (end - start) * t for t, point in zip(times, passage, strict=True)]
    walker = Performer(back, stage.way(*path, times=times))
    cover = Performer(front, stage.way(start, end, rock=0))
    return [stage.shot([*stage.ground(), *stage.extras(0, 2), walker, cover])]


def behind_stuff(stage: Stage) -> list[Shot]:
    """A thing passes behind a wall, or down behind a hill and up again."""
    rng = stage.rng
    ground = stage.ground()
    actor = stage.thing((0.16, 0.26), aspect=1.0)
    reach = actor.picture.core.reach * actor.size
    times = (0.0, 0.36, 0.62, 1.0)
    if rng.random() < 0.5:
        slack = rng.uniform(0.03, 0.06)
        middle, way = rng.uniform(-0.06, 0.06), rng.choice([-1, 1])
        wall = Box(middle, 0.0, 2 * (reach + slack) + 0.02, 9.0)
        away = 2 * reach + slack + 0.02
        xs = middle + way * np.array([-away, -slack, slack, away])
        ys = np.linspace(rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.25), 4)
        screen = stage.screen(wall, ground, wall=True)
    else:
        crest = rng.uniform(-0.02, 0.08)
        wave = Wave(rng.uniform(0, 0.02), rng.uniform(0.5, 2), rng.uniform(0, 6.28))
        hill = HalfPlane(90.0, crest, (wave,))
        high, low = crest - reach - 0.03, crest + reach + 0.03
        xs = np.linspace(rng.uniform(-0.35, 0.35), rng.uniform(-0.35, 0.35), 4)
        ys = np.array([high, low, low, high])
        screen = stage.screen(hill, ground, wall=False)
    walker = Performer(actor, stage.way(*zip(xs, ys, strict=True), times=times))
    return [stage.shot([*ground, *stage.extras(0, 2), walker, screen])]


def leave_and_return(stage: Stage) -> list[Shot]:
    """A thing walks out of the picture and comes back where it left."""
    rng = stage.rng
    half_w, _ = stage.view.half
    actor = stage.thing((0.2, 0.32))
    side = rng.choice([-1, 1])
    outside = side * (half_w + actor.size)
    path = (
        (-side * half_w * rng.uniform(0.1, 0.5), rng.uniform(-0.25, 0.25)),
        (outside, rng.uniform(-0.25, 0.25)),
        (outside, rng.uniform(-0.25, 0.25)),
        (-side * half_w * rng.uniform(-0.1, 0.4), rng.uniform(-0.25, 0.25)),
    )
    leaver = Performer(actor, stage.way(*path, times=(0.0, 0.4, 0.55, 0.95)))
    return [stage.shot([*stage.ground(), *stage.extras(1, 3), leaver])]


def lookalikes_cross(stage: Stage) -> list[Shot]:
    """Two things that look the same cross, one in front of the other."""
    rng = stage.rng
    half_w, _ = stage.view.half
    first = stage.thing((0.24, 0.34))
    second = stage.twin(first)
    height, gap = rng.uniform(-0.2, 0.2), rng.uniform(-0.07, 0.07)
    far = half_w * rng.uniform(0.5, 0.75)
    rise = rng.uniform(-0.1, 0.1)
    one = Performer(first, stage.way((-far, height - rise), (far, height + rise), rock=3))
    two = Performer(second, stage.way((far, height + gap + rise), (-far, height + gap - rise)))
    return [stage.shot([*stage.ground(), *stage.extras(0, 1), one, two])]


def late_entry(stage: Stage) -> list[Shot]:
    """A thing that wasn't there comes in from the side about the middle of the clip."""
    rng = stage.rng
    half_w, _ = stage.view.half
    actor = stage.thing((0.2, 0.34))
    side = rng.choice([-1, 1])
    outside = (side * (half_w + actor.size), rng.uniform(-0.25, 0.25))
    inside = (side * half_w * rng.uniform(-0.4, 0.4), rng.uniform(-0.25, 0.25))
    begin = rng.uniform(0.35, 0.5)
    comer = Performer(actor, stage.way(outside, inside, times=(begin, min(begin + 0.4, 0.95))))
    return [stage.shot([*stage.ground(), *stage.extras(1, 3), comer])]
