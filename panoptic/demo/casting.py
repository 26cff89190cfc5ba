"""Which things play in a scene, how they look and how the scene is lit."""

from __future__ import annotations

import numpy as np

from panoptic.demo.artwork import Artwork
from panoptic.demo.canvas import Actor, Light, Shadow, View
from panoptic.demo.sprites import Colouring, Picture, hue_colouring
from panoptic.demo.styles import random_picture, restyle
from panoptic.demo.textures import STUFF_NAMES, TextureBank

_SIZES = (0.15, 0.48)  # The longer side of a thing in units, spread evenly by ratio.
_SHADOWED = 0.5


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

    def look(self, rng: np.random.Generator, augment: float, free: bool) -> Colouring:
        """How the colours of a thing are changed: a little, or a lot where augmenting."""
        if free or rng.random() < augment:
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
        shadow: Shadow | None,
        augment: float = 0.0,
        anything: bool = False,
    ) -> tuple[str, Actor]:
        """A thing somewhere in the view, mostly inside it, and its noun."""
        noun = self.nouns[rng.integers(len(self.nouns))]
        picture = self.anything(rng) if anything else self.picture(rng, noun)
        size = float(np.exp(rng.uniform(*np.log(_SIZES))))
        if augment and rng.random() < augment:
            picture = restyle(picture, rng, int(np.clip(size * view.pixels, 40, 96)))
        half_w, half_h = (s / view.pixels / 2 for s in (view.width, view.height))
        reach = size * 0.33
        actor = Actor(
            key,
            picture,
            x=view.x + rng.uniform(-half_w + reach * 0.6, half_w - reach * 0.6),
            y=view.y + rng.uniform(-half_h + reach * 0.6, half_h - reach * 0.6),
            size=size,
            angle=rng.normal(0, 13) if not anything else rng.uniform(-180, 180),
            flip=bool(rng.random() < 0.5),
            aspect=rng.uniform(0.85, 1.18),
            colouring=self.look(rng, augment, anything and rng.random() < 0.5),
            shadow=shadow,
        )
        return noun, actor

    def sun(self, rng: np.random.Generator) -> Shadow | None:
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
        exposure, warmth = rng.uniform(0.85, 1.12), rng.normal(0, 0.035)
        sloped = rng.random() < 0.5
        return Light(
            gain=(exposure * (1 + warmth), exposure, exposure * (1 - warmth)),
            offset=rng.uniform(-12, 12),
            slope=tuple(rng.uniform(-0.15, 0.15, 2)) if sloped else (0.0, 0.0),
            blur=rng.uniform(0.3, 0.9) if rng.random() < 0.12 else 0.0,
            noise=rng.uniform(0, 5),
        )
