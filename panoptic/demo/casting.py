"""Which things play in a scene, how they look and how the scene is lit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panoptic.demo.artwork import Artwork
from panoptic.demo.elements import Actor, Light, Shadow, View
from panoptic.demo.sprites import Colouring, Picture, hue_colouring
from panoptic.demo.styles import random_picture, restyle
from panoptic.demo.textures import STUFF_NAMES, TextureBank

OBJECT = "object"  # What things are called where names don't matter.
SIZES = (0.15, 0.48)  # The longer side of a thing in units, spread evenly by ratio.
_SHADOWED = 0.5


@dataclass(frozen=True)
class Manner:
    """How things are drawn. ``augment``: the share of them in a changed style; ``anything``: take
    unnamed pictures and random shapes too, in any colour and turned any way."""

    augment: float = 0.0
    anything: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.augment <= 1:
            raise ValueError(f"augment is a share of things from 0 to 1, not {self.augment}")


class Casting:
    """Draws things at random: first the noun, then the vendor, then the picture, each evenly."""

    def __init__(self, artwork: Artwork, bank: TextureBank) -> None:
        self.nouns = artwork.nouns
        self._bank = bank
        self._pictures = {
            noun: [[Picture(p) for p in pictures] for pictures in vendors.values()]
            for noun, vendors in artwork.by_noun.items()
        }
        self._unnamed = [Picture(p) for p in artwork.all_pictures if min(p.shape[:2]) >= 8]

    def picture(self, rng: np.random.Generator, noun: str) -> Picture:
        """One of the noun's pictures."""
        vendors = self._pictures[noun]
        pictures = vendors[rng.integers(len(vendors))]
        return pictures[rng.integers(len(pictures))]

    def anything(self, rng: np.random.Generator) -> Picture:
        """Any picture at all: a noun's, an unnamed one, or a random shape."""
        if rng.random() < 0.25:
            name = STUFF_NAMES[rng.integers(len(STUFF_NAMES))]
            texture = self._bank.get(name, int(rng.integers(self._bank.per_stuff)))
            return random_picture(rng, texture)
        if self._unnamed:
            return self._unnamed[rng.integers(len(self._unnamed))]
        return self.picture(rng, self.nouns[rng.integers(len(self.nouns))])

    def look(self, rng: np.random.Generator, manner: Manner) -> Colouring:
        """How the colours of a thing are changed: a little, or a lot where augmenting."""
        free = manner.anything and rng.random() < 0.5
        if free or rng.random() < manner.augment:
            return hue_colouring(
                hue=rng.uniform(-180, 180) if free or rng.random() < 0.4 else rng.normal(0, 20),
                saturation=rng.uniform(0, 1.5),
                contrast=rng.uniform(0.6, 1.3),
                brightness=rng.uniform(-35, 35),
                tint=tuple(rng.uniform(-16, 16, 3)),
            )
        return hue_colouring(
            hue=rng.normal(0, 4),
            saturation=rng.uniform(0.85, 1.1),
            contrast=rng.uniform(0.8, 1.1),
            brightness=rng.uniform(-22, 16),
            tint=tuple(rng.uniform(-9, 9, 3)),
        )

    def actor(
        self,
        rng: np.random.Generator,
        key: int,
        view: View,
        manner: Manner,
        shadow: Shadow | None = None,
        sizes: tuple[float, float] = SIZES,
    ) -> tuple[str, Actor]:
        """A thing somewhere in the view, mostly inside it, and its noun."""
        noun = self.nouns[rng.integers(len(self.nouns))]
        picture = self.anything(rng) if manner.anything else self.picture(rng, noun)
        size = float(np.exp(rng.uniform(*np.log(sizes))))
        if rng.random() < manner.augment:
            picture = restyle(picture, rng, int(np.clip(size * view.pixels, 40, 96)))
        half_w, half_h = view.half
        reach = size * 0.2
        actor = Actor(
            key,
            picture,
            x=view.x + rng.uniform(-half_w + reach, half_w - reach),
            y=view.y + rng.uniform(-half_h + reach, half_h - reach),
            size=size,
            angle=rng.uniform(-180, 180) if manner.anything else rng.normal(0, 13),
            flip=bool(rng.random() < 0.5),
            aspect=rng.uniform(0.85, 1.18),
            colouring=self.look(rng, manner),
            shadow=shadow,
        )
        return OBJECT if manner.anything else noun, actor

    def shadow(self, rng: np.random.Generator) -> Shadow | None:
        """The shadow that all things of a scene cast, or none."""
        if rng.random() > _SHADOWED:
            return None
        return Shadow(
            dx=rng.uniform(-0.12, 0.12),
            dy=rng.uniform(0.02, 0.12),
            blur=rng.uniform(0.02, 0.08),
            strength=rng.uniform(0.2, 0.5),
        )

    def light(self, rng: np.random.Generator) -> Light:
        """Exposure, warmth, a slope of brightness, at times a soft focus, noise."""
        sloped = rng.random() < 0.5
        return Light(
            exposure=rng.uniform(0.85, 1.12),
            warmth=rng.normal(0, 0.035),
            slope_x=rng.uniform(-0.15, 0.15) if sloped else 0.0,
            slope_y=rng.uniform(-0.15, 0.15) if sloped else 0.0,
            offset=rng.uniform(-12, 12),
            blur=rng.uniform(0.3, 0.9) if rng.random() < 0.12 else 0.0,
            noise=rng.uniform(0, 5),
        )
