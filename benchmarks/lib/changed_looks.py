"""Looks at one thing: a window of a picture around it, and what light, view and others do to it.

All of it is pixels that are moved and mixed: the thing is the same, exactly, and so is its mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

SIDE = 512
"""Pixels of a look, square: at least what its models see."""
LEAST_SHARE = 0.4
"""Of a thing's pixels, what a look shows of it at least."""


@dataclass(frozen=True, eq=False)
class Look:
    """A picture, RGB uint8 (SIDE, SIDE, 3), with the pixels of one thing, bool (SIDE, SIDE).

    ``scene`` is where it is from, ``thing`` who it is, everywhere; ``change`` is what was done to
    it, "" for nothing.
    """

    image: np.ndarray
    mask: np.ndarray
    scene: str
    thing: str
    category: str
    change: str = ""


Change = Callable[[Look, np.random.Generator, Sequence[Look]], Look]
"""``others`` are looks at other things, for what stands before it or behind."""


def window(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, around: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A square part of the picture that is so many times as large as the thing in it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = rows[0], columns[0]
    height, width = rows[-1] + 1 - top, columns[-1] + 1 - left
    side = int(min(max(height, width) * rng.uniform(*around), *mask.shape))
    corner = []
    for start, length, whole in ((top, height, mask.shape[0]), (left, width, mask.shape[1])):
        low, high = max(0, start + min(length, side) - side), min(start, whole - side)
        low, high = min(low, high), max(low, high)
        corner.append(int(np.clip(rng.integers(low, high + 1), 0, whole - side)))
    y, x = corner
    part = image[y : y + side, x : x + side], mask[y : y + side, x : x + side]
    return _resized(part[0]), _resized(part[1])


def _resized(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == bool:
        grey = Image.fromarray(picture.astype(np.uint8) * 255)
        return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) >= 128
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def light(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Brighter or darker, more or less contrast, another white."""
    x = (look.image.astype(np.float32) / 255) ** rng.uniform(0.7, 1.45)
    x = x * rng.uniform(0.65, 1.4) * rng.uniform(0.88, 1.14, 3)
    return replace(look, image=(np.clip(x, 0, 1) * 255).astype(np.uint8))


def view(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Turned a little, and seen from a little aside: an affine map and a perspective."""
    angle, shear = rng.uniform(-0.22, 0.22), rng.uniform(-0.2, 0.2)
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flat = turn @ np.array([[stretch, shear], [0, 1 / stretch]])
    tilt = rng.uniform(-0.25, 0.25, 2) / SIDE
    return _warped(look, flat, tilt)


def scale(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Half to twice the size."""
    return _warped(look, np.eye(2) * np.exp(rng.uniform(-0.69, 0.69)), np.zeros(2))


def blur(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Out of focus, and noise."""
    soft = Image.fromarray(look.image).filter(ImageFilter.GaussianBlur(rng.uniform(1, 4)))
    noise = rng.normal(0, rng.uniform(1, 8), look.image.shape)
    return replace(look, image=np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8))


def occlusion(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Another thing stands before a part of it."""
    front = others[int(rng.integers(len(others)))]
    image, shape = look.image.copy(), front.mask
    rows, columns = np.nonzero(look.mask)
    for _ in range(20):
        at = int(rng.integers(len(rows)))
        ys, xs = np.nonzero(shape)
        shift = rows[at] - int(np.mean(ys)), columns[at] - int(np.mean(xs))
        y, x = ys + shift[0], xs + shift[1]
        inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
        hidden = np.zeros_like(look.mask)
        hidden[y[inside], x[inside]] = True
        left = (look.mask & ~hidden).sum() / look.mask.sum()
        if LEAST_SHARE < left < 0.85:
            image[y[inside], x[inside]] = front.image[ys[inside], xs[inside]]
            return replace(look, image=image, mask=look.mask & ~hidden)
    return look


def elsewhere(look: Look, rng: np.random.Generator, others: Sequence[Look]) -> Look:
    """Before another background, at another place."""
    place = others[int(rng.integers(len(others)))].image[:, ::-1]
    dy, dx = rng.integers(-SIDE // 5, SIDE // 5 + 1, 2)
    mask = np.zeros_like(look.mask)
    ys, xs = np.nonzero(look.mask)
    y, x = ys + dy, xs + dx
    inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
    if inside.mean() < 0.7:
        y, x, inside = ys, xs, np.ones(len(ys), bool)
    image = place.copy()
    image[y[inside], x[inside]] = look.image[ys[inside], xs[inside]]
    mask[y[inside], x[inside]] = True
    return replace(look, image=image, mask=mask)


CHANGES: dict[str, Change] = {
    "light": light,
    "scale": scale,
    "view": view,
    "blur": blur,
    "occlusion": occlusion,
    "elsewhere": elsewhere,
}


def changed(
    look: Look, names: Sequence[str], rng: np.random.Generator, others: Sequence[Look]
) -> Look:
    """By some of ``CHANGES``, one after the other."""
    made = look
    for name in names:
        made = CHANGES[name](made, rng, others)
    return replace(made, change=" and ".join(names))


def _warped(look: Look, flat: np.ndarray, tilt: np.ndarray) -> Look:
    """``flat`` (2, 2) maps the offsets from the middle of the thing, ``tilt`` (2,) divides them.
    What is beyond the picture's border is its mirror image."""
    ys, xs = np.nonzero(look.mask)
    middle = np.array([xs.mean(), ys.mean()])
    inverse = np.linalg.inv(flat)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    offset = np.stack([x - middle[0], y - middle[1]], axis=-1)
    depth = np.clip(1 + offset @ tilt, 0.5, 2)[..., None]
    source = offset @ inverse.T / depth + middle
    period = 2 * (SIDE - 1)
    source = np.abs((source + SIDE - 1) % period - (SIDE - 1))
    image = _sampled(look.image.astype(np.float32), source).astype(np.uint8)
    mask = _sampled(look.mask.astype(np.float32)[..., None], source)[..., 0] >= 0.5
    if mask.sum() < LEAST_SHARE * 0.2 * look.mask.sum():
        return look
    return replace(look, image=image, mask=mask)


def _sampled(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear, ``places`` (H, W, 2) as (x, y)."""
    low = np.clip(np.floor(places).astype(int), 0, SIDE - 2)
    part = (places - low)[..., None]
    x, y = low[..., 0], low[..., 1]
    top = picture[y, x] * (1 - part[:, :, 0]) + picture[y, x + 1] * part[:, :, 0]
    under = picture[y + 1, x] * (1 - part[:, :, 0]) + picture[y + 1, x + 1] * part[:, :, 0]
    return top * (1 - part[:, :, 1]) + under * part[:, :, 1]
