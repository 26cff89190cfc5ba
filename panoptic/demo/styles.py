"""Redrawing pictures in another manner, so that models don't cling to a vendor's style."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from panoptic.demo.artwork import crop_to_content
from panoptic.demo.sprites import Picture


def restyle(picture: Picture, rng: np.random.Generator, pixels: int = 96) -> Picture:
    """The picture in a random manner: flat colours, ink lines, an outline.

    Names must survive, so shapes stay; hues are the business of the actor's colouring. ``pixels``
    is the longer side that the picture will be drawn at: lines of 1 to 4 hundredths of that.
    """
    image = Image.fromarray(picture.rgba).convert("RGBa")
    shrink = pixels / max(image.size)
    if shrink < 1:
        width, height = (max(4, round(s * shrink)) for s in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    margin = 4
    padded = Image.new("RGBa", (image.width + 2 * margin, image.height + 2 * margin))
    padded.paste(image, (margin, margin))
    rgba = np.asarray(padded).astype(np.float32)

    if rng.random() < 0.5:
        rgba = _flat_colours(rgba, int(rng.integers(2, 6)))
    if rng.random() < 0.5:
        thick = rng.random() < max(image.size) / 128
        rgba = _ink_lines(rgba, rng.uniform(0.3, 1), thick)
    if rng.random() < 0.55:
        black = rng.random() < 0.8
        ink = rng.uniform(0, 45, 3) if black else rng.uniform(200, 255, 3)
        reach = max(1, round(max(image.size) * rng.uniform(0.01, 0.04)))
        rgba = _outline(rgba, min(reach, margin), ink)
    straight = Image.frombuffer("RGBa", padded.size, rgba.astype(np.uint8).tobytes())
    return Picture(crop_to_content(np.asarray(straight.convert("RGBA"))))


def _flat_colours(rgba: np.ndarray, levels: int) -> np.ndarray:
    """Posterise the colours to so many levels a channel."""
    alpha = np.maximum(rgba[..., 3:], 1) / 255
    step = 255 / levels
    flat = np.minimum(np.floor(rgba[..., :3] / alpha / step) + 0.5, levels - 0.5) * step
    return np.concatenate([flat * rgba[..., 3:] / 255, rgba[..., 3:]], axis=2)


def _ink_lines(rgba: np.ndarray, strength: float, thick: bool) -> np.ndarray:
    """Darken where colours change, as if the inner edges were drawn with a pen."""
    grey = rgba[..., :3].mean(axis=2)
    edge = np.zeros_like(grey)
    edge[:, 1:] += np.abs(np.diff(grey, axis=1))
    edge[1:] += np.abs(np.diff(grey, axis=0))
    ink = np.clip(edge / 40 - 0.4, 0, 1)
    if thick:
        ink = ndimage.maximum_filter(ink, size=2)
    out = rgba.copy()
    out[..., :3] *= 1 - ink[..., None] * np.float32(strength)
    return out


def _outline(rgba: np.ndarray, reach: int, ink: np.ndarray) -> np.ndarray:
    """Put a line of ``ink`` around the picture, so many pixels wide; it belongs to the thing."""
    alpha = Image.fromarray(rgba[..., 3].astype(np.uint8))
    grown = np.asarray(alpha.filter(ImageFilter.MaxFilter(2 * reach + 1)), np.float32)
    out = rgba.copy()
    out[..., :3] += (grown - rgba[..., 3])[..., None] / 255 * ink.astype(np.float32)
    out[..., 3] = grown
    return np.clip(out, 0, 255)


def random_picture(rng: np.random.Generator, texture: np.ndarray, pixels: int = 80) -> Picture:
    """A random blob or polygon (sometimes with a hole or in two parts), cut out of a texture.

    ``texture`` is uint8 RGB (h, w, 3), at least ``pixels`` a side.
    """
    axis = np.linspace(-1, 1, pixels, dtype=np.float32)
    x, y = axis[None], axis[:, None]
    turn = np.arctan2(y, x)
    reach = np.sqrt(x * x + y * y)
    if rng.random() < 0.5:
        radius = np.full_like(turn, 0.7)
        for cycles in range(1, int(rng.integers(2, 7))):
            wobble = rng.uniform(0, 0.5) / cycles
            radius += np.float32(wobble) * np.sin(cycles * turn + np.float32(rng.uniform(0, 6.28)))
    else:  # A polygon, star-shaped about the middle: the nearest corner angles bound each ray.
        corners = np.sort(rng.uniform(-np.pi, np.pi, int(rng.integers(3, 10))))
        lengths = rng.uniform(0.35, 1.1, len(corners))
        radius = _polygon_radius(turn, corners, lengths)
    inside = radius * rng.uniform(0.7, 1) - reach
    if rng.random() < 0.2:
        inside = np.minimum(inside, reach - np.float32(rng.uniform(0.15, 0.4)))
    alpha = np.clip(inside * (pixels / 2) + 0.5, 0, 1)
    top, left = (int(rng.integers(0, s - pixels + 1)) for s in texture.shape[:2])
    rgb = texture[top : top + pixels, left : left + pixels].astype(np.float32)
    if rng.random() < 0.5:  # Nearly plain colour with a trace of the texture.
        rgb = rng.uniform(0, 255, 3).astype(np.float32) + (rgb - rgb.mean()) * rng.uniform(0, 0.5)
    rgba = np.dstack([np.clip(rgb, 0, 255), alpha * 255]).astype(np.uint8)
    cropped = crop_to_content(rgba)
    if min(cropped.shape[:2]) < 8:
        rgba[..., 3] = np.where(reach < 0.8, 255, 0)
        cropped = crop_to_content(rgba)
    return Picture(cropped)


def _polygon_radius(turn: np.ndarray, corners: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """How far the polygon with corners at these angles and distances reaches along each ray."""
    after = np.searchsorted(corners, turn) % len(corners)
    before = (after - 1) % len(corners)
    a0, a1 = corners[before], corners[after]
    r0, r1 = lengths[before], lengths[after]
    span = np.mod(a1 - a0, 2 * np.pi)
    into = np.mod(turn - a0, 2 * np.pi)
    # The ray meets the chord between the two corners (sine rule); wide gaps get a straight cut.
    span = np.minimum(span, np.pi - 0.1)
    into = np.minimum(into, span)
    below = r0 * np.sin(into) + r1 * np.sin(span - into)
    return (r0 * r1 * np.sin(span) / np.maximum(below, 1e-3)).astype(np.float32)
