"""What others need of a segmenter and of a tracker, for those who bring their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

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

    def tracker(self, settings: TrackerSettings | None = None) -> Tracker:
        """A tracker of a stream that hasn't begun."""


class Tracker(Protocol):
    """Objects by their ids through a stream of frames: :class:`~sam2core.VideoTracker` is one, and
    there is what each of these means."""

    @property
    def object_ids(self) -> tuple[int, ...]: ...

    @property
    def frame_index(self) -> int: ...

    def step(self, frame: Any, /) -> TrackedFrame: ...

    def current(self) -> TrackedFrame: ...

    def look_again(self, frame: Any, /) -> None: ...

    def prompt_masks(self, object_ids: Sequence[int], masks: Any, /) -> TrackedFrame: ...

    def renumber(self, object_id: int, new_id: int, /) -> None: ...

    def remove(self, object_id: int, /) -> None: ...

    def copy(self) -> Tracker: ...

    def state(self) -> dict[str, Any]:
        """Plain values, lists and CPU tensors, for ``torch.save``; with ``index``, ``size``
        (height, width), ``reverse`` (False) and ``objects`` (a list) among them."""

    def load_state(self, state: Mapping[str, Any], /) -> None:
        """What :meth:`state` gave, or its first three and no objects."""
