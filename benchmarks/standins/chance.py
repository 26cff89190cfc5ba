"""Chance for one frame: what is drawn anew in each, and what stays as it was for a while."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.standins.truth import TrueFrame, rng_of


class Chance:
    """Draws for a frame, which don't depend on what was drawn before.

    A draw holds for ``held`` frames of its clip on average: 1 draws in each anew, infinity once
    for the clip. ``ValueError`` below 1.
    """

    def __init__(self, seed: int, frame: TrueFrame, held: float = 1.0) -> None:
        if not held >= 1:
            raise ValueError(f"a draw holds for 1 frame or more, got {held}")
        self.seed = seed
        self.frame = frame
        self.held = held

    def rng(self, what: str, *about: int | str) -> np.random.Generator:
        """The generator of this frame, for ``what`` is drawn about a segment or word."""
        clip, index = self.frame.clip, self.frame.index
        return rng_of(self.seed, clip, self._since(index, what, *about), what, *about)

    def draw(self, what: str, *about: int | str) -> float:
        """A number in [0, 1)."""
        return float(self.rng(what, *about).random())

    def now(self, what: str, *about: int | str) -> np.random.Generator:
        """As :meth:`rng`, but anew in each frame whatever holds."""
        return rng_of(self.seed, self.frame.clip, self.frame.index, what, *about)

    def ever(self, what: str, *about: int | str) -> float:
        """A number in [0, 1) that is the same in all frames of the clip."""
        return float(rng_of(self.seed, self.frame.clip, what, *about).random())

    def _since(self, index: int, what: str, *about: int | str) -> int:
        """The frame in which what holds now was drawn."""
        if math.isinf(self.held):
            return 0
        while index > 0 and self.held > 1:
            anew = rng_of(self.seed, self.frame.clip, index, "anew", what, *about)
            if anew.random() < 1 / self.held:
                break
            index -= 1
        return index
