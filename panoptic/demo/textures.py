"""Procedural textures for the stuff of the demo world: seamless tiles, endless variety by seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft

STUFF_NAMES: tuple[str, ...] = (
    "sky",
    "grass",
    "water",
    "sand",
    "brick",
    "wood",
    "snow",
    "road",
    "tile",
    "dirt",
)
TILE = 256  # Pixels a side; every texture wraps around at its edges.

_Rng = np.random.Generator
_ROWS, _COLUMNS = np.mgrid[0:TILE, 0:TILE].astype(np.float32)
_TURN = np.float32(2 * np.pi / TILE)


def make_texture(name: str, rng: np.random.Generator) -> np.ndarray:
    """Draw one texture of a stuff: uint8 RGB (TILE, TILE, 3), seamless in both directions.

    Raises:
        ValueError: ``name`` isn't one of ``STUFF_NAMES``.
    """
    if name not in _PAINTERS:
        raise ValueError(f"no stuff is called {name!r}; there are {', '.join(STUFF_NAMES)}")
    return np.clip(_PAINTERS[name](rng), 0, 255).astype(np.uint8)


class TextureBank:
    """The textures of a world: a fixed number for each stuff, each drawn when first asked for.

    The same seed gives the same textures in whatever order they are asked for.
    """

    def __init__(self, seed: int, per_stuff: int = 24) -> None:
        if per_stuff < 1:
            raise ValueError(f"a bank needs at least one texture for each stuff, not {per_stuff}")
        self.seed = seed
        self.per_stuff = per_stuff
        self._drawn: dict[tuple[str, int], np.ndarray] = {}

    def get(self, name: str, index: int) -> np.ndarray:
        """Texture ``index`` (0 to per_stuff - 1) of a stuff, uint8 (TILE, TILE, 3)."""
        if not 0 <= index < self.per_stuff:
            raise ValueError(f"texture {index} isn't within 0..{self.per_stuff - 1}")
        key = (name, index)
        if key not in self._drawn:
            seeds = (self.seed, STUFF_NAMES.index(name), index)
            texture = make_texture(name, np.random.default_rng(seeds))
            texture.setflags(write=False)
            self._drawn[key] = texture
        return self._drawn[key]

    def fill(self) -> None:
        """Draw every texture now, so that processes forked from this one share them."""
        for name in STUFF_NAMES:
            for index in range(self.per_stuff):
                self.get(name, index)


def noise(
    rng: np.random.Generator,
    cells: float,
    *,
    stretch: tuple[float, float] = (1, 1),
    roughness: float = 1.6,
) -> np.ndarray:
    """Seamless noise with zero mean and unit deviation, float32 (TILE, TILE).

    White noise is filtered so that features of about ``TILE / cells`` pixels dominate; above that
    frequency the amplitude falls with the power ``roughness``. ``stretch`` lengthens the features
    vertically and horizontally.
    """
    spectrum = scipy.fft.rfft2(rng.standard_normal((TILE, TILE), dtype=np.float32))
    fy = scipy.fft.fftfreq(TILE, 1 / TILE)[:, None] * stretch[0]
    fx = scipy.fft.rfftfreq(TILE, 1 / TILE)[None] * stretch[1]
    gain = (1 + (fy**2 + fx**2) / cells**2) ** (-roughness)
    gain[0, 0] = 0
    out = scipy.fft.irfft2(spectrum * gain.astype(np.float32), s=(TILE, TILE))
    return (out / out.std()).astype(np.float32)


def _grain(rng: _Rng) -> np.ndarray:
    return rng.standard_normal((TILE, TILE), dtype=np.float32)


def _colour(rng: _Rng, rgb: tuple[int, int, int], jitter: float) -> np.ndarray:
    """A colour near ``rgb``: half of the jitter in brightness, half in hue."""
    shared = rng.uniform(-jitter, jitter)
    own = rng.uniform(-jitter, jitter, 3)
    return np.asarray(rgb, np.float32) + np.float32(0.6 * shared) + 0.6 * own.astype(np.float32)


def _mix(low: np.ndarray, high: np.ndarray, amount: np.ndarray) -> np.ndarray:
    t = np.clip(amount, 0, 1)[..., None]
    return low + (high - low) * t


def _wave(cycles_y: int, cycles_x: int, phase: np.ndarray | float) -> np.ndarray:
    """A seamless plane wave with whole numbers of cycles a tile."""
    return np.sin(_TURN * (cycles_y * _ROWS + cycles_x * _COLUMNS) + phase)


def _sky(rng: _Rng) -> np.ndarray:
    deep, pale = _colour(rng, (70, 138, 222), 32), _colour(rng, (160, 206, 246), 20)
    depth = 0.5 + 0.5 * _wave(1, 0, rng.uniform(0, 6.28))
    image = _mix(deep, pale, depth * rng.uniform(0.4, 1.1))
    cells = rng.uniform(2, 5)
    clouds = noise(rng, cells, stretch=(1, rng.uniform(1, 2.2)), roughness=rng.uniform(1.1, 1.6))
    cover = (clouds - rng.uniform(0.3, 2.2)) * rng.uniform(0.5, 1.6)
    return _mix(image, _colour(rng, (246, 248, 251), 8), np.minimum(cover, rng.uniform(0.6, 1)))


def _grass(rng: _Rng) -> np.ndarray:
    dark, light = _colour(rng, (42, 108, 36), 22), _colour(rng, (128, 188, 68), 24)
    blades = noise(rng, rng.uniform(30, 70), stretch=(rng.uniform(2.5, 6), 1), roughness=1.2)
    patches = noise(rng, rng.uniform(3, 8))
    amount = 0.5 + 0.22 * blades * rng.uniform(0.5, 1.2) + 0.16 * patches * rng.uniform(0.3, 1.5)
    image = _mix(dark, light, amount)
    if rng.random() < 0.25:  # A meadow with little flowers.
        flowers = noise(rng, 60, roughness=3) > rng.uniform(2.5, 3.2)
        image[flowers] = _colour(rng, ((250, 240, 120), (245, 245, 250))[rng.integers(2)], 10)
    return image


def _water(rng: _Rng) -> np.ndarray:
    deep, light = _colour(rng, (22, 84, 146), 26), _colour(rng, (82, 172, 206), 26)
    bend = noise(rng, rng.uniform(2, 6), stretch=(1, 0.6))
    waves = _wave(int(rng.integers(8, 22)), int(rng.integers(-2, 3)), bend * rng.uniform(0.8, 2.2))
    ripples = noise(rng, rng.uniform(16, 50), stretch=(1, rng.uniform(3, 7)))
    share = rng.uniform(0, 1)
    image = _mix(deep, light, 0.45 + 0.3 * share * waves + 0.22 * (1.2 - share) * ripples)
    if rng.random() < 0.5:
        foam = waves * share + ripples * 0.6 - rng.uniform(1.3, 2)
        image = _mix(image, np.array([235, 245, 250], np.float32), foam * 0.8)
    return image


def _sand(rng: _Rng) -> np.ndarray:
    dark, light = _colour(rng, (204, 168, 108), 18), _colour(rng, (246, 219, 162), 14)
    dunes = noise(rng, rng.uniform(2, 6))
    phase = noise(rng, rng.uniform(2, 5)) * rng.uniform(0.6, 2)
    ripples = _wave(int(rng.integers(4, 16)), int(rng.integers(-3, 4)), phase)
    amount = 0.5 + 0.16 * dunes + rng.uniform(0, 0.2) * ripples
    return _mix(dark, light, amount + rng.uniform(0.06, 0.16) * _grain(rng))


def _brick(rng: _Rng) -> np.ndarray:
    rows = 2 * int(rng.integers(4, 10))
    across = max(2, round(rows / rng.uniform(1.7, 2.6)))
    height, width = TILE / rows, TILE / across
    row = (_ROWS // height).astype(int)
    x = (_COLUMNS + (row % 2) * width * rng.choice([0.5, 0.33])) % TILE
    number = row * across + (x // width).astype(int)
    shade = rng.normal(0, rng.uniform(0.1, 0.35), rows * across).astype(np.float32)[number]
    dark, light = _colour(rng, (136, 52, 38), 22), _colour(rng, (196, 98, 72), 22)
    amount = 0.5 + shade + 0.12 * noise(rng, 20) + 0.06 * _grain(rng)
    image = _mix(dark, light, amount)
    joint = rng.uniform(1.6, 3.4)
    mortar = (_ROWS % height < joint) | (x % width < joint)
    image[mortar] = _colour(rng, (188, 180, 170), 26) + 5 * _grain(rng)[mortar][:, None]
    return image


def _wood(rng: _Rng) -> np.ndarray:
    planks = int(rng.integers(4, 11))
    width = TILE / planks
    plank = np.minimum(_COLUMNS // width, planks - 1).astype(int)
    knots = noise(rng, rng.uniform(2, 4), stretch=(4, 1))
    shift = rng.uniform(0, 6.28, planks).astype(np.float32)[plank]
    rings = _wave(0, int(rng.integers(14, 40)), knots * rng.uniform(1.5, 4) + shift)
    fibre = noise(rng, 60, stretch=(16, 1), roughness=1)
    tone = rng.normal(0, rng.uniform(0.06, 0.22), planks).astype(np.float32)[plank]
    dark, light = _colour(rng, (104, 66, 36), 20), _colour(rng, (178, 122, 70), 22)
    image = _mix(dark, light, 0.5 + tone + rng.uniform(0.1, 0.22) * rings + 0.12 * fibre)
    image[_COLUMNS % width < rng.uniform(1.4, 2.6)] = _colour(rng, (58, 37, 22), 10)
    return np.swapaxes(image, 0, 1) if rng.random() < 0.3 else image


def _snow(rng: _Rng) -> np.ndarray:
    shade, bright = _colour(rng, (198, 213, 233), 12), _colour(rng, (250, 252, 255), 4)
    drifts = noise(rng, rng.uniform(2, 6), stretch=(1, rng.uniform(1, 2.5)))
    image = _mix(shade, bright, 0.66 + rng.uniform(0.15, 0.35) * drifts + 0.05 * _grain(rng))
    image[rng.random((TILE, TILE)) < rng.uniform(0, 0.012)] = 255
    return image


def _road(rng: _Rng) -> np.ndarray:
    dark, light = _colour(rng, (60, 60, 65), 14), _colour(rng, (112, 112, 116), 16)
    wear = noise(rng, rng.uniform(2, 8), stretch=(1, rng.uniform(1, 4)))
    amount = 0.5 + rng.uniform(0.05, 0.16) * wear + rng.uniform(0.1, 0.22) * _grain(rng)
    image = _mix(dark, light, amount)
    if rng.random() < 0.75:  # Lane markings, broken or whole.
        lanes, dashes = int(rng.integers(1, 4)), int(rng.integers(2, 6))
        y = (_ROWS + rng.uniform(0, TILE)) % (TILE / lanes)
        dash = (_COLUMNS + rng.uniform(0, TILE)) % (TILE / dashes)
        painted = y < rng.uniform(3.5, 7)
        if rng.random() < 0.8:
            painted &= dash < TILE / dashes * rng.uniform(0.45, 0.7)
        paint = ((228, 226, 216), (224, 186, 62))[int(rng.random() < 0.25)]
        image[painted] = _colour(rng, paint, 12) + 8 * _grain(rng)[painted][:, None]
    return image


def _tile(rng: _Rng) -> np.ndarray:
    count = 2 * int(rng.integers(4, 9))
    side = TILE / count
    row, column = (_ROWS // side).astype(int), (_COLUMNS // side).astype(int)
    plain = _colour(rng, (226, 226, 221), 16)
    accents = ((112, 150, 172), (110, 160, 140), (196, 168, 140), (120, 122, 128), (176, 120, 128))
    accent = _colour(rng, accents[rng.integers(len(accents))], 24)
    chequered = ((row + column) % 2).astype(np.float32)
    if rng.random() < 0.25:  # Single tiles of the other colour instead of a chequerboard.
        chequered = (rng.random((count, count)) < 0.25).astype(np.float32)[row, column]
    tone = rng.normal(0, 0.05, (count, count)).astype(np.float32)[row, column]
    image = _mix(plain, accent, chequered + tone + 0.06 * noise(rng, 6))
    joint = rng.uniform(1.2, 2.4)
    image[(_ROWS % side < joint) | (_COLUMNS % side < joint)] = _colour(rng, (152, 152, 152), 24)
    return image


def _dirt(rng: _Rng) -> np.ndarray:
    dark, light = _colour(rng, (70, 46, 30), 14), _colour(rng, (142, 100, 65), 18)
    lumps = noise(rng, rng.uniform(5, 14), roughness=rng.uniform(0.7, 1.1))
    image = _mix(dark, light, 0.5 + 0.24 * lumps + rng.uniform(0.04, 0.12) * _grain(rng))
    stones = noise(rng, rng.uniform(16, 30), roughness=2.5)
    height = stones - rng.uniform(1.8, 2.6)
    image[height > 0] = _colour(rng, (134, 124, 112), 18)
    image[(height > -0.15) & (height <= 0)] *= np.float32(0.75)
    return image


_PAINTERS: dict[str, Callable[[_Rng], np.ndarray]] = {
    "sky": _sky,
    "grass": _grass,
    "water": _water,
    "sand": _sand,
    "brick": _brick,
    "wood": _wood,
    "snow": _snow,
    "road": _road,
    "tile": _tile,
    "dirt": _dirt,
}
