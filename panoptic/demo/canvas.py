"""Painting a scene of the demo world from back to front, and its ground truth with it."""

from __future__ import annotations

import copy

import numpy as np
from PIL import Image, ImageFilter

from panoptic.demo.elements import Actor, Ground, Light, Shadow, View
from panoptic.demo.textures import TILE

# The textures are drawn so that a tile looks right when it spans this many units at 192 px.
_TILE_UNITS = TILE / 192


class Canvas:
    """Paint ``Ground`` and ``Actor`` back to front with :meth:`paint`; then :meth:`finish`.

    ``keys`` (H, W) holds at each pixel the key of what is seen there: of an actor where its alpha
    is over one half. ``full`` counts the pixels of each actor in the picture as if nothing stood
    before it.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.image = np.zeros((view.height, view.width, 3), np.float32)
        self.keys = np.zeros((view.height, view.width), np.int32)
        self.full: dict[int, int] = {}
        self._grid = view.grid()

    def copy(self) -> Canvas:
        """One to paint on that leaves this one as it is."""
        other = copy.copy(self)
        other.image, other.keys = self.image.copy(), self.keys.copy()
        other.full = dict(self.full)
        return other

    def paint(self, *elements: Ground | Actor) -> None:
        for element in elements:
            if isinstance(element, Ground):
                self._paint_ground(element)
            else:
                self._paint_actor(element)

    def _paint_ground(self, ground: Ground) -> None:
        if ground.shape is None:
            self.image[:] = self._texture(ground, slice(None), slice(None))
            self.keys[:] = ground.key
            return
        inside = ground.shape.inside(*self._grid)
        cover = np.clip(inside * np.float32(self.view.pixels) + np.float32(0.5), 0, 1)
        if ground.within is not None:
            cover = cover * (self.keys == ground.within)
        rows, columns = _extent(cover > 0)
        cover = cover[rows, columns]
        if not cover.size:
            return
        image = self.image[rows, columns]
        image += (self._texture(ground, rows, columns) - image) * cover[..., None]
        self.keys[rows, columns][cover > 0.5] = ground.key

    def _texture(self, ground: Ground, rows: slice, columns: slice) -> np.ndarray:
        """The texture as seen through the view in a window of it: (h, w, 3), uint8."""
        view = self.view
        x0, x1, _ = columns.indices(view.width)
        y0, y1, _ = rows.indices(view.height)
        # Large pictures show a little more of the world's detail instead of only larger texels.
        units = _TILE_UNITS * ground.scale * (192 / min(view.height, view.width)) ** 0.5
        texels = TILE / units / view.pixels  # Texels a pixel.
        cos, sin = np.cos(np.radians(ground.angle)), np.sin(np.radians(ground.angle))
        a, b = cos * texels, sin * texels
        if ground.flip:
            a, b = -a, -b
        d, e = -sin * texels, cos * texels
        origin_x = (view.x - ground.drift_x) * TILE / units
        origin_y = (view.y - ground.drift_y) * TILE / units
        cx, cy = view.width / 2 - x0, view.height / 2 - y0
        sign = -1 if ground.flip else 1
        c = sign * (cos * origin_x + sin * origin_y) - a * cx - b * cy
        f = -sin * origin_x + cos * origin_y - d * cx - e * cy
        patch = _sample_wrapped(ground.texture, (a, b, c, d, e, f), x1 - x0, y1 - y0)
        if ground.colouring is not None:
            patch = ground.colouring.recolour(patch)
        return np.asarray(patch)

    def _paint_actor(self, actor: Actor) -> None:
        x, y = self.view.to_pixels(actor.x, actor.y)
        size = actor.size * self.view.pixels
        self.full.setdefault(actor.key, 0)
        reach = size * 1.5 + 4  # No turn or stretch reaches further than this from the middle.
        if not (-reach < x < self.view.width + reach and -reach < y < self.view.height + reach):
            return
        rgba, left, top = actor.picture.draw(x, y, size, actor.angle, actor.flip, actor.aspect)
        if actor.shadow is not None:
            self._paint_shadow(rgba[..., 3], left, top, size, actor.shadow)
        window = _overlap(left, top, rgba.shape[1], rgba.shape[0], self.view)
        if window is None:
            return
        there, here = window
        rgba = rgba[here]
        alpha = rgba[..., 3:] * np.float32(1 / 255)
        colour = rgba[..., :3]
        if actor.colouring is not None:
            colour = actor.colouring.apply(colour, alpha)
        self.image[there] *= 1 - alpha
        self.image[there] += colour
        mask = alpha[..., 0] > 0.5
        self.keys[there][mask] = actor.key
        self.full[actor.key] += int(np.count_nonzero(mask))

    def _paint_shadow(
        self, alpha: np.ndarray, left: int, top: int, size: float, shadow: Shadow
    ) -> None:
        radius = max(1, round(shadow.blur * size))
        padded = Image.new("L", (alpha.shape[1] + 2 * radius, alpha.shape[0] + 2 * radius))
        padded.paste(Image.fromarray(alpha.astype(np.uint8)), (radius, radius))
        soft = np.asarray(padded.filter(ImageFilter.BoxBlur(radius)), np.float32)
        left += round(shadow.dx * size) - radius
        top += round(shadow.dy * size) - radius
        window = _overlap(left, top, soft.shape[1], soft.shape[0], self.view)
        if window is not None:
            there, here = window
            self.image[there] *= 1 - soft[here][..., None] * np.float32(shadow.strength / 255)

    def finish(self, light: Light, noise: np.ndarray | None = None) -> np.ndarray:
        """The finished picture, uint8 (H, W, 3). ``noise`` is unit noise of the picture's shape."""
        view, image = self.view, self.image
        gain = np.array([1 + light.warmth, 1, 1 - light.warmth], np.float32) * light.exposure
        if light.slope_x or light.slope_y:
            ramp_x = np.linspace(-light.slope_x, light.slope_x, view.width, dtype=np.float32)
            ramp_y = np.linspace(-light.slope_y, light.slope_y, view.height, dtype=np.float32)
            gain = (1 + ramp_y[:, None] + ramp_x[None])[..., None] * gain.astype(np.float32)
        image = image * gain.astype(np.float32)
        if light.offset:
            image += np.float32(light.offset)
        if light.blur > 0:
            radius = light.blur * (min(view.height, view.width) / 192) ** 0.5
            flat = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
            image = np.asarray(flat.filter(ImageFilter.GaussianBlur(radius)), np.float32)
        if light.noise > 0 and noise is not None:
            image = image + noise * np.float32(light.noise)
        return np.clip(image, 0, 255).astype(np.uint8)


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _overlap(
    left: int, top: int, width: int, height: int, view: View
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The part of a placed rectangle within the view: where in the view, where in itself."""
    x0, x1 = max(0, left), min(view.width, left + width)
    y0, y1 = max(0, top), min(view.height, top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    there = (slice(y0, y1), slice(x0, x1))
    return there, (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _sample_wrapped(
    texture: np.ndarray, matrix: tuple[float, ...], width: int, height: int
) -> Image.Image:
    """Affine lookup (output to source, as in Pillow) into an endlessly repeated texture."""
    a, b, c, d, e, f = matrix
    corners_x = [c, c + a * width, c + b * height, c + a * width + b * height]
    corners_y = [f, f + d * width, f + e * height, f + d * width + e * height]
    x0, y0 = int(np.floor(min(corners_x))) - 2, int(np.floor(min(corners_y))) - 2
    span_x = int(np.ceil(max(corners_x))) + 2 - x0
    span_y = int(np.ceil(max(corners_y))) + 2 - y0
    source = _wrapped(_wrapped(texture, 0, y0, span_y), 1, x0, span_x)
    c, f = c - x0, f - y0
    if b == 0 and a < 0:  # Mirrored and upright: mirror the source instead.
        source, a, c = source[:, ::-1], -a, span_x - c
    image = Image.fromarray(source)
    if b == 0 and d == 0:  # Upright: resizing is faster and anti-aliased.
        box = (c, f, c + a * width, f + e * height)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return image.transform(
        (width, height), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )


def _wrapped(array: np.ndarray, axis: int, start: int, count: int) -> np.ndarray:
    """``count`` entries of an axis from ``start`` on, as if the array repeated endlessly."""
    period = array.shape[axis]
    start %= period
    pieces = []
    while count > 0:
        stop = min(period, start + count)
        pieces.append(array[start:stop] if axis == 0 else array[:, start:stop])
        start, count = 0, count - (stop - start)
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis)
