"""One labelled picture or video of a data set, as exporters and reports see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np

from panoptic.io.sources.base import Kind
from panoptic.results.segmentation import PanopticSegmentation

Split = Literal["train", "val", "test"]
Verdict = Literal["accept", "reject", "corrected"]
SPLITS: tuple[Split, ...] = get_args(Split)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class ItemReader(Protocol):
    """What knows where an item's label and picture lie; ``DatasetStore`` does."""

    def load(self, item: LabelledItem, frame: int) -> PanopticSegmentation: ...
    def picture(self, item: LabelledItem, frame: int) -> np.ndarray: ...


@dataclass(frozen=True)
class LabelledItem:
    """What is known of an item without opening its files.

    ``key`` is unique in its data set, in whatever case, and safe to build paths of: POSIX,
    relative, no ``..``, no dots and no control characters in it, so that ``key + ".png"`` never
    meets another item's file. ``source`` is where the picture came from: a local path or a URL.
    ``size`` is (height, width) in pixels, ``frames`` is 1 for images. ``quality`` is the mean of
    the segments' qualities in [0, 1], the share of them that is expected to be right: 0 where
    nothing was found, None where nobody judged.
    ``name`` is what the source calls it, and ``image_id`` its number or text there, where it has
    one, by which a truth finds it.
    """

    key: str
    source: str
    kind: Kind
    size: tuple[int, int]
    split: Split
    quality: float | None
    verdict: Verdict | None
    frames: int
    reader: ItemReader = field(repr=False, compare=False)
    name: str = ""
    image_id: int | str | None = None

    def load(self, frame: int = 0) -> PanopticSegmentation:
        """The label, corrected where someone did; of a video, that of one frame.

        ``IndexError`` for a frame that isn't there.
        """
        self._check(frame)
        return self.reader.load(self, frame)

    def picture(self, frame: int = 0) -> np.ndarray:
        """The picture itself, RGB uint8 (H, W, 3), read from the source again.

        ``ImageError`` where that is gone or is not what was labelled.
        """
        self._check(frame)
        return self.reader.picture(self, frame)

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise IndexError(f"{self.key!r} has frames 0 to {self.frames - 1}, not {frame}")
