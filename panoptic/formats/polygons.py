"""Outlines of masks as polygons, exact: filled again, they give the same pixels.

Readers fill polygons in two ways, so there are two kinds of outline. ``edges`` runs along the
corners of pixels, for readers that take a polygon as the area inside (CVAT, COCO, shapely).
``centres`` runs through the outermost pixels, for those that also paint the line itself, as
OpenCV's ``fillPoly`` does (Ultralytics, supervision).

Pixels that touch at a corner belong together.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

# Directions right, down, left, up; the inside is on the right-hand side of each edge.
_STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
_INSIDE = np.array([(0, 0), (-1, 0), (-1, -1), (0, -1)])  # from an edge's start to its pixel


def edges(mask: np.ndarray) -> list[np.ndarray]:
    """Rings (N, 2) of x, y around the parts of a bool mask (H, W) and its holes.

    Pixel (x, y) reaches from x to x + 1. Parts run clockwise as one sees it, holes the other way.
    """
    return [straightened(starts) for starts, _ in _rings(mask)]


def centres(mask: np.ndarray) -> list[np.ndarray]:
    """Rings (N, 2) of x, y through the border pixels of a bool mask (H, W), holes' too.

    The pixels around a hole are the mask's own, and consecutive points are neighbours: filled by
    the even-odd rule, the line included, the rings together give the mask.
    """
    found = []
    for starts, directions in _rings(mask):
        path = starts + _INSIDE[directions]
        fresh = np.any(path != np.roll(path, 1, axis=0), axis=1)
        found.append(path[fresh] if fresh.any() else path[:1])
    return found


def joined(rings: list[np.ndarray]) -> np.ndarray:
    """One closed polygon (N, 2) that walks along all rings, to and fro on a line between them.

    Rings are joined where they are nearest, the nearest first, so that the line to a hole stays
    within the mask; between two parts it lies outside, without any area. Points in the middle of
    a straight run are left out.
    """
    rest = [(ring, ring.min(axis=0), ring.max(axis=0)) for ring in rings[1:]]
    # For each: distance, its own nearest point (a number), the point of the polygon.
    nearest = [(np.inf, 0, np.zeros(2, int))] * len(rest)
    polygon = added = rings[0]
    while rest:
        tree = cKDTree(added)
        low, high = added.min(axis=0), added.max(axis=0)
        for number, (ring, first, last) in enumerate(rest):
            apart = np.maximum(np.maximum(first - high, low - last), 0)
            if np.hypot(*apart) >= nearest[number][0]:
                continue
            distances, places = tree.query(ring, distance_upper_bound=nearest[number][0])
            best = int(distances.argmin())
            if distances[best] < nearest[number][0]:
                nearest[number] = (float(distances[best]), best, added[places[best]])
        chosen = min(range(len(rest)), key=lambda i: (nearest[i][0], i))
        _, start, point = nearest.pop(chosen)
        added = rest.pop(chosen)[0]
        place = int(np.flatnonzero((polygon == point).all(axis=1))[0])
        walk = np.roll(added, -start, axis=0)
        polygon = np.concatenate([polygon[: place + 1], walk, walk[:1], polygon[place:]])
    return straightened(polygon)


def filled(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The bool mask (H, W) of the pixels whose middle lies within a polygon (N, 2) of x, y.

    Corners count as in ``edges``; where the polygon crosses itself, the even-odd rule decides.
    """
    height, width = size
    turns = np.zeros((height, width + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        low, high = sorted((y0, y1))
        rows = np.arange(max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), height))
        if rows.size:
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            turns[rows, np.clip(np.floor(x - 0.5).astype(int) + 1, 0, width)] ^= 1
    return np.bitwise_xor.accumulate(turns[:, :width], axis=1).astype(bool)


def straightened(ring: np.ndarray) -> np.ndarray:
    """Without the points at which a ring (N, 2) goes straight on; turning back is no such point."""
    if len(ring) < 3:
        return ring
    into, out = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    parallel = into[:, 0] * out[:, 1] == into[:, 1] * out[:, 0]
    return ring[~(parallel & ((into * out).sum(axis=1) > 0))]


def _rings(mask: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Closed walks along pixel edges: starts (N, 2) of x, y and directions (N,) of every edge."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return []
    top, left = int(rows[0]), int(columns[0])
    inner = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(bool), 1)
    height, width = inner.shape
    found_starts, found_directions = [], []
    for direction, (dy, dx) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
        ys, xs = np.nonzero(inner & ~np.roll(inner, (-dy, -dx), axis=(0, 1)))
        found_starts.append(np.stack([xs, ys], 1) - _INSIDE[direction])
        found_directions.append(np.full(len(xs), direction))
    starts = np.concatenate(found_starts)
    directions = np.concatenate(found_directions)
    leaving = np.full((height + 1, width + 1, 4), -1, np.int32)
    leaving[starts[:, 1], starts[:, 0], directions] = np.arange(len(starts))
    ends = starts + _STEPS[directions]
    # At a corner where two pixels touch, the left turn goes on to the other one.
    following = np.full(len(starts), -1, np.int32)
    for turn in (1, 0, 3):
        edge = leaving[ends[:, 1], ends[:, 0], (directions + turn) % 4]
        following = np.where(edge >= 0, edge, following)
    order = following.tolist()
    seen = bytearray(len(order))
    offset = np.array([left - 1, top - 1])
    rings = []
    for first in range(len(order)):
        if seen[first]:
            continue
        walk, edge = [], first
        while not seen[edge]:
            seen[edge] = 1
            walk.append(edge)
            edge = order[edge]
        rings.append((starts[walk] + offset, directions[walk]))
    return rings
