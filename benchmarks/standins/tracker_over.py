"""The tracker that knows the truth, over frames that can be gone back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.standins.tracker import StandinTracker
from sam2core import FrameSource, TrackedFrame
from sam2core.errors import UnknownObjectError
from sam2core.transforms import to_masks

if TYPE_CHECKING:
    from benchmarks.standins.masks import StandinSegmenter


class StandinTrackerOver:
    """Follows what was given in a frame by a :class:`StandinTracker`, and is set right where
    something was given in another one. Clicks are answered by the segmenter, from what was known of
    the frame."""

    def __init__(self, segmenter: StandinSegmenter, frames: FrameSource) -> None:
        self.segmenter, self.frames = segmenter, frames
        self._given: dict[int, dict[int, np.ndarray]] = {}
        self._known: dict[tuple[int, int], np.ndarray] = {}
        self._tracker: StandinTracker | None = None

    @property
    def object_ids(self) -> tuple[int, ...]:
        return tuple(self._given)

    def take_over(
        self,
        logits: Mapping[int, Any],
        frame_index: int,
        *,
        given: bool = False,
        reverse: bool | None = False,
    ) -> None:
        for id, row in logits.items():
            self._known[id, frame_index] = np.asarray(row, np.float32)
            frames = self._given.setdefault(id, {})
            if given:
                frames[frame_index] = to_masks(row[None, None], *self.frames.size)[0, 0].numpy()

    def prompt(
        self, object_id: int, /, *, points: Any, labels: Any, frame_index: int
    ) -> TrackedFrame:
        before = self._known.get((object_id, frame_index))
        if before is not None and not (before > 0).any():
            before = None
        answer = self.segmenter.segment(
            points=np.asarray([points], float),
            labels=np.asarray([labels]),
            mask_logits=None if before is None else before[None],
            image=self.segmenter.encode(self.frames[frame_index]),
        ).best()
        one = answer.logits[:, 0], answer.iou[:, 0], answer.presence
        return TrackedFrame(frame_index, (object_id,), *one, answer.size)

    def propagate(
        self, start: int, stop: int | None, reverse: bool = False
    ) -> Iterator[TrackedFrame]:
        self._tracker = tracker = self.segmenter.tracker()
        for index, image in self.frames.frames(start, stop, reverse):
            tracker.step(image)
            here = {id: given[index] for id, given in self._given.items() if index in given}
            if here:
                tracker.prompt_masks(list(here), np.stack(list(here.values())))
            yield replace(tracker.current(), frame_index=index)

    def remove(self, object_id: int) -> None:
        if object_id not in self._given:
            raise UnknownObjectError(f"no object {object_id}; there are {list(self._given)}")
        del self._given[object_id]
        if self._tracker is not None and object_id in self._tracker.object_ids:
            self._tracker.remove(object_id)

    def copy(self) -> StandinTrackerOver:
        other = copy(self)
        other._given = {id: dict(given) for id, given in self._given.items()}
        other._known, other._tracker = dict(self._known), None
        return other
