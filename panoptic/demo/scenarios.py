"""The stories of the demo clips, each by name. Every story keeps its promise by construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from panoptic.demo.canvas import Actor
from panoptic.demo.motion import Curve, Performer, Shot, ramp
from panoptic.demo.shapes import Box, HalfPlane, Wave
from panoptic.demo.stage import Stage, drifting

Scenario = Callable[[Stage], list[Shot]]


def _move(stage: Stage) -> list[Shot]:
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


def _turn_and_grow(stage: Stage) -> list[Shot]:
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


def _behind_thing(stage: Stage) -> list[Shot]:
    """A small thing passes behind a large one, is covered wholly for a while and comes out."""
    rng = stage.rng
    front = stage.thing((0.48, 0.56), least_core=0.27, aspect=1.0, angle=float(rng.normal(0, 10)))
    core = front.picture.core
    radius = core.radius * front.size
    core_x, core_y = _core_offset(front)
    back = stage.thing((0.2, 0.2), aspect=1.0)
    # Small enough to vanish behind the front's opaque disc, with room to be hidden for a while.
    back = replace(back, size=min(0.22, 0.6 * radius / back.picture.core.reach))
    slack = 0.85 * (radius - back.size * back.picture.core.reach)

    direction = rng.uniform(-0.4, 0.4) + rng.choice([0, np.pi])
    away = 0.55 * front.size + 0.6 * back.size + 0.08
    times = (0.0, 0.36, 0.62, 1.0)
    start = (rng.uniform(-0.06, 0.06), rng.uniform(-0.12, 0.12))
    shift = (rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06))
    path = []
    for time, offset in zip(times, (-away, -slack, slack, away), strict=True):
        x = start[0] + shift[0] * time + core_x + offset * np.cos(direction)
        y = start[1] + shift[1] * time + core_y + offset * np.sin(direction)
        path.append((x, y))
    walker = Performer(back, stage.way(*path, times=times))
    end = (start[0] + shift[0], start[1] + shift[1])
    cover = Performer(front, stage.way(start, end, rock=0))
    return [stage.shot([*stage.ground(), *stage.extras(0, 2), walker, cover])]


def _behind_stuff(stage: Stage) -> list[Shot]:
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


def _leave_and_return(stage: Stage) -> list[Shot]:
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


def _lookalikes_cross(stage: Stage) -> list[Shot]:
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


def _pan(stage: Stage) -> list[Shot]:
    """The camera moves along; things enter and leave at the sides."""
    rng = stage.rng
    half_w, half_h = stage.view.half
    reach = rng.uniform(0.25, 0.45) * rng.choice([-1, 1])
    rise = rng.uniform(-0.08, 0.08)
    performers = []
    count = int(rng.integers(3, 6))
    for place in np.linspace(-0.85, 0.85, count):  # Spread out: something is always in sight.
        x = place * (half_w + abs(reach)) + rng.uniform(-0.08, 0.08)
        actor = stage.thing((0.18, 0.34), x=x, y=rng.uniform(-0.8, 0.8) * half_h)
        performers.append(stage.stroller(actor, 0.1))
    camera = {"x": ramp(-reach, reach), "y": ramp(-rise, rise)}
    return [stage.shot([*stage.ground(), *performers], camera)]


def _zoom(stage: Stage) -> list[Shot]:
    """The camera zooms in or out."""
    rng = stage.rng
    near = rng.uniform(1.4, 1.9)
    zoom = ramp(1.0, near) if rng.random() < 0.5 else ramp(near, 1.0)
    camera = {"zoom": zoom, "x": ramp(0.0, rng.uniform(-0.08, 0.08))}
    return [stage.shot([*stage.ground(), *stage.extras(2, 4)], camera)]


def _flow(stage: Stage) -> list[Shot]:
    """The stuff itself flows by under things that stay about where they are."""
    rng = stage.rng
    ground = drifting(stage.ground(), rng.uniform(-0.8, 0.8), rng.uniform(-0.2, 0.2))
    return [stage.shot([*ground, *stage.extras(2, 4)])]


def _shake(stage: Stage) -> list[Shot]:
    """A camera held by an unsteady hand."""
    rng = stage.rng
    knots = tuple(np.linspace(0, 1, 25))

    def tremor(strength: float) -> tuple[float, ...]:
        return tuple(float(v) for v in rng.normal(0, strength, len(knots)))

    camera = {
        "x": Curve(knots, tremor(0.016)),
        "y": Curve(knots, tremor(0.016)),
        "zoom": Curve(knots, tuple(1.04 + v for v in tremor(0.01))),
    }
    return [stage.shot([*stage.ground(), *stage.extras(2, 4)], camera)]


def _light_change(stage: Stage) -> list[Shot]:
    """Dusk falls and lifts, a lamp flickers, or a beam sweeps across."""
    rng = stage.rng
    kind = rng.integers(3)
    if kind == 0:
        dark, warm = rng.uniform(0.4, 0.6), rng.uniform(-0.15, 0.15)
        lighting = {
            "exposure": Curve((0.1, 0.5, 0.9), (1.0, dark, 1.0)),
            "warmth": Curve((0.1, 0.5, 0.9), (0.0, warm, 0.0)),
        }
    elif kind == 1:
        knots = tuple(np.linspace(0, 1, 13))
        lighting = {"exposure": Curve(knots, tuple(rng.uniform(0.6, 1.2, len(knots)).tolist()))}
    else:
        tilt = rng.uniform(0.3, 0.45) * rng.choice([-1, 1])
        lighting = {"slope_x": ramp(tilt, -tilt), "slope_y": ramp(rng.uniform(-0.2, 0.2), 0.0)}
    return [stage.shot([*stage.ground(), *stage.extras(2, 4)], lighting=lighting)]


def _place(stage: Stage, start: float = 0.0) -> Shot:
    """A place of its own with a few things in it."""
    return stage.shot([*stage.ground(), *stage.extras(2, 4)], start=start)


def _cut(stage: Stage) -> list[Shot]:
    """A hard cut to another place with other things."""
    return [_place(stage), _place(stage, stage.rng.uniform(0.4, 0.6))]


def _cut_back(stage: Stage) -> list[Shot]:
    """A hard cut to another place and back to the first, where time has gone on."""
    rng = stage.rng
    first, away = _place(stage), _place(stage, rng.uniform(0.3, 0.42))
    return [first, away, replace(first, start=rng.uniform(0.6, 0.7))]


def _late_entry(stage: Stage) -> list[Shot]:
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


def _medley(stage: Stage) -> list[Shot]:
    """A little of everything at once: what a model of clips should train on."""
    rng = stage.rng
    shots = [_busy_place(stage, 0.0)]
    if rng.random() < 0.25:
        shots.append(_busy_place(stage, rng.uniform(0.3, 0.6)))
        if rng.random() < 0.5:
            shots.append(replace(shots[0], start=rng.uniform(0.65, 0.8)))
    return shots


def _busy_place(stage: Stage, start: float) -> Shot:
    rng = stage.rng
    half_w, half_h = stage.view.half
    ground = stage.ground()
    if rng.random() < 0.3:
        ground = drifting(ground, rng.uniform(-0.5, 0.5), rng.uniform(-0.1, 0.1))
    performers: list[Performer] = []
    for number in range(int(rng.integers(2, 7))):
        actor = stage.thing((0.14, 0.42))
        if number and rng.random() < 0.2:
            before = performers[-1].element
            assert isinstance(before, Actor)
            actor = stage.twin(before)
        count = int(rng.integers(2, 5))
        xs = rng.uniform(-1.25, 1.25, count) * half_w
        ys = rng.uniform(-0.9, 0.9, count) * half_h
        xs[0] *= 0.7  # Nearly all begin within the picture.
        curves = stage.way(*zip(xs, ys, strict=True))
        if rng.random() < 0.4:
            grow = float(np.exp(rng.uniform(-0.5, 0.5)))
            curves["size"] = ramp(actor.size, actor.size * grow)
        if rng.random() < 0.3:
            curves["angle"] = ramp(actor.angle, actor.angle + rng.uniform(-200, 200))
        performers.append(Performer(actor, curves))
    if rng.random() < 0.35:
        wall = Box(rng.uniform(-0.3, 0.3), 0.0, rng.uniform(0.25, 0.5), 9.0)
        at = int(rng.integers(1, len(performers) + 1))
        performers.insert(at, stage.screen(wall, ground, wall=True))
    camera, lighting = {}, {}
    if rng.random() < 0.4:
        camera["x"] = ramp(0.0, rng.uniform(-0.4, 0.4))
    if rng.random() < 0.4:
        camera["zoom"] = ramp(1.0, float(np.exp(rng.uniform(-0.25, 0.45))))
    if rng.random() < 0.3:
        lighting["exposure"] = ramp(1.0, rng.uniform(0.6, 1.25))
    return stage.shot([*ground, *performers], camera, lighting, start)


def _core_offset(actor: Actor) -> tuple[float, float]:
    """Where the opaque core of an actor (of aspect 1) lies from its middle, in units."""
    core = actor.picture.core
    x, y = (-core.x if actor.flip else core.x) * actor.size, core.y * actor.size
    cos, sin = np.cos(np.radians(actor.angle)), np.sin(np.radians(actor.angle))
    return float(cos * x - sin * y), float(sin * x + cos * y)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "move": _move,
        "turn-and-grow": _turn_and_grow,
        "behind-thing": _behind_thing,
        "behind-stuff": _behind_stuff,
        "leave-and-return": _leave_and_return,
        "lookalikes-cross": _lookalikes_cross,
        "pan": _pan,
        "zoom": _zoom,
        "flow": _flow,
        "shake": _shake,
        "light": _light_change,
        "cut": _cut,
        "cut-back": _cut_back,
        "late-entry": _late_entry,
        "medley": _medley,
    }
)
