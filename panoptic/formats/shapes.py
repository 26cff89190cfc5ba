"""Shapes that people draw, as masks: a pixel belongs to one if its middle lies within.

Coordinates are those of corners: pixel (x, y) reaches from x to x + 1. Angles are in degrees and
turn clockwise as one sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from panoptic.errors import CorrectionError
from panoptic.formats.fields import LARGEST, is_number, shown
from panoptic.formats.polygons import filled
from panoptic.formats.regions import Size

Draw = Callable[[Size], np.ndarray]


def points_of(value: Any, place: str, *, least: int = 1) -> np.ndarray:
    """Points (N, 2) of x, y in pixels of a list of pairs. Raises ``CorrectionError``."""
    if not isinstance(value, list) or len(value) < least:
        raise CorrectionError(f"{place}: expected {least} points or more, got {shown(value)}")
    for point in value:
        pair = isinstance(point, list | tuple) and len(point) == 2
        if not pair or not all(is_number(v) and abs(v) <= LARGEST for v in point):
            raise CorrectionError(
                f"{place}: a point is two numbers of no more than {LARGEST:,}, got {shown(point)}"
            )
    return np.array(value, float)


def polygon(points: np.ndarray) -> Draw:
    """The area within points (N, 2); where it crosses itself, the even-odd rule decides."""
    return lambda size: filled(points, size)


def rectangle(
    corner: tuple[float, float], width: float, height: float, turned: Turn | None = None
) -> Draw:
    """The rectangle from its upper left corner, turned about a point."""
    (x, y) = corner
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
    return polygon(corners if turned is None else turned(corners))


def ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Draw:
    """The ellipse of these radii along x and y, turned about its centre."""
    back = Turn(centre, -degrees)

    def draw(size: Size) -> np.ndarray:
        mask = np.zeros(size, bool)
        if min(radii) <= 0:
            return mask
        x0, x1 = (int(np.clip(centre[0] + s * max(radii) + s, 0, size[1])) for s in (-1, 1))
        y0, y1 = (int(np.clip(centre[1] + s * max(radii) + s, 0, size[0])) for s in (-1, 1))
        ys, xs = np.mgrid[y0:y1, x0:x1] + 0.5
        middles = back(np.stack([xs.ravel(), ys.ravel()], 1)) - centre
        within: np.ndarray = ((middles / radii) ** 2).sum(axis=1) <= 1
        mask[y0:y1, x0:x1] = within.reshape(ys.shape)
        return mask

    return draw


class Turn:
    """Turns points (N, 2) about a centre."""

    def __init__(self, centre: Sequence[float], degrees: float) -> None:
        angle = np.deg2rad(degrees)
        self._centre = np.array(centre, float)
        cos, sin = np.cos(angle), np.sin(angle)
        self._matrix = np.array([[cos, sin], [-sin, cos]])  # points are rows, y points down

    def __call__(self, points: np.ndarray) -> np.ndarray:
        turned: np.ndarray = (points - self._centre) @ self._matrix + self._centre
        return turned


def window(part: Draw, own: Size, left: int, top: int, place: str) -> Draw:
    """A mask of its ``own`` (height, width) at a place of the picture.

    ``CorrectionError`` where it leads out of the picture; only then ``part`` draws it, as a small
    file can claim a mask that no memory holds.
    """

    def draw(size: Size) -> np.ndarray:
        height, width = own
        if min(left, top) < 0 or left + width > size[1] or top + height > size[0]:
            raise CorrectionError(
                f"{place}: its mask of {width} x {height} at ({left}, {top}) leads out of the "
                f"picture of {size[1]} x {size[0]}"
            )
        whole = np.zeros(size, bool)
        whole[top : top + height, left : left + width] = part(own)
        return whole

    return draw
