"""Fetch the artwork that only training needs: ``python -m training.artwork``.

The sets come as npm packages ``@iconify-json/*`` (SVG bodies by name), are rasterised and kept as
one file a vendor in the cache folder that ``panoptic.demo.artwork.load_artwork`` reads.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from panoptic.demo.artwork import (
    CODE_POINTS,
    FETCHED_VENDORS,
    cache_folder,
    crop_to_content,
    rasterise,
)

VERSIONS = {"noto": "1.2.9", "emojione": "1.2.3", "fxemoji": "1.2.2"}

# The names of our code points in the sets. Noto and Emoji One share theirs; None means that the
# set lacks the picture or that it doesn't show the noun alone (a boat on a painted sea).
NAMES: dict[str, str] = {
    "1f431": "cat-face", "1f408": "cat", "1f436": "dog-face", "1f415": "dog", "1f40e": "horse",
    "1f434": "horse-face", "1f404": "cow", "1f42e": "cow-face", "1f437": "pig-face",
    "1f416": "pig", "1f418": "elephant", "1f43c": "panda", "1f430": "rabbit-face",
    "1f407": "rabbit", "1f438": "frog", "1f435": "monkey-face", "1f412": "monkey",
    "1f414": "chicken", "1f427": "penguin", "1f41f": "fish", "1f420": "tropical-fish",
    "1f419": "octopus", "1f98b": "butterfly", "1f422": "turtle", "1f41e": "lady-beetle",
    "1f40c": "snail", "1f697": "automobile", "1f68c": "bus", "2708": "airplane",
    "1f680": "rocket", "1f6b2": "bicycle", "26f5": "sailboat", "1f681": "helicopter",
    "1f34e": "red-apple", "1f34f": "green-apple", "1f34c": "banana", "1f355": "pizza",
    "1f354": "hamburger", "1f32d": "hot-dog", "1f366": "soft-ice-cream", "1f347": "grapes",
    "1f34d": "pineapple", "1f349": "watermelon", "1f344": "mushroom", "2602": "umbrella",
    "2614": "umbrella-with-rain-drops", "23f0": "alarm-clock", "1f3b8": "guitar",
    "1f4d5": "closed-book", "1f4d7": "green-book", "1f4d8": "blue-book", "1f4d9": "orange-book",
    "26bd": "soccer-ball", "1f333": "deciduous-tree", "1f335": "cactus", "1f3e0": "house",
    "1f511": "key", "1f4f7": "camera", "26c4": "snowman-without-snow", "2603": "snowman",
}  # fmt: skip
FIREFOX_NAMES: dict[str, str | None] = {
    "1f431": "cat", "1f408": "catside", "1f436": "dog", "1f415": "dogside", "1f43c": "pandaface",
    "1f430": "bunny", "1f407": "bunnyside", "1f437": "pig", "1f416": "pigside",
    "1f355": "sliceofpizza", "1f3e0": "housebuilding", "26f5": None, "1f98b": None, "1f32d": None,
    "2603": None,
}  # fmt: skip
NAMED_PIXELS = 128
OTHER_PIXELS = 96  # Thousands of them; never drawn large.
_SKIN_TONES = ("-light-", "-medium-", "-dark-", "-tone")


def fetch(vendor: str, folder: Path) -> Path:
    """Fetch and rasterise one vendor's set unless the cache has it; the path of the cached file.

    Raises:
        RuntimeError: npm isn't there or can't get the package.
    """
    target = folder / f"{vendor}.npz"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        icons = _npm_pack(f"@iconify-json/{vendor}@{VERSIONS[vendor]}", Path(scratch))
        pictures = _rasterise_set(icons, vendor)
        part = Path(scratch) / "set.npz"
        _write(part, pictures)
        part.replace(target)
    return target


def _npm_pack(package: str, folder: Path) -> dict[str, Any]:
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError("fetching the training artwork needs npm: install Node.js") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from error
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/icons.json")
        assert member is not None
        return json.load(member)


def _rasterise_set(icons: dict[str, Any], vendor: str) -> dict[str, np.ndarray]:
    pictures: dict[str, np.ndarray] = {}
    used = set()
    for code in (c for code_points in CODE_POINTS.values() for c in code_points):
        name: str | None = NAMES[code]
        if vendor == "fxemoji":
            name = FIREFOX_NAMES.get(code, NAMES[code].replace("-", ""))
        if name is not None and (svg := _svg(icons, name)) is not None:
            pictures[code] = crop_to_content(rasterise(svg, NAMED_PIXELS))
            used.add(name)
    for name in sorted(icons["icons"]):
        if name in used or "flag" in name or any(tone in f"{name}-" for tone in _SKIN_TONES):
            continue
        svg = _svg(icons, name)
        assert svg is not None
        picture = crop_to_content(rasterise(svg, OTHER_PIXELS))
        if min(picture.shape[:2]) >= 8:
            pictures[f"name:{name}"] = picture
    return pictures


def _svg(icons: dict[str, Any], name: str) -> str | None:
    icon = icons["icons"].get(name)
    if icon is None:
        alias = icons.get("aliases", {}).get(name)
        icon = alias and icons["icons"].get(alias["parent"])
    if icon is None:
        return None
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{view}">{icon["body"]}</svg>'
    )


def _write(file: Path, pictures: dict[str, np.ndarray]) -> None:
    """One npz: all pictures as PNG, end to end, with the offset of each."""
    blobs = []
    for picture in pictures.values():
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    starts = np.cumsum([0, *map(len, blobs)], dtype=np.int64)
    png = np.frombuffer(b"".join(blobs), np.uint8)
    np.savez(file, keys=np.array(list(pictures)), starts=starts, png=png)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the artwork that only training needs.")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="(default: %(default)s)")
    folder = parser.parse_args().cache
    for vendor in FETCHED_VENDORS:
        print(fetch(vendor, folder))


if __name__ == "__main__":
    main()
