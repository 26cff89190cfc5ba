"""What others need of a segmenter and of a tracker, for those who bring their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sam2core.frames import FrameSource
from sam2core.image_segmenter import ImageMasks
from sam2core.tracked_frame import TrackedFrame
from sam2core.tracker_settings import TrackerSettings


class Encoded(Protocol):
    """A picture as a segmenter sees it; ``size`` is its (height, width)."""

    @property
    def size(self) -> tuple[int, int]: ...


class Segmenter(Protocol):
    """Masks of pictures, and a tracker to match: :class:`~sam2core.ImageSegmenter` is one.

    ``prompts_per_batch`` is how many prompts it is well asked at once, and ``mask_size`` the side
    of its logits, which are square.
    """

    prompts_per_batch: int

    @property
    def mask_size(self) -> int: ...

    def encode(self, image: Any) -> Any:
        """An :class:`Encoded`, which is given back to ``segment``."""

    def segment(
        self,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        mask_logits: Any = None,
        multimask: bool = False,
        *,
        image: Any = None,
    ) -> ImageMasks: ...

    def describe(self, mask: Any, *, image: Any = None) -> np.ndarray:
        """As :meth:`Tracker.describe`, of an encoded picture."""

    def tracker(self, settings: TrackerSettings | None = None) -> Tracker:
        """A tracker of a stream that hasn't begun."""

    def tracker_over(
        self, frames: FrameSource, settings: TrackerSettings | None = None
    ) -> TrackerOverFrames:
        """A tracker that knows no objects yet, of a video that is at hand."""


class TrackerOverFrames(Protocol):
    """Objects by their ids in frames that can be gone back to: :class:`~sam2core.VideoTracker` with
    ``frames`` is one, and there is what each of these means."""

    @property
    def object_ids(self) -> tuple[int, ...]: ...

    def take_over(
        self,
        logits: Mapping[int, Any],
        frame_index: int,
        *,
        given: bool = False,
        reverse: bool | None = False,
    ) -> None:
        """Remember what was said of objects in a frame before: ``logits`` as ``TrackedFrame`` has
        them, by id. ``given``: a prompt said so; else it was tracked, which way ``reverse`` tells,
        None where it wasn't."""

    def prompt(
        self, object_id: int, /, *, points: Any, labels: Any, frame_index: int
    ) -> TrackedFrame:
        """Refine what an object is in a frame by clicks, in the light of what is remembered."""

    def propagate(
        self, start: int, stop: int | None, reverse: bool = False
    ) -> Iterator[TrackedFrame]:
        """Follow all objects from frame ``start``, in which they are given, to before ``stop``."""

    def remove(self, object_id: int, /) -> None: ...

    def copy(self) -> TrackerOverFrames: ...


class Tracker(Protocol):
    """Objects by their ids through a stream of frames: :class:`~sam2core.VideoTracker` is one, and
    there is what each of these means."""

    @property
    def object_ids(self) -> tuple[int, ...]: ...

    @property
    def frame_index(self) -> int: ...

    def step(self, frame: Any, /) -> TrackedFrame:
        """:meth:`follow`, then :meth:`remember`."""

    def follow(self, frame: Any, /) -> TrackedFrame:
        """Find every object in the next frame and write nothing to memory. What is prompted,
        removed or renumbered until :meth:`remember` counts in this very frame. A frame that wasn't
        remembered when the next one comes is remembered before that."""

    def remember(
        self,
        masks: Mapping[int, Any] | None = None,
        *,
        logits: Mapping[int, Any] | None = None,
        without: Collection[int] = (),
    ) -> TrackedFrame:
        """Write the frame that was followed to the memory of every object: with the mask it has, or
        by its id one that the caller gives, (H, W) or logits as ``TrackedFrame`` has them; nothing
        of those in ``without``. What was prompted in this frame is remembered already."""

    def current(self) -> TrackedFrame: ...

    def look_again(self, frame: Any, /) -> None: ...

    def prompt_masks(self, object_ids: Sequence[int], masks: Any, /) -> TrackedFrame: ...

    def describe(self, mask: Any, /) -> np.ndarray:
        """What a mask (H, W) of the frame at hand shows, as a vector of length 1, and of 0 for an
        empty one. Products of two are the greater, the more alike their pictures are."""

    def overview(self) -> np.ndarray:
        """What the frame at hand shows where: features (C, G, G) that are alike where it is."""

    def renumber(self, object_id: int, new_id: int, /) -> None: ...

    def remove(self, object_id: int, /) -> None: ...

    def copy(self) -> Tracker: ...

    def state(self) -> dict[str, Any]:
        """Plain values, lists and CPU tensors, for ``torch.save``, also between :meth:`follow` and
        :meth:`remember`; with ``index``, ``size`` (height, width), ``reverse`` (False) and
        ``objects`` (a list) among them."""

    def load_state(self, state: Mapping[str, Any], /) -> None:
        """What :meth:`state` gave, or its first three and no objects."""
