"""What is true of the pictures that stand-in models are asked about."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """A picture, RGB uint8 (H, W, 3), with its exact truth (H, W), in which 0 is void.

    In a ``clip`` ids mean the same in every frame, and ``index`` is the frame's number; a still
    picture is a clip of its own, of one frame. ``hidden`` gives for things, by segment id, the
    share of their pixels that others cover; what isn't in it is taken to be in full view.
    """

    image: np.ndarray
    truth: PanopticSegmentation
    clip: str
    index: int = 0
    hidden: Mapping[int, float] = field(default_factory=dict)


class Truths:
    """Finds the truth of a picture by its pixels, as a stand-in is given nothing else."""

    def __init__(self, frames: Iterable[TrueFrame] = ()) -> None:
        self._by_pixels: dict[tuple[int, ...], TrueFrame] = {}
        for frame in frames:
            self.add(frame)

    def add(self, frame: TrueFrame) -> None:
        """``ValueError`` for the pixels of another frame with another truth."""
        known = self._by_pixels.setdefault(_key(frame.image), frame)
        if known is not frame and not np.array_equal(known.truth.ids, frame.truth.ids):
            raise ValueError(
                f"frame {frame.index} of {frame.clip} shows the same as frame {known.index} of "
                f"{known.clip}, and has another truth: the two can't be told apart"
            )

    def of(self, image: np.ndarray) -> TrueFrame:
        """``ValueError`` for a picture whose truth isn't known."""
        frame = self._by_pixels.get(_key(np.asarray(image)))
        if frame is None:
            raise ValueError(
                f"a picture {np.shape(image)} came whose truth isn't known: stand-ins answer for "
                "the frames that they were made with, unchanged"
            )
        return frame


def rng_of(seed: int, *parts: int | str) -> np.random.Generator:
    """Chance that depends on what it is for alone, and not on what was asked before."""
    keys = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in parts]
    return np.random.default_rng([seed, *(key & 0xFFFFFFFF for key in keys)])


def _key(image: np.ndarray) -> tuple[int, ...]:
    flat = np.ascontiguousarray(image)
    return (*flat.shape, zlib.crc32(flat), zlib.adler32(flat))
