"""Stories of the demo clips in which the camera, the stuff or the light does something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from panoptic.demo.elements import Actor
from panoptic.demo.motion import Curve, Performer, Shot, ramp
from panoptic.demo.shapes import Box
from panoptic.demo.stage import Stage, drifting


def pan(stage: Stage) -> list[Shot]:
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


def zoom(stage: Stage) -> list[Shot]:
    """The camera zooms in or out."""
    rng = stage.rng
    near = rng.uniform(1.4, 1.9)
    zoom = ramp(1.0, near) if rng.random() < 0.5 else ramp(near, 1.0)
    camera = {"zoom": zoom, "x": ramp(0.0, rng.uniform(-0.08, 0.08))}
    return [stage.shot([*stage.ground(), *stage.extras(2, 4)], camera)]


def flow(stage: Stage) -> list[Shot]:
    """The stuff itself flows by under things that stay about where they are."""
    rng = stage.rng
    speed = rng.uniform(0.3, 0.8) * rng.choice([-1, 1])
    ground = drifting(stage.ground(), speed, rng.uniform(-0.2, 0.2))
    return [stage.shot([*ground, *stage.extras(2, 4)])]


def shake(stage: Stage) -> list[Shot]:
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


def light_change(stage: Stage) -> list[Shot]:
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


def cut(stage: Stage) -> list[Shot]:
    """A hard cut to another place with other things."""
    return [_place(stage), _place(stage, stage.rng.uniform(0.4, 0.6))]


def cut_back(stage: Stage) -> list[Shot]:
    """A hard cut to another place and back to the first, where time has gone on."""
    rng = stage.rng
    first, away = _place(stage), _place(stage, rng.uniform(0.3, 0.42))
    return [first, away, replace(first, start=rng.uniform(0.6, 0.7))]


def medley(stage: Stage) -> list[Shot]:
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
