"""Pictures made ready for drawing: any size, angle, flip and colour, anti-aliased, in about 0.5 ms.

Colours are premultiplied by alpha throughout, so that every linear operation (resampling, colour
matrices, laying one over the other) is right at soft edges too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy import ndimage


@dataclass(frozen=True)
class Colouring:
    """An affine map of RGB values (0 to 255): ``matrix @ rgb + offset``."""

    matrix: np.ndarray = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3, np.float32))

    def apply(self, rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Map colours (..., 3) premultiplied by ``alpha`` (..., 1), and keep them in range."""
        out = rgb @ self.matrix.T.astype(np.float32)
        out += self.offset.astype(np.float32) * alpha
        np.minimum(out, np.multiply(alpha, 255, dtype=np.float32), out=out)
        return np.maximum(out, 0, out=out)

    def recolour(self, image: Image.Image) -> Image.Image:
        """The same for a whole opaque picture, in 8 bits (several times faster)."""
        rows = np.column_stack([self.matrix, self.offset])
        return image.convert("RGB", tuple(float(v) for v in rows.ravel()))


def hue_colouring(
    hue: float = 0.0,
    saturation: float = 1.0,
    contrast: float = 1.0,
    brightness: float = 0.0,
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Colouring:
    """Turn hues by ``hue`` degrees, scale saturation and contrast, shift brightness and channels.

    The hue turn is a rotation about the grey axis of the RGB cube (Rodrigues' formula): not equal
    in brightness for all colours, but linear.
    """
    c, s = np.cos(np.radians(hue)), np.sin(np.radians(hue))
    grey = np.full((3, 3), 1 / 3)
    k = 1 / np.sqrt(3)
    cross = np.array([[0, -k, k], [k, 0, -k], [-k, k, 0]])
    turn = c * np.eye(3) + s * cross + (1 - c) * grey
    matrix = contrast * ((1 - saturation) * grey + saturation * turn)
    offset = 128 * (1 - contrast) + brightness + np.asarray(tint)
    return Colouring(matrix.astype(np.float32), np.asarray(offset, np.float32))


@dataclass(frozen=True)
class Core:
    """What a picture covers for certain, in parts of its longer side and from its middle.

    ``x``, ``y``, ``radius``: the largest disc within its opaque part. ``reach``: how far its
    farthest visible pixel is from the middle.
    """

    x: float
    y: float
    radius: float
    reach: float


class Picture:
    """A cut-out picture with its smaller copies: straight RGBA (h, w, 4), uint8."""

    def __init__(self, rgba: np.ndarray) -> None:
        if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or not rgba.size:
            raise ValueError(
                f"a picture must be a non-empty uint8 array (h, w, 4), not {rgba.dtype} "
                f"{rgba.shape}"
            )
        self.rgba = rgba

    @functools.cached_property
    def core(self) -> Core:
        """The largest opaque disc and the reach of this picture."""
        height, width = self.rgba.shape[:2]
        solid = np.pad(self.rgba[..., 3] > 200, 1)
        depth = ndimage.distance_transform_edt(solid)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        rows, columns = np.nonzero(self.rgba[..., 3])
        side = max(height, width)
        far = np.hypot(columns + 0.5 - width / 2, rows + 0.5 - height / 2).max() + 1
        x, y = (column + 0.5 - width / 2) / side, (row + 0.5 - height / 2) / side
        return Core(float(x), float(y), float(depth.max() / side), float(far / side))

    @functools.cached_property
    def _levels(self) -> list[Image.Image]:
        """Premultiplied, each half the size of the one before, with a clear margin of a pixel."""
        image = Image.fromarray(self.rgba).convert("RGBa")
        levels = [_with_margin(image)]
        while max(image.size) > 12:
            image = image.reduce(2)
            levels.append(_with_margin(image))
        return levels

    def draw(
        self, x: float, y: float, size: float, angle: float, flip: bool, aspect: float
    ) -> tuple[np.ndarray, int, int]:
        """Draw the picture with its middle at pixel coordinates (x, y).

        ``size`` is the length of its longer side in pixels, ``angle`` turns it clockwise in
        degrees, ``aspect`` > 1 makes it wider and lower. Returns premultiplied RGBA, float32
        (h, w, 4) with colours and alpha 0 to 255, and the column and row of its corner.
        """
        height, width = self.rgba.shape[:2]
        stretch = np.sqrt(aspect)
        scale_x = size / max(height, width) * stretch
        scale_y = size / max(height, width) / stretch
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        half_w = (abs(cos) * scale_x * width + abs(sin) * scale_y * height) / 2 + 1
        half_h = (abs(sin) * scale_x * width + abs(cos) * scale_y * height) / 2 + 1
        left, top = int(np.floor(x - half_w)), int(np.floor(y - half_h))
        out_w = max(1, int(np.ceil(x + half_w)) - left)
        out_h = max(1, int(np.ceil(y + half_h)) - top)

        shrink = 1 / max(scale_x, scale_y)
        level = int(np.clip(np.floor(np.log2(max(shrink, 1))), 0, len(self._levels) - 1))
        source = self._levels[level]
        # Output pixel -> source pixel: turn back, scale back, into the level's own pixels.
        fx = (source.width - 2) / width / scale_x * (-1 if flip else 1)
        fy = (source.height - 2) / height / scale_y
        a, b, d, e = fx * cos, fx * sin, -fy * sin, fy * cos
        cx, cy = x - left, y - top
        matrix = (
            a, b, source.width / 2 - a * cx - b * cy,
            d, e, source.height / 2 - d * cx - e * cy,
        )  # fmt: skip
        resample = Image.Resampling.BICUBIC if shrink < 0.8 else Image.Resampling.BILINEAR
        image = source.transform((out_w, out_h), Image.Transform.AFFINE, matrix, resample)
        return np.asarray(image).astype(np.float32), left, top


def _with_margin(image: Image.Image) -> Image.Image:
    out = Image.new("RGBa", (image.width + 2, image.height + 2))
    out.paste(image, (1, 1))
    return out
