"""Outlines of stuff regions: signed functions of the plane, positive inside.

Coordinates are the demo world's: the origin in the middle of the picture, x to the right, y down,
the picture's short side 1 unit long at zoom 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wave:
    """One sine of an outline: amplitude in units, cycles a unit (or a turn), phase in radians."""

    amplitude: float
    cycles: float
    phase: float


@dataclass(frozen=True)
class HalfPlane:
    """Everything beyond a line, straight or wavy.

    ``angle`` is the direction of the inward normal in degrees (90: down, 0: right), ``offset`` how
    far along it the border lies.
    """

    angle: float
    offset: float
    waves: tuple[Wave, ...] = ()

    def inside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """About the distance to the border in units, positive inside; ``x`` and ``y`` broadcast."""
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        cos, sin = np.float32(cos), np.float32(sin)
        out = x * cos + y * sin - np.float32(self.offset)
        if self.waves:
            # Along an almost upright border y is the better parameter, along others x: one
            # dimension of sines instead of two.
            along = y if abs(cos) > abs(sin) else x
            out = out - sum(
                np.float32(w.amplitude) * np.sin(np.float32(2 * np.pi * w.cycles) * along + w.phase)
                for w in self.waves
            )
        return out


@dataclass(frozen=True)
class Blob:
    """A round patch whose radius wobbles: a pond, a clearing, a heap."""

    x: float
    y: float
    radius: float
    flatness: float = 1.0
    waves: tuple[Wave, ...] = ()

    def inside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :meth:`HalfPlane.inside`."""
        dx, dy = x - np.float32(self.x), (y - np.float32(self.y)) * np.float32(self.flatness)
        radius = np.float32(self.radius)
        if self.waves:
            turn = np.arctan2(dy, dx)
            radius = radius + sum(
                np.float32(w.amplitude) * np.sin(np.float32(w.cycles) * turn + np.float32(w.phase))
                for w in self.waves
            )
        return radius - np.sqrt(dx * dx + dy * dy)


@dataclass(frozen=True)
class Box:
    """An upright or turned rectangle: a wall, a fence, a rug. ``angle`` in degrees."""

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0

    def inside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :meth:`HalfPlane.inside`."""
        cos = np.float32(np.cos(np.radians(self.angle)))
        sin = np.float32(np.sin(np.radians(self.angle)))
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        along, across = np.abs(dx * cos + dy * sin), np.abs(dy * cos - dx * sin)
        return np.minimum(np.float32(self.width / 2) - along, np.float32(self.height / 2) - across)


Shape = HalfPlane | Blob | Box
