"""What every format works on: an item as it is exported, and what an exporter offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from panoptic.io.names import flat_name, marked_name
from panoptic.results.labelled import LabelledItem, Split
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

Parts = Literal["all", "things", "stuff"]


class Exporter(Protocol):
    """Writes items, one after the other, into a folder that is its own.

    A format that can't hold all words, or needs a package, has a static method
    ``check(vocabulary)``, which raises ``CannotHold`` or ``ModuleNotFoundError``: both can be known
    before anything is labelled.

    ``add`` raises ``CannotHold``, or ``ImageError`` where the picture is gone; then, and after any
    other error, its lists name nothing of the item, and ``item.undo()`` removes the files.
    ``close`` writes what can only be written at the end. Memory does not grow with the number of
    items.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary, pictures: PictureSink) -> None: ...
    def add(self, item: ExportItem) -> None: ...
    def close(self) -> None: ...


class PictureSink(Protocol):
    """Puts pictures beside labels, see ``panoptic.formats.picture_files``."""

    def put(self, item: ExportItem, frame: int, stem: Path) -> Path: ...


@dataclass(frozen=True)
class Selection:
    """Which segments are exported; those that are not become void."""

    parts: Parts = "all"
    min_quality: float = 0.0
    """Segments whose quality is known and below this are left out. 0: the judgement is left to
    whoever trains on the labels."""

    def __post_init__(self) -> None:
        if self.parts not in ("all", "things", "stuff"):
            raise ValueError(f"parts are all, things or stuff, got {self.parts!r}")
        if not 0.0 <= self.min_quality <= 1.0:
            raise ValueError(f"min_quality must be in [0, 1], got {self.min_quality}")

    def vocabulary(self, vocabulary: Vocabulary) -> Vocabulary:
        """The categories that can occur, with the ids that they had."""
        return Vocabulary.from_categories(c for c in vocabulary if self._wants(c.is_thing))

    def apply(self, result: PanopticSegmentation) -> PanopticSegmentation:
        """Without the segments that are not wanted, and those that no word names."""
        kept = [
            s
            for s in result.segments
            if self._wants(s.is_thing)
            and not s.is_unknown
            and (s.quality is None or s.quality >= self.min_quality)
        ]
        if len(kept) == len(result.segments):
            return result
        ids = np.where(np.isin(result.ids, [s.id for s in kept]), result.ids, 0)
        return PanopticSegmentation.from_ids(ids.astype(np.int32), kept)

    def _wants(self, is_thing: bool) -> bool:
        return self.parts == "all" or is_thing == (self.parts == "things")


@dataclass(eq=False)
class ExportItem:
    """A labelled item on its way out: its label reduced to the selection, and names for files.

    The frame read last is kept, so that several formats cost one reading.
    """

    item: LabelledItem
    selection: Selection = field(default_factory=Selection)

    def __post_init__(self) -> None:
        self._label: tuple[int, PanopticSegmentation] | None = None
        self._picture: tuple[int, np.ndarray] | None = None
        self._made: list[Path] = []

    @property
    def key(self) -> str:
        return self.item.key

    @property
    def split(self) -> Split:
        return self.item.split

    @property
    def is_video(self) -> bool:
        return self.item.kind == "video"

    @property
    def image_id(self) -> int | str | None:
        """What the source numbers the picture by, where it does; frames have no such number."""
        return None if self.is_video else self.item.image_id

    @property
    def source_name(self) -> str:
        """What the source calls the picture; empty for frames, and for what isn't Unicode."""
        name = "" if self.is_video else self.item.name
        return name if name.isprintable() else ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.item.size

    @property
    def name(self) -> str:
        """A file name without suffix, like no other item's; folders of the key are joined to it.

        It follows from the key alone, so it doesn't depend on what else is exported. It has no
        spaces, as many formats list names between spaces.
        """
        return flat_name(self.key)

    def unmistakable(self, name: str) -> str:
        """The name with a mark that no other item has."""
        return marked_name(name, self.key)

    def frame_name(self, frame: int) -> str:
        """The name of a picture; of a video, that of one frame."""
        return f"{self.name}---{frame:06d}" if self.is_video else self.name

    def frame_of_name(self) -> dict[str, int]:
        """The frames by their names; a picture is frame 0."""
        return {self.frame_name(frame): frame for frame in range(self.item.frames)}

    def file(self, path: Path) -> Path:
        """A path that a file of this item is written to; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._made.append(path)
        return path

    def keep(self) -> None:
        """What was written stays."""
        self._made.clear()

    def undo(self) -> None:
        """Removes the files that were written since ``keep``."""
        for path in self._made:
            path.unlink(missing_ok=True)
        self._made.clear()

    def frames(self) -> Iterator[tuple[int, PanopticSegmentation]]:
        """The frames that there are, with their labels; a picture is one frame."""
        for frame in range(self.item.frames):
            yield frame, self.load(frame)

    def load(self, frame: int = 0) -> PanopticSegmentation:
        """The label of one frame, with the selected segments only."""
        if self._label is None or self._label[0] != frame:
            self._label = (frame, self.selection.apply(self.item.load(frame)))
        return self._label[1]

    def picture(self, frame: int = 0) -> np.ndarray:
        """RGB uint8 (H, W, 3). Raises ``ImageError`` where the source is gone or changed."""
        if self._picture is None or self._picture[0] != frame:
            self._picture = (frame, self.item.picture(frame))
        return self._picture[1]
