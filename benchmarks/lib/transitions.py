"""Two shots joined as film makers join them, and flashes of light, made of clean frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Frames = Sequence[np.ndarray]
Light = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Joined:
    """``frames`` of two shots; those from ``start`` on, and before ``stop``, belong to neither
    alone."""

    frames: list[np.ndarray]
    start: int
    stop: int


def cut(one: Frames, other: Frames) -> Joined:
    return Joined([*one, *other], len(one), len(one))


def mirrored(frames: Frames, at: int) -> Joined:
    """From ``at`` on the mirrored view of the same place."""
    return Joined([*frames[:at], *(np.ascontiguousarray(f[:, ::-1]) for f in frames[at:])], at, at)


def close_up(frames: Frames, at: int, share: float, x: float, y: float) -> Joined:
    """From ``at`` on a part of the picture, ``share`` of its sides, fills it; ``x`` and ``y`` say
    where it is, from 0 (left, top) to 1."""
    height, width = frames[0].shape[:2]
    h, w = max(1, round(share * height)), max(1, round(share * width))
    top, left = round(y * (height - h)), round(x * (width - w))
    box = left, top, left + w, top + h
    near = [
        np.asarray(Image.fromarray(f).resize((width, height), Image.Resampling.BICUBIC, box))
        for f in frames[at:]
    ]
    return Joined([*frames[:at], *near], at, at)


def dissolve(one: Frames, other: Frames, length: int) -> Joined:
    """The last ``length`` frames of one become the first of the other; both move on meanwhile."""
    start = len(one) - length
    shares = [(i + 1) / (length + 1) for i in range(length)]
    mixed = [_mix(one[start + i], other[i], share) for i, share in enumerate(shares)]
    return Joined([*one[:start], *mixed, *other[length:]], start, start + length)


def dip(one: Frames, other: Frames, length: int, grey: int) -> Joined:
    """One fades into black (``grey`` 0) or white (255) within ``length`` frames,
    the other out of it."""
    start = len(one) - length
    even = np.full_like(one[0], grey)
    out = [_mix(one[start + i], even, (i + 1) / length) for i in range(length)]
    into = [_mix(even, other[i], (i + 1) / length) for i in range(length)]
    return Joined([*one[:start], *out, *into, *other[length:]], start, start + 2 * length)


def flash(
    frames: Frames, at: int, length: int, light: Callable[[np.ndarray], np.ndarray]
) -> Frames:
    """``light`` over ``length`` frames from ``at`` on; what is brighter than white is cut off."""
    lit = list(frames)
    for i in range(at, at + length):
        lit[i] = np.clip(light(frames[i].astype(np.float32)), 0, 255).astype(np.uint8)
    return lit


LIGHTS: dict[str, Light] = {
    "three times as bright": lambda frame: frame * 3,
    "light from the camera": lambda frame: frame + 150,
    "all white": lambda frame: frame * 0 + 255,
    "all black": lambda frame: frame * 0,
}


def _mix(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return np.round(one * (1.0 - share) + other * share).astype(np.uint8)
