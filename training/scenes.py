"""Demo scenes as the trainings take them: square, small, with the names beside the id map."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from panoptic.demo.artwork import TRAINING_VENDORS, UNSEEN_VENDOR, load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World

# Height and width in units of the model's input: scenes that are larger, wide or tall get squeezed
# to it, as the image processors do with every picture that isn't a square of that size.
SHAPES = ((1.0, 1.0), (1.0, 1.0), (1.2, 1.2), (1.0, 1.4), (1.4, 1.0))
HELD_OUT_SIZE = (192, 192)
LEAST_LEFT = 0.25  # of a thing, for it to be one still when a scene is cropped

# Worlds differ in their textures and more; a world's own seed is kept apart from its scenes'.
TRAINING_WORLDS = 8

_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class LabelledScene:
    """``image`` uint8 (S, S, 3), ``ids`` int32 (S, S) with 0 for void, and the names of the ids.

    ``things`` and ``stuff`` map segment ids to names.
    """

    image: np.ndarray
    ids: np.ndarray
    things: Mapping[int, str]
    stuff: Mapping[int, str]

    def mirrored(self) -> LabelledScene:
        return replace(self, image=self.image[:, ::-1], ids=self.ids[:, ::-1])

    def cropped(self, rng: np.random.Generator, least: float = 0.6) -> LabelledScene:
        """A part of the scene at the same size, each side at least ``least`` of the whole.

        Things of which hardly anything is left are things no more; their pixels stay.
        """
        side = len(self.ids)
        height, width = (rng.uniform(least, 1, 2) * side).round().astype(int)
        top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
        rows = top + ((np.arange(side) + 0.5) * height / side).astype(int)
        columns = left + ((np.arange(side) + 0.5) * width / side).astype(int)
        window = (left, top, left + width, top + height)
        image = Image.fromarray(np.ascontiguousarray(self.image))
        image = image.resize((side, side), Image.Resampling.BILINEAR, box=window)
        ids = self.ids[rows[:, None], columns[None]]
        seen = np.bincount(ids.ravel(), minlength=max(self.things, default=0) + 1)
        before = np.bincount(self.ids.ravel(), minlength=len(seen))
        enlarged = side * side / (height * width)
        kept = {
            i: name
            for i, name in self.things.items()
            if seen[i] >= LEAST_LEFT * enlarged * before[i]
        }
        return replace(self, image=np.asarray(image), ids=ids, things=kept)


def things_of(scene: LabelledScene) -> tuple[list[str], np.ndarray, list[int]]:
    """Names, boxes (G, 4) as centre and size in fractions of the image, and segment ids of the
    visible things of a scene."""
    height, width = scene.ids.shape
    names, boxes, segment_ids = [], [], []
    for segment_id, name in scene.things.items():
        mask = scene.ids == segment_id
        ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(ys) == 0:
            continue
        top, bottom, left, right = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
        boxes.append(
            [
                (left + right) / 2 / width,
                (top + bottom) / 2 / height,
                (right - left) / width,
                (bottom - top) / height,
            ]
        )
        names.append(name)
        segment_ids.append(segment_id)
    return names, np.array(boxes, np.float32).reshape(-1, 4), segment_ids


def normalise(images: np.ndarray) -> Tensor:
    """(B, H, W, 3) in [0, 255] to float32 (B, 3, H, W), normalised as the image processors do."""
    pixels = torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)
    return (pixels / 255 - _MEAN) / _STD


@dataclass(frozen=True)
class SceneSource:
    """Scenes out of some worlds; which world and which size follow from the scene's seed."""

    worlds: tuple[World, ...]
    side: int  # of the square images that come out
    sizes: tuple[tuple[int, int], ...]  # that scenes are drawn at
    augment: float = 0.0  # share of things in a changed style
    crowded: float = 0.0  # share of scenes with many things: more to learn from at the same cost

    @classmethod
    def training(cls, seed: int, side: int, augment: float, crowded: float = 0.0) -> SceneSource:
        artwork = load_artwork(TRAINING_VENDORS)
        first = seed * TRAINING_WORLDS
        worlds = tuple(World(artwork, seed=first + i) for i in range(TRAINING_WORLDS))
        sizes = tuple((round(side * h), round(side * w)) for h, w in SHAPES)
        return cls(worlds, side, sizes, augment, crowded)

    @classmethod
    def held_out(cls, side: int, vendors: tuple[str, ...]) -> SceneSource:
        return cls((World(load_artwork(vendors), seed=HELD_OUT_WORLD),), side, (HELD_OUT_SIZE,))

    def draw(self, seed: int) -> LabelledScene:
        rng = np.random.default_rng(seed)
        world = self.worlds[rng.integers(len(self.worlds))]
        size = self.sizes[rng.integers(len(self.sizes))]
        things = (6, 15) if rng.random() < self.crowded else (1, 6)
        scene = world.scene(
            int(rng.integers(2**31)), size=size, augment=self.augment, things=things
        )
        image, ids = scene.image, scene.truth.ids
        side = self.side
        if size != (side, side):
            image = np.asarray(
                Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
            )
            rows = (np.arange(side) + 0.5) * size[0] // side
            columns = (np.arange(side) + 0.5) * size[1] // side
            ids = ids[rows.astype(int)[:, None], columns.astype(int)[None]]
        names = {s.id: (s.category, s.is_thing) for s in scene.truth.segments}
        return LabelledScene(
            image,
            ids,
            {i: name for i, (name, is_thing) in names.items() if is_thing},
            {i: name for i, (name, is_thing) in names.items() if not is_thing},
        )


@functools.lru_cache(maxsize=4)
def held_out(
    count: int, side: int = HELD_OUT_SIZE[0], seen: tuple[str, ...] = TRAINING_VENDORS
) -> Mapping[str, list[LabelledScene]]:
    """Scenes for evaluation, "seen" artwork and the "unseen" vendor, of a world with other
    textures than any that is trained on."""
    vendors = {"seen": seen, "unseen": (UNSEEN_VENDOR,)}
    return MappingProxyType(
        {
            name: [source.draw(i) for i in range(count)]
            for name, names in vendors.items()
            for source in [SceneSource.held_out(side, names)]
        }
    )
