"""What is done to a scene each time it is used: mirrored, recoloured, partly covered.

Images here are float32 (H, W, 3) in [0, 255]; id maps are int (H, W). Vendors draw the same noun
in different colours and shades, so colour is what a detector of unseen artwork must rely on least.
"""

from __future__ import annotations

import numpy as np

# Luminance and two colour axes (YIQ): a turn in the plane of the last two is a change of hue.
_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32
)
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def colour_matrix(turn: float, saturation: float) -> np.ndarray:
    """Matrix (3, 3) that turns the hue by ``turn`` radians and scales the saturation.

    For row vectors: ``pixels @ matrix``.
    """
    c, s = saturation * np.cos(turn), saturation * np.sin(turn)
    middle = np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)
    return (_FROM_YIQ @ middle @ _TO_YIQ).T.astype(np.float32)


def recolour(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Pixels (..., 3) with another hue, saturation, contrast and tint.

    ``strength`` 1 reaches any hue now and then, 0.2 stays near the colours given.
    """
    turn = rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    saturation = rng.uniform(1 - 0.7 * strength, 1 + 0.3 * strength)
    out = pixels @ colour_matrix(turn * strength, saturation)
    contrast = rng.uniform(1 - 0.35 * strength, 1 + 0.25 * strength)
    tint = rng.uniform(-25, 25, 3) * strength + rng.uniform(-25, 25) * strength
    return (out - 128) * contrast + (128 + tint).astype(np.float32)


def posterise(image: np.ndarray, levels: int) -> np.ndarray:
    step = 255 / (levels - 1)
    return np.round(image / step) * step


def erase(image: np.ndarray, rng: np.random.Generator, share: float) -> None:
    """Covers a random rectangle, at most ``share`` of each side, with noise of one colour."""
    height, width = image.shape[:2]
    h, w = (int(rng.uniform(0.05, share) * side) + 1 for side in (height, width))
    y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    image[y : y + h, x : x + w] = rng.uniform(0, 255, 3) + rng.normal(0, 12, (h, w, 3))


def recolour_objects(
    image: np.ndarray, ids: np.ndarray, chosen: list[int], rng: np.random.Generator
) -> None:
    """Recolours the pixels of some segments in place, each in its own way."""
    for segment_id in chosen:
        ys, xs = np.nonzero(ids == segment_id)
        pixels = image[ys, xs]
        if rng.random() < 0.15:
            grey = pixels @ _TO_YIQ[0]
            image[ys, xs] = grey[:, None]
        else:
            image[ys, xs] = recolour(pixels, rng, 0.7)
