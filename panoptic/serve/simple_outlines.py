"""Outlines of few points, for people to move them."""

from __future__ import annotations

import numpy as np


def simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    """A ring (N, 2) with as few of its points as leave no other one farther off than ``tolerance``
    from the line between those that stay (Ramer 1972; Douglas and Peucker 1973).

    The two points that are farthest from each other, as far as a walk there and back tells, stay.
    """
    if len(ring) < 4 or tolerance <= 0:
        return ring
    start = int(np.linalg.norm(ring - ring[0], axis=1).argmax())
    walk = np.roll(ring, -start, axis=0).astype(float)
    middle = int(np.linalg.norm(walk - walk[0], axis=1).argmax())
    walk = np.concatenate([walk, walk[:1]])
    kept = np.zeros(len(walk), bool)
    kept[[0, middle]] = True
    spans = [(0, middle), (middle, len(walk) - 1)]
    while spans:
        first, last = spans.pop()
        between = walk[first + 1 : last]
        if not len(between):
            continue
        distances = _from_line(between, walk[first], walk[last])
        far = int(distances.argmax())
        if distances[far] > tolerance:
            kept[first + 1 + far] = True
            spans += [(first, first + 1 + far), (first + 1 + far, last)]
    return np.roll(ring, -start, axis=0)[kept[:-1]]


def _from_line(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How far points (N, 2) are from the line between two, as far as that goes."""
    along = end - start
    length = float(along @ along)
    if length == 0:
        return np.linalg.norm(points - start, axis=1)
    shares = np.clip((points - start) @ along / length, 0, 1)
    return np.linalg.norm(points - start - shares[:, None] * along, axis=1)
