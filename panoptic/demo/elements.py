"""What a scene of the demo world is made of: a camera, regions of stuff, things, light.

World coordinates: the origin in the middle of the picture, x to the right, y down, the picture's
short side 1 unit long at zoom 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from panoptic.demo.shapes import Shape
from panoptic.demo.sprites import Colouring, Picture


@dataclass(frozen=True)
class View:
    """A camera: picture size in pixels, the world point in its middle, zoom, turn in degrees."""

    height: int
    width: int
    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 16:
            raise ValueError(
                f"a scene must be at least 16 pixels wide and high, not {self.width}x{self.height}"
            )

    @property
    def pixels(self) -> float:
        """Pixels a unit."""
        return min(self.height, self.width) * self.zoom

    @property
    def half(self) -> tuple[float, float]:
        """Half the width and half the height of what is seen, in units."""
        return self.width / self.pixels / 2, self.height / self.pixels / 2

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        return (
            (x - self.x) * self.pixels + self.width / 2,
            (y - self.y) * self.pixels + self.height / 2,
        )

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """World coordinates of the pixel centres: x (1, W) and y (H, 1), float32."""
        x = np.arange(self.width, dtype=np.float32) + np.float32(0.5) - self.width / 2
        y = np.arange(self.height, dtype=np.float32) + np.float32(0.5) - self.height / 2
        scale = np.float32(1 / self.pixels)
        return x[None] * scale + np.float32(self.x), y[:, None] * scale + np.float32(self.y)


@dataclass(frozen=True)
class Ground:
    """A region of stuff. Without a shape it fills the picture.

    ``within`` confines it to the pixels that another region, painted before, still shows.
    ``scale`` sizes the texture, ``angle`` turns it (degrees), ``drift_x`` and ``drift_y`` shift it
    (units).
    """

    key: int
    texture: np.ndarray = field(repr=False)
    shape: Shape | None = None
    within: int | None = None
    scale: float = 1.0
    angle: float = 0.0
    flip: bool = False
    drift_x: float = 0.0
    drift_y: float = 0.0
    colouring: Colouring | None = None


@dataclass(frozen=True)
class Shadow:
    """A soft drop shadow: shift in parts of the thing's size, blur likewise, strength 0 to 1."""

    dx: float
    dy: float
    blur: float
    strength: float


@dataclass(frozen=True)
class Actor:
    """A thing: a picture with its middle at a world point; sizes in units, angles in degrees."""

    key: int
    picture: Picture = field(repr=False)
    x: float
    y: float
    size: float
    angle: float = 0.0
    flip: bool = False
    aspect: float = 1.0
    colouring: Colouring | None = None
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Light:
    """What happens to the whole picture after painting.

    ``exposure`` multiplies all channels, ``warmth`` brightens red and darkens blue by this share;
    ``slope_x`` and ``slope_y`` brighten along x and y by this share from the middle to the edge;
    ``offset`` is added (0 to 255 scale); ``blur`` is a radius in pixels at 192 px (it grows with
    the root of the size), ``noise`` a standard deviation.
    """

    exposure: float = 1.0
    warmth: float = 0.0
    slope_x: float = 0.0
    slope_y: float = 0.0
    offset: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
