"""Random still scenes of the demo world with exact panoptic ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from panoptic.demo.artwork import THING_NAMES, Artwork
from panoptic.demo.canvas import Canvas
from panoptic.demo.casting import OBJECT, SIZES, Casting, Manner
from panoptic.demo.elements import Actor, Ground, View
from panoptic.demo.landscape import random_ground
from panoptic.demo.textures import STUFF_NAMES, TextureBank
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts.vocabulary import Vocabulary

# A thing of which less than this share shows, or less than these pixels (at 192 px), is void: no
# one could name it for certain.
_LEAST_SHARE = 0.35
_LEAST_PIXELS = 30
_NOISE_POOL = 1 << 20

HELD_OUT_WORLD = 1_000_003
"""The seed of a world whose textures no demo model was trained on, nor tuned with."""


def demo_vocabulary() -> Vocabulary:
    """All words of the demo world: things, then stuff."""
    return Vocabulary(things=THING_NAMES, stuff=STUFF_NAMES)


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 RGB (H, W, 3), and its exact truth. ``hidden`` gives for each thing in it
    (by segment id) the share of its pixels within the picture that others cover."""

    image: np.ndarray
    truth: PanopticSegmentation
    hidden: Mapping[int, float]


class World:
    """A source of scenes: artwork, a bank of textures and everything that is random about them.

    Args:
        artwork: the pictures of the things.
        seed: of the textures; other seeds are other texture worlds (held-out evaluation).
        textures: how many textures each stuff has; drawn when first needed (10 ms each).
    """

    def __init__(self, artwork: Artwork, seed: int = 0, textures: int = 24) -> None:
        self.seed = seed
        self.bank = TextureBank(seed, textures)
        self.casting = Casting(artwork, self.bank)
        self._categories = {c.name: c for c in demo_vocabulary()}
        noise = np.random.default_rng((seed, 1)).standard_normal(_NOISE_POOL, dtype=np.float32)
        self._noise = noise

    def scene(
        self,
        seed: int | np.random.Generator,
        size: tuple[int, int] = (192, 192),
        *,
        augment: float = 0.0,
        anything: bool = False,
        things: tuple[int, int] = (1, 6),
        sizes: tuple[float, float] = SIZES,
    ) -> Scene:
        """Make a scene; the same seed gives the same bytes.

        Args:
            size: height and width in pixels.
            augment: the share of things that are drawn in a changed style (hues, outlines, flat
                colours); for training.
            anything: also use unnamed pictures and random shapes and call every thing "object";
                for models that know no names.
            things: the least and the greatest number of things.
            sizes: the least and the greatest longer side of a thing, of a short side of 1.

        Raises:
            ValueError: ``size`` is below 16 pixels, or ``things`` isn't an increasing range.
        """
        if not 0 <= things[0] <= things[1]:
            raise ValueError(f"things must be (least, greatest) from 0 on, not {things}")
        rng = np.random.default_rng(seed)
        view, manner = View(*size), Manner(augment, anything)
        names: dict[int, str] = {}

        def new_key(name: str) -> int:
            names[len(names) + 1] = name
            return len(names)

        grounds = random_ground(rng, self.bank, view, new_key, recolour=anything)
        shadow = self.casting.shadow(rng)
        actors = []
        for _ in range(int(rng.integers(things[0], things[1] + 1))):
            name, actor = self.casting.actor(rng, len(names) + 1, view, manner, shadow, sizes)
            actors.append(actor)
            new_key(name)
        canvas = Canvas(view)
        canvas.paint(*_stack(rng, grounds, actors))
        image = canvas.finish(self.casting.light(rng), self.noise(rng, size))
        truth, hidden = self._truth(canvas, names)
        return Scene(image, truth, hidden)

    def noise(self, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """Unit noise (H, W, 3) out of a pool: a hundred times faster than fresh numbers."""
        count = size[0] * size[1] * 3
        start = int(rng.integers(_NOISE_POOL))
        if start + count <= _NOISE_POOL:
            return self._noise[start : start + count].reshape(*size, 3)
        return np.take(self._noise, np.arange(start, start + count), mode="wrap").reshape(*size, 3)

    def _truth(
        self, canvas: Canvas, names: Mapping[int, str]
    ) -> tuple[PanopticSegmentation, dict[int, float]]:
        """Number the visible segments from 1; void what shows too little."""
        least = _LEAST_PIXELS * min(canvas.keys.shape) ** 2 / 192**2
        areas = np.bincount(canvas.keys.ravel(), minlength=max(names) + 1)
        kept = [
            key for key in names if areas[key] >= max(least, _LEAST_SHARE * canvas.full.get(key, 0))
        ]
        number = np.zeros(max(names) + 1, np.int32)
        number[kept] = np.arange(1, len(kept) + 1)
        ids = number[canvas.keys]
        hidden = {int(number[k]): 1 - areas[k] / canvas.full[k] for k in kept if k in canvas.full}
        truth = self.describe(ids, {int(number[k]): names[k] for k in kept})
        return truth, hidden

    def describe(self, ids: np.ndarray, names: Mapping[int, str]) -> PanopticSegmentation:
        """The result type for an id map and the names of its ids; ids without pixels are left out.

        "object" isn't in the vocabulary; its category id is the one after it.
        """
        segments = [Segment(i, *self._category(name), 1.0) for i, name in names.items()]
        return PanopticSegmentation.from_ids(ids, segments)

    def _category(self, name: str) -> tuple[int, str, bool]:
        if name == OBJECT:
            return len(self._categories) + 1, OBJECT, True
        category = self._categories[name]
        return category.id, name, category.is_thing


def _stack(
    rng: np.random.Generator, grounds: list[Ground], actors: list[Actor]
) -> list[Ground | Actor]:
    """Things before all stuff, but now and then one stands behind the last region (a hill)."""
    behind = []
    if len(grounds) > 1 and grounds[-1].within is None and actors and rng.random() < 0.2:
        behind = [actors[0]]
    return [*grounds[:-1], *behind, grounds[-1], *actors[len(behind) :]]
