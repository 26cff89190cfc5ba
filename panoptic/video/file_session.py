"""FileSession: a video whose frames can be gone back to, and corrected by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic.io.clips import VideoInput
from panoptic.io.progress import Progress, shown
from panoptic.results.frame import Event, PanopticFrame
from panoptic.settings.video import VideoSettings
from panoptic.video.fill_backward import fill_backward
from panoptic.video.layer_store import LayerStore, StoredFrame
from panoptic.video.mask_layers import Layer, Layers, to_steps
from panoptic.video.propagate_corrections import HandCorrection, repropagate
from panoptic.video.session import VideoSession, compose, tracker_settings
from prompts import Category, Vocabulary

if TYPE_CHECKING:
    from panoptic.image_pipeline import ImagePipeline


class FileSession:
    """A video file, a folder or an array of frames, labelled and open to corrections.

    :meth:`run` labels it. Afterwards (or in between) :meth:`click`, :meth:`add_box`,
    :meth:`relabel` and :meth:`remove` correct it, and :meth:`propagate` brings clicks and boxes
    into the frames around; :meth:`frame` and :meth:`frames` give the frames as they stand.

    Masks are kept in a temporary file in ``folder`` (by default the system's), pictures are read
    again when they are needed, so memory doesn't grow with the video. Use it in a ``with`` block,
    or :meth:`close` it, to have the file gone.
    """

    def __init__(
        self,
        pipeline: ImagePipeline,
        video: Any,
        vocabulary: Vocabulary,
        settings: VideoSettings | None = None,
        folder: str | Path | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.video = VideoInput.of(video, pictures=pipeline.settings.pictures)
        self.source = self.video.at_hand
        self.session = VideoSession(pipeline, vocabulary, settings)
        self.vocabulary, self.settings = vocabulary, self.session.settings
        self.recording = LayerStore(folder)
        self._times = self.video.times
        self._categories: dict[int, int] = {}  # of all segments that there ever were
        self._relabelled: dict[int, int] = {}
        self._removed: set[int] = set()
        self._corrections: dict[int, dict[int, HandCorrection]] = {}  # by segment and frame
        self._pending: set[int] = set()

    def __len__(self) -> int:
        """Frames of the video."""
        return len(self.source)

    def __enter__(self) -> FileSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary file."""
        self.recording.close()

    # -- labelling --------------------------------------------------------------------------

    def run(
        self, both_ways: bool = False, progress: bool | Progress = True
    ) -> Iterator[PanopticFrame]:
        """Label what isn't labelled yet, and yield those frames in order.

        With ``both_ways`` nothing is yielded before all of the video was gone through forward and
        back. ``progress`` shows a bar on a terminal; a callback in its place is called with the
        frames done and their number, with ``both_ways`` twice that.
        """
        start, total = len(self.recording), len(self) * (2 if both_ways else 1)
        with shown(progress, "frames", total) as tell:
            for index, image in self.source.frames(start) if start < len(self) else ():
                time = None if self._times is None else float(self._times[index])
                frame = self.session.step(image, time)
                layers = self.session.layers
                assert layers is not None
                self.recording.add(
                    StoredFrame(layers, self.session.shot, frame.events, time, self.session.prompts)
                )
                self._categories |= {layer.id: layer.category_id for layer in layers.layers}
                tell(index + 1, total)
                if not both_ways:
                    yield frame
            if both_ways:
                fill_backward(
                    self.pipeline.segmenter.model,
                    self.source,
                    self.recording,
                    self.settings,
                    tracker_settings(self.settings),
                    lambda done, _: tell(len(self) + done, total),
                )
        if both_ways:
            yield from self.frames(start)

    def frame(self, index: int) -> PanopticFrame:
        """A labelled frame as it stands now. ``IndexError`` if it isn't labelled yet."""
        record = self.recording[index]
        return self._show(record, self.source[index])

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[PanopticFrame]:
        """Labelled frames as they stand now, from ``start`` to before ``stop``."""
        stop = len(self.recording) if stop is None else min(stop, len(self.recording))
        if start < stop:
            for index, image in self.source.frames(start, stop):
                yield self._show(self.recording[index], image)

    # -- corrections ------------------------------------------------------------------------

    def click(
        self, frame: int, segment: int, point: Sequence[float], positive: bool = True
    ) -> PanopticFrame:
        """Say that a pixel (x, y) of a frame belongs to a segment, or doesn't.

        The frame is answered at once; the frames around follow with :meth:`propagate`. Clicks on
        the same frame and segment add to each other. ``KeyError`` for a segment that isn't in this
        video, ``ValueError`` for a point outside of the frame.
        """
        self._require(segment)
        x, y = float(point[0]), float(point[1])
        record = self.recording[frame]
        height, width = record.layers.size
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"the point ({x:g}, {y:g}) is outside of the frame, {width} x {height}"
            )
        layer = self._layer(record, segment)
        correction = self._corrections.setdefault(segment, {}).setdefault(
            frame, HandCorrection(layer)
        )
        correction.points.append((x, y))
        correction.labels.append(int(positive))
        segmenter = self.pipeline.segmenter
        start = correction.start.steps
        answer = segmenter.segment(
            points=np.array([correction.points]),
            labels=np.array([correction.labels]),
            mask_logits=None if correction.start.is_empty else (start.astype(np.float32) / 8)[None],
            multimask=correction.start.is_empty and len(correction.points) == 1,
            image=segmenter.encode(self.source[frame]),
        ).best()
        steps = to_steps(answer.logits[0, 0].cpu().numpy())
        return self._set_by_hand(
            record, replace(layer, steps=steps), f"{len(correction.points)} clicks"
        )

    def add_box(
        self, frame: int, box: Sequence[float], category: str | int | Category
    ) -> PanopticFrame:
        """A segment that was overlooked: a box xyxy in pixels of a frame, and what it is.

        Its id is new (that of the category for stuff), see the frame's last event; the frames
        around follow with :meth:`propagate`. ``ValueError`` for a box without area in the frame or
        a category that isn't in the vocabulary.
        """
        found = self._category(category)
        record = self.recording[frame]
        height, width = record.layers.size
        x0, y0, x1, y1 = np.clip(np.asarray(box, float), 0, [width, height, width, height])
        if not (x0 < x1 and y0 < y1):
            raise ValueError(f"the box {list(box)} has no area in the frame, {width} x {height}")
        segmenter = self.pipeline.segmenter
        image = segmenter.encode(self.source[frame])
        answer = segmenter.segment(boxes=np.array([[x0, y0, x1, y1]]), image=image).best()
        id = self.session.roster.new_id(None if found.is_thing else found.id)
        self._removed.discard(id)
        self._categories[id] = found.id
        steps = to_steps(answer.logits[0, 0].cpu().numpy())
        layer = Layer(id, found.id, 1.0, float(answer.iou[0, 0]), steps)
        self._corrections.setdefault(id, {})[frame] = HandCorrection(layer)
        return self._set_by_hand(record, layer, found.name, "new")

    def relabel(self, segment: int, category: str | int | Category) -> None:
        """Give a segment another category of the vocabulary, in all frames."""
        self._require(segment)
        found = self._category(category)
        self._relabelled[segment] = found.id
        self.session.set_category(segment, found)

    def remove(self, segment: int) -> None:
        """Take a segment out of all frames."""
        self._require(segment)
        self._removed.add(segment)
        self._pending.discard(segment)
        self.session.forget(segment)

    def propagate(self, progress: bool | Progress = True) -> Iterator[PanopticFrame]:
        """Bring what was corrected since the last call into the frames around, and yield them.

        Only the corrected segments are followed again, and only in their shot: forward up to the
        next correction by hand, back to the last prompt before, by hand or not. ``progress`` is as
        for :meth:`run`.
        """
        pending, self._pending = sorted(self._pending), set()
        correction = {id: self._corrections[id] for id in pending}
        model, tracking = self.pipeline.segmenter.model, tracker_settings(self.settings)
        with shown(progress, "frames") as tell:
            changed = repropagate(model, self.source, self.recording, correction, tracking, tell)
        for index in sorted(changed):
            yield self.frame(index)

    # ---------------------------------------------------------------------------------------

    def _set_by_hand(
        self, record: StoredFrame, layer: Layer, detail: str, kind: Any = "corrected"
    ) -> PanopticFrame:
        index, size = record.layers.index, record.layers.size
        correction = self._corrections[layer.id][index]
        alone = Layers(index, size, (layer,))
        shown = compose(alone, self.vocabulary, self.settings, self.pipeline)
        correction.mask = shown.ids == layer.id
        self._pending.add(layer.id)
        event = Event(kind, layer.id, f"by hand, {detail}")
        kept = tuple(e for e in record.events if not _by_hand(e, layer.id))
        changed = replace(
            record,
            layers=record.layers.with_layers([layer]),
            events=(*kept, event),
            prompts={**record.prompts, layer.id: correction.mask},
        )
        self.recording.replace(changed)
        return self._show(changed, self.source[index])

    def _show(self, record: StoredFrame, image: np.ndarray) -> PanopticFrame:
        layers = record.layers.without(list(self._removed))
        if self._relabelled:
            layers = layers.with_layers(
                [
                    replace(la, category_id=self._relabelled[la.id])
                    for la in layers.layers
                    if la.id in self._relabelled
                ]
            )
        result = compose(layers, self.vocabulary, self.settings, self.pipeline, image)
        events = tuple(e for e in record.events if e.segment_id not in self._removed)
        return PanopticFrame(layers.index, image, result, events, record.time)

    def _layer(self, record: StoredFrame, id: int) -> Layer:
        """A segment's layer in a frame; an empty one where it has none."""
        if id in record.layers.ids:
            return record.layers[id]
        side = self.pipeline.segmenter.model.config.mask_size
        category_id = self._relabelled.get(id, self._categories[id])
        return Layer(id, category_id, 1.0, 1.0, np.full((side, side), -128, np.int8))

    def _require(self, id: int) -> None:
        if id not in self._categories or id in self._removed:
            there = sorted(set(self._categories) - self._removed)
            raise KeyError(f"no segment {id} in this video; there are {there}")

    def _category(self, category: str | int | Category) -> Category:
        if isinstance(category, Category):
            category = category.id
        if isinstance(category, str):
            return self.vocabulary.by_name(category)
        return self.vocabulary.by_id(category)


def _by_hand(event: Event, id: int) -> bool:
    return event.segment_id == id and event.detail.startswith("by hand")
