"""How scenes change over time: curves, performers that follow them, shots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from panoptic.demo.elements import Actor, Ground, Light, View

_T = TypeVar("_T", Actor, Ground, Light, View)


@dataclass(frozen=True)
class Curve:
    """A number over the time of a clip (0 to 1): straight between knots, plus a swing.

    Before the first knot and after the last it stays. The swing is a sine of so many cycles a
    clip.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]
    swing: float = 0.0
    cycles: float = 0.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        if not self.times or len(self.times) != len(self.values):
            raise ValueError(
                f"a curve needs one value for each knot, not {len(self.values)} for "
                f"{len(self.times)}"
            )
        if any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
            raise ValueError(f"the times of a curve's knots must increase: {self.times}")

    def at(self, time: float) -> float:
        value = float(np.interp(time, self.times, self.values))
        if self.swing:
            value += self.swing * float(np.sin(2 * np.pi * self.cycles * time + self.phase))
        return value


def ramp(start: float, end: float) -> Curve:
    """From one value to another over the whole clip."""
    return Curve((0.0, 1.0), (start, end))


@dataclass(frozen=True)
class Switch:
    """A field that has another value from some time on: a texture, an outline."""

    time: float
    before: Any
    after: Any

    def at(self, time: float) -> Any:
        return self.before if time < self.time else self.after


Curves = Mapping[str, Curve | Switch]


def at_time(thing: _T, curves: Curves, time: float) -> _T:
    """``thing`` with the fields that have a curve set to their value; the very same without any."""
    if not curves:
        return thing
    changes: dict[str, Any] = {name: curve.at(time) for name, curve in curves.items()}
    return replace(thing, **changes)


@dataclass(frozen=True)
class Performer:
    """A thing or a region of stuff, and the curves of its fields (x, size, angle, drift_x ...)."""

    element: Actor | Ground
    curves: Curves = field(default_factory=dict)

    def at(self, time: float) -> Actor | Ground:
        if isinstance(self.element, Actor):
            return at_time(self.element, self.curves, time)
        return at_time(self.element, self.curves, time)


@dataclass(frozen=True)
class Shot:
    """What one camera sees: performers back to front, and how camera and light change.

    ``start`` is the time (0 to 1) from which on the clip shows this shot.
    """

    performers: tuple[Performer, ...]
    view: View
    light: Light
    camera: Curves = field(default_factory=dict)
    lighting: Curves = field(default_factory=dict)
    start: float = 0.0
