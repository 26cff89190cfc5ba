"""Photographs of which every pixel is annotated: street scenes of ADE20K, COCO's panoptic sample.

They are read where they lie (``FOLDER/ade20k``, ``FOLDER/coco_panoptic``), never copied. What their
classes are is written down here: the names below are those of ADE20K's 150 classes and of COCO's
that occur in streets and fields, thing or stuff as these data sets have them (ADE20K's 100 things
and 50 stuffs: https://github.com/CSAILVision/sceneparsing). Classes that aren't listed are void, as
the other three thousand of ADE20K are in its own challenge; so are parts, which are other channels
of its files, and COCO's crowds, in which nobody drew the single things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

MEDIA = Path(__file__).parents[3] / "shared" / "media"

THINGS = (
    "person", "car", "van", "truck", "bus", "minibike", "bicycle", "horse", "dog", "cow", "sheep",
    "traffic light", "streetlight", "signboard", "ashcan", "awning", "bench", "fence", "pole",
    "flag", "fountain", "boat", "bag", "door", "chair", "sports ball", "kite",
)  # fmt: skip
STUFF = (
    "building", "sky", "tree", "road", "sidewalk", "grass", "earth", "plant", "mountain", "water",
    "wall", "path", "sand", "gravel", "field", "hill", "bridge", "house", "river", "tower",
)  # fmt: skip
_COCO_SUFFIX = re.compile(r"(-other)?(-merged|-stuff)?$")


class MediaMissing(Exception):
    """The photographs aren't there; the message says which, and where they were looked for."""


@dataclass(frozen=True, eq=False)
class RealScene:
    """A photograph, RGB uint8 (H, W, 3), and what every pixel of it is."""

    name: str
    image: np.ndarray
    truth: PanopticSegmentation

    @property
    def size(self) -> tuple[int, int]:
        return self.truth.height, self.truth.width


def real_vocabulary() -> Vocabulary:
    """All words of the photographs."""
    return Vocabulary(things=THINGS, stuff=STUFF)


@cache
def real_scenes(media: Path = MEDIA) -> tuple[RealScene, ...]:
    """Every photograph of the folder, street scenes first. ``MediaMissing`` where there is none."""
    return (*street_scenes(media), *coco_scenes(media))


@cache
def street_scenes(media: Path = MEDIA) -> tuple[RealScene, ...]:
    """The photographs in ADE20K's full layout. ``MediaMissing`` where there is none."""
    found = sorted((media / "ade20k").glob("*_seg.png"))
    if not found:
        raise MediaMissing(f"no street scenes of ADE20K (*_seg.png) in {media / 'ade20k'}")
    return tuple(map(_read_ade20k, found))


@cache
def coco_scenes(media: Path = MEDIA) -> tuple[RealScene, ...]:
    """COCO's panoptic sample. ``MediaMissing`` where it isn't there."""
    path = media / "coco_panoptic" / "panoptic_examples.json"
    if not path.is_file():
        raise MediaMissing(f"COCO's panoptic sample isn't there: {path}")
    return tuple(_read_coco(path))


def _read_ade20k(path: Path) -> RealScene:
    """Red and green hold the class, red // 10 * 256 + green, blue the instance within the picture
    (https://groups.csail.mit.edu/vision/datasets/ADE20K/, "_seg.png"); the JSON names them."""
    stem = path.name.removesuffix("_seg.png")
    with Image.open(path) as opened:
        red, green, blue = np.moveaxis(np.asarray(opened.convert("RGB")).astype(np.int32), 2, 0)
    objects = json.loads(path.with_name(f"{stem}.json").read_text(encoding="utf-8"))
    names = {
        each["name_ndx"]: each["name"].split(",")[0].strip()
        for each in objects["annotation"]["object"]
    }
    keys = (red // 10 * 256 + green) << 8 | blue
    words = {key: names.get(key >> 8, "") for key in np.flatnonzero(np.bincount(keys.ravel()))}
    picture = _picture(path.with_name(f"{stem}.jpg"))
    return RealScene(stem, picture, _as_truth(keys, words))


def _read_coco(path: Path) -> Iterator[RealScene]:
    opened = CocoPanoptic.open(path)
    for image_id, found in opened:
        name = str(opened.images[image_id]["file_name"])
        words = {
            segment.id: _COCO_SUFFIX.sub("", segment.category)
            for segment in found
            if not segment.is_crowd
        }
        picture = _picture(path.parent / "input_images" / name)
        yield RealScene(Path(name).stem, picture, _as_truth(found.ids, words))


def _picture(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def _as_truth(keys: np.ndarray, names: Mapping[int, str]) -> PanopticSegmentation:
    """A segment a thing and one a kind of stuff, numbered from 1; the rest is void.

    ``keys`` (H, W) says what belongs together, ``names`` what that is.
    """
    words = real_vocabulary()
    found, where = np.unique(keys, return_inverse=True)
    numbers = np.zeros(len(found), np.int32)
    segments: list[Segment] = []
    of_stuff: dict[str, int] = {}
    for place, key in enumerate(found.tolist()):
        name = names.get(key, "")
        if name not in words:
            continue
        category = words.by_name(name)
        numbers[place] = of_stuff.get(name, len(segments) + 1)
        if numbers[place] > len(segments):
            number = len(segments) + 1
            segments.append(Segment(number, category.id, name, category.is_thing, 1.0))
        if not category.is_thing:
            of_stuff[name] = int(numbers[place])
    return PanopticSegmentation.from_ids(numbers[where].reshape(keys.shape), segments)
