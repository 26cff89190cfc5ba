"""PanopticFrame: one labelled frame of a video, and what happened in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from panoptic.results.segmentation import PanopticSegmentation

if TYPE_CHECKING:
    import supervision

EventKind = Literal["new", "lost", "returned", "corrected", "cut", "retired"]


@dataclass(frozen=True)
class Event:
    """Something that happened in a frame.

    - ``new``: a segment got its lasting id here.
    - ``lost``: a segment that was seen in the frame before isn't any more (its memory is kept).
    - ``returned``: a segment that was lost is seen again, or was found again after a cut.
    - ``corrected``: the mask or the category of a segment was set right by what was detected.
    - ``cut``: another shot begins with this frame; ``segment_id`` is None.
    - ``retired``: a segment's memory was dropped; it only comes back where a detection is
      recognised as it.

    ``segment_id`` is the lasting id, ``detail`` a few words for people.
    """

    kind: EventKind
    segment_id: int | None
    detail: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(EventKind):
            raise ValueError(f"an event is one of {get_args(EventKind)}, got {self.kind!r}")
        if (self.segment_id is None) != (self.kind == "cut"):
            raise ValueError(f"every event but a cut is of a segment, got {self}")


@dataclass(frozen=True, eq=False)
class PanopticFrame:
    """A frame of a video in which every pixel is labelled.

    ``index`` counts the frames of the source from 0; ``time`` is in seconds where it is known.
    ``image`` is RGB uint8 (H, W, 3). The ids in ``segmentation`` last: one id is one segment
    through the whole video and is never given to another one.
    """

    index: int
    image: np.ndarray
    segmentation: PanopticSegmentation
    events: tuple[Event, ...] = ()
    time: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        if self.index < 0:
            raise ValueError(f"the index of a frame counts from 0, got {self.index}")
        size = self.segmentation.ids.shape
        if self.image.dtype != np.uint8 or self.image.shape != (*size, 3):
            raise ValueError(
                f"the image must be uint8 {(*size, 3)} like the id map, "
                f"got {self.image.dtype} {self.image.shape}"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PanopticFrame):
            return NotImplemented
        return (
            (self.index, self.events, self.time) == (other.index, other.events, other.time)
            and self.segmentation == other.segmentation
            and np.array_equal(self.image, other.image)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_cut(self) -> bool:
        """Whether another shot begins with this frame."""
        return any(e.kind == "cut" for e in self.events)

    def with_segmentation(self, segmentation: PanopticSegmentation) -> PanopticFrame:
        """The same frame, labelled otherwise."""
        return replace(self, segmentation=segmentation)

    def to_detections(self) -> supervision.Detections:
        """supervision's form, as of the segmentation, with the lasting ids as ``tracker_id``."""
        detections = self.segmentation.to_detections()
        detections.tracker_id = np.array([s.id for s in self.segmentation], int)
        return detections

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Writes COCO panoptic, ``folder/00000.json`` and ``.png``, named by the index.

        Raises ``OutputError`` where another frame has these names, unless ``overwrite``.
        """
        name = f"{self.index:05d}"
        return self.segmentation.save(folder, name, file_name=f"{name}.jpg", overwrite=overwrite)
