"""The edits that a person makes of a labelled video, each on a draft that may be thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from panoptic.io.progress import Progress
from panoptic.results.frame import Event, EventKind
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.edits import Edits, HandCorrection
from panoptic.video.frame_maps import compose, tracker_settings
from panoptic.video.layer_store import StoredFrame
from panoptic.video.mask_layers import Layer, Layers, to_steps
from panoptic.video.propagate_corrections import Seed, repropagate
from panoptic.video.refine import Refiner
from panoptic.video.segment_history import SegmentHistory
from panoptic.video.session_state import Draft
from panoptic.video.shown_frames import BY_HAND, is_by_hand, shown
from prompts import Category, Vocabulary
from sam2core import FrameSource

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


@dataclass(frozen=True)
class HandEdits:
    """What the edits of :class:`FileSession` do; there is what they mean and raise."""

    pipeline: ImagePipeline
    source: FrameSource
    vocabulary: Vocabulary
    settings: VideoSettings
    refiner: Refiner

    def click(
        self, draft: Draft, frame: int, segment: int, point: Sequence[float], positive: bool
    ) -> None:
        require(draft.edits, segment)
        record = draft.recording[frame]
        x, y = _point(point, record.layers.size)
        correction = draft.edits.corrections.get((segment, frame))
        if correction is None or correction.propagated or not correction.points:
            correction, layer = self._begin(draft, record, segment, correction)
        else:
            layer = record.layers[segment]
        correction = replace(
            correction,
            points=(*correction.points, (x, y)),
            labels=(*correction.labels, int(positive)),
        )
        points, labels = correction.points, correction.labels
        there = self._map(shown(record, draft.edits).layers).ids == segment
        if any(
            there[int(y), int(x)] != bool(inside)
            for (x, y), inside in zip(points, labels, strict=True)
        ):
            history = SegmentHistory(draft.recording, draft.edits, segment)
            layer = replace(layer, steps=self.refiner.refine(history, layer, frame, points, labels))
        # Else all is shown as it should be, and that is what was said.
        detail = "1 click" if len(points) == 1 else f"{len(points)} clicks"
        self._set(draft, record, layer, correction, detail, "corrected")

    def add_box(self, draft: Draft, frame: int, box: Sequence[float], category: Category) -> int:
        """Returns the id by which it goes."""
        record = draft.recording[frame]
        segmenter = self.pipeline.segmenter
        clipped = _box(box, record.layers.size)
        image = segmenter.encode(self.source[frame])
        answer = segmenter.segment(boxes=np.array([clipped]), image=image).best()
        steps = to_steps(answer.logits[0, 0].cpu().numpy())
        id = draft.new_id()
        layer = Layer(id, category.id, 1.0, 1.0, steps)
        owner = None if category.is_thing else draft.edits.stuff_owner(category.id)
        edits = draft.edits.having("categories", {id: category.id})
        draft.edits = edits.having(
            *(("named", {id: category.id}) if owner is None else ("joined", {id: owner}))
        )
        before = draft.recording.file.append(StoredFrame(_alone(record, layer), record.shot))
        correction = HandCorrection(before, start_by_hand=True)
        self._set(draft, record, layer, correction, category.name, "new")
        return draft.edits.root(id)

    def relabel(self, draft: Draft, segment: int, category: Category) -> int:
        """Returns the id by which it goes on."""
        require(draft.edits, segment)
        owner = None if category.is_thing else draft.edits.stuff_owner(category.id)
        if owner is not None and owner != segment:
            return self.join(draft, segment, owner)
        draft.edits = draft.edits.having("named", {segment: category.id})
        return segment

    def join(self, draft: Draft, segment: int, into: int) -> int:
        """Returns the id of the whole."""
        for id in (segment, into):
            require(draft.edits, id)
        if segment == into:
            raise ValueError(f"segment {segment} can't be joined to itself")
        draft.edits = draft.edits.having("joined", {segment: into})
        return into

    def remove(self, draft: Draft, segment: int) -> None:
        require(draft.edits, segment)
        draft.edits = draft.edits.having("removed", {segment: True})

    def restore(self, draft: Draft, segment: int) -> int:
        """Returns the id by which it goes on."""
        if segment not in draft.edits.removed:
            there = sorted(draft.edits.removed)
            raise KeyError(f"segment {segment} isn't removed; removed are {there}")
        draft.edits = draft.edits.having("removed", {segment: None}).settled(self.vocabulary)
        return draft.edits.root(segment)

    def propagate(self, draft: Draft, progress: Progress) -> list[int]:
        """Returns the frames that changed, in order."""
        edits = draft.edits
        pending = [id for id in sorted(edits.pending) if edits.is_live(edits.root(id))]
        seeds: dict[int, dict[int, Seed]] = {id: {} for id in pending}
        done = {}
        for (id, frame), correction in sorted(edits.corrections.items()):
            if id in seeds:
                layer = draft.recording[frame].layers[id]
                seeds[id][frame] = Seed(layer, correction.covers, not correction.propagated)
                done[id, frame] = replace(correction, propagated=True)
        edits = edits.having("pending", dict.fromkeys(pending))
        draft.edits = edits.having("corrections", done)
        return sorted(
            repropagate(
                *(self.pipeline.segmenter, self.source, draft.recording, seeds),
                {id: edits.corrected_frames(id) for id in pending},
                tracker_settings(self.settings),
                progress,
            )
        )

    # ---------------------------------------------------------------------------------------

    def _begin(
        self, draft: Draft, record: StoredFrame, segment: int, earlier: HandCorrection | None
    ) -> tuple[HandCorrection, Layer]:
        """A correction, after an earlier one there, of a segment as it is in a frame with all that
        is joined to it there; and that as one layer."""
        edits = draft.edits
        layers = [record.layers[id] for id in edits.group(segment) if id in record.layers.ids]
        category_id = edits.categories[segment]
        if layers:
            start = replace(reduce(Layer.joined, layers), id=segment, category_id=category_id)
        else:
            side = self.pipeline.segmenter.mask_size
            start = Layer(segment, category_id, 1.0, 1.0, np.full((side, side), -128, np.int8))
        place = draft.recording.file.append(StoredFrame(_alone(record, start), record.shot))
        covers = {la.id for la in layers if la.id != segment}
        if earlier is None:
            return HandCorrection(place, covers=tuple(sorted(covers))), start
        covers |= set(earlier.covers)
        again = replace(earlier, start=place, start_by_hand=True, propagated=False)
        again = replace(again, covers=tuple(sorted(covers)))
        return again, start

    def _map(self, layers: Layers) -> PanopticSegmentation:
        return compose(layers, self.vocabulary, self.settings, self.pipeline)

    def _set(
        self,
        draft: Draft,
        record: StoredFrame,
        layer: Layer,
        correction: HandCorrection,
        detail: str,
        kind: EventKind,
    ) -> None:
        """Put a layer that was made by hand into a frame."""
        index, covered = record.layers.index, set(correction.covers)
        alone = self._map(_alone(record, layer))
        kept = tuple(
            e
            for e in record.events
            if not (is_by_hand(e) and e.segment_id in {layer.id, *covered})
            or (e.kind == "new" and e.segment_id == layer.id)
        )
        prompts = {id: mask for id, mask in record.prompts.items() if id not in covered}
        changed = replace(
            record,
            layers=record.layers.without(list(covered)).with_layers([layer]),
            events=(*kept, Event(kind, layer.id, f"{BY_HAND}, {detail}")),
            prompts={**prompts, layer.id: alone.ids == layer.id},
        )
        draft.recording.replace(changed)
        over = {(id, index): None for id in covered}
        edits = draft.edits.having("corrections", {**over, (layer.id, index): correction})
        still = {frame_of[0] for frame_of in edits.corrections}
        done = {id: None for id in covered if id not in still}
        draft.edits = edits.having("pending", {**done, layer.id: True})


def require(edits: Edits, id: int) -> None:
    """Raises ``KeyError`` where there is no such segment, and says what became of it."""
    if edits.is_live(id):
        return
    why = f"no segment {id} in this video"
    if id in edits.joined:
        why = f"segment {id} is part of {edits.root(id)} now"
    elif id in edits.removed:
        why = f"no segment {id} in this video: it was removed, restore({id}) brings it back"
    raise KeyError(f"{why}; there are {edits.live}")


def _alone(record: StoredFrame, layer: Layer) -> Layers:
    return Layers(record.layers.index, record.layers.size, (layer,))


def _point(point: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
    if len(point) != 2:
        raise ValueError(f"a point is x, y, got {list(point)}")
    (height, width), (x, y) = size, (float(point[0]), float(point[1]))
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"the point ({x:g}, {y:g}) is outside of the frame, {width} x {height}")
    return x, y


def _box(box: Sequence[float], size: tuple[int, int]) -> list[float]:
    height, width = size
    corners = np.asarray(box, float)
    if corners.shape != (4,):
        raise ValueError(f"a box is x0, y0, x1, y1, got {list(box)}")
    x0, y0, x1, y1 = np.clip(corners, 0, [width, height, width, height]).tolist()
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"the box {list(box)} has no area in the frame, {width} x {height}")
    return [x0, y0, x1, y1]
