"""Where one thing must go to vanish behind another, whatever shapes both have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from panoptic.demo.elements import Actor


def fit_behind(back: Actor, front: Actor) -> Actor:
    """``back``, small enough to vanish behind the opaque core of ``front`` with room to spare.

    Both must have an aspect of 1.
    """
    radius = front.picture.core.radius * front.size
    return replace(back, size=min(0.22, 0.6 * radius / back.picture.core.reach))


def passage_behind(
    back: Actor,
    front: Actor,
    place: np.ndarray,
    sight: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A straight way behind ``front`` standing at ``place``: four points (4, 2) in units.

    At the first and the last ``back`` stands clear of the front; between the second and the third
    it is wholly covered, however it is turned. The direction is random among those whose ends lie
    within ``sight`` (half width and height around the origin).
    """
    reach = back.size * back.picture.core.reach
    slack = 0.85 * (front.picture.core.radius * front.size - reach)
    assert slack > 0, "the back thing is too large to vanish: see fit_behind"
    middle = place + _core_offset(front)
    best, least = np.zeros((4, 2)), np.inf
    for direction in rng.permutation(np.linspace(0, 2 * np.pi, 16, endpoint=False)):
        unit = np.array([np.cos(direction), np.sin(direction)])
        before = middle - unit * (_extent_along(front, -unit, reach) + reach)
        after = middle + unit * (_extent_along(front, unit, reach) + reach)
        overshoot = float(np.max(np.abs([before, after]) - sight))
        if overshoot < least:
            least = overshoot
            best = np.stack([before, middle - unit * slack, middle + unit * slack, after])
        if overshoot <= 0:
            break
    return best


def _core_offset(actor: Actor) -> np.ndarray:
    """Where the opaque core of an actor (of aspect 1) lies from its middle, (x, y) in units."""
    core = actor.picture.core
    return _from_picture(actor, np.array([core.x, core.y]) * actor.size)


def _extent_along(actor: Actor, unit: np.ndarray, width: float) -> float:
    """How far an actor reaches from its core in a direction, within ``width`` of that line."""
    alpha = actor.picture.rgba[..., 3]
    rows, columns = np.nonzero(alpha)
    side = max(alpha.shape)
    points = np.column_stack([columns + 0.5 - alpha.shape[1] / 2, rows + 0.5 - alpha.shape[0] / 2])
    points = _from_picture(actor, points / side * actor.size) - _core_offset(actor)
    beside = np.abs(points @ np.array([-unit[1], unit[0]])) <= width
    return float((points[beside] @ unit).max())


def _from_picture(actor: Actor, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) of an actor's picture, mirrored and turned as the actor is."""
    cos, sin = np.cos(np.radians(actor.angle)), np.sin(np.radians(actor.angle))
    flipped = points * (-1 if actor.flip else 1, 1)
    return flipped @ np.array([[cos, sin], [-sin, cos]])
