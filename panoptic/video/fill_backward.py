"""Going back: what was found late gets its masks in the frames before, shot by shot.

A reversed shot is a video like any other, so the tracker goes through it as a stream. Each
segment that came late enters where it was found, with the mask it was prompted with there, and its
layers are added to the recorded frames. Only one frame is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from panoptic.io.progress import Progress
from panoptic.results.frame import Event
from panoptic.settings.video import VideoSettings
from panoptic.video.layer_store import LayerStore, StoredFrame
from panoptic.video.mask_layers import Layer, to_steps
from sam2core import FrameSource, Segmenter, TrackerSettings


def fill_backward(
    segmenter: Segmenter,
    source: FrameSource,
    recording: LayerStore,
    settings: VideoSettings,
    tracking: TrackerSettings,
    time: Callable[[int], float],
    progress: Progress,
) -> None:
    """Add to a recording the layers of late segments in the frames of their shot before them.

    A segment is given up once it was absent for ``settings.retire_after`` seconds, by the ``time``
    of frames. Its ``new`` event moves to the first frame in which it has a mask. ``progress`` is
    told how many of the recorded frames are done.
    """
    done, total = 0, len(recording)
    while done < total:
        shot = recording.shot_of(done)
        late = late_arrivals(recording, shot)
        if late:
            _fill_shot(segmenter, source, recording, shot, late, settings, tracking, time)
        done = shot.stop
        progress(done, total)


def late_arrivals(recording: LayerStore, shot: range) -> dict[int, int]:
    """The segments that came after a shot's first frame, with the frame in which they did."""
    first: dict[int, int] = {}
    for index in shot:
        record = recording[index]
        for id in record.layers.ids:
            first.setdefault(id, index)
    return {id: index for id, index in first.items() if index > shot.start}


def _fill_shot(
    segmenter: Segmenter,
    source: FrameSource,
    recording: LayerStore,
    shot: range,
    late: dict[int, int],
    settings: VideoSettings,
    tracking: TrackerSettings,
    time: Callable[[int], float],
) -> None:
    tracker = segmenter.tracker(tracking)
    seen: dict[int, float] = {}
    born: dict[int, Layer] = {}
    earliest: dict[int, int] = {}
    down_to = shot.start - 1 if shot.start else None
    for index, image in source.frames(max(late.values()), down_to, reverse=True):
        answer = tracker.step(image)
        record = recording[index]
        steps = to_steps(answer.logits.cpu().numpy())
        added = []
        for id, layer_steps in zip(answer.object_ids, steps, strict=True):
            layer = replace(born[id], steps=layer_steps)
            added.append(layer)
            if not layer.is_empty:
                earliest[id], seen[id] = index, time(index)
            if seen[id] - time(index) > settings.retire_after:
                tracker.remove(id)
        if added:
            recording.replace(record.with_layers(record.layers.with_layers(added)))
        entering = {
            id: record.prompts[id]
            for id, frame in late.items()
            if frame == index and id in record.prompts
        }
        if entering:
            born |= {id: record.layers[id] for id in entering}
            seen |= dict.fromkeys(entering, time(index))
            tracker.prompt_masks(list(entering), np.stack(list(entering.values())))
    for id, frame in earliest.items():
        _move_arrival(recording, id, late[id], frame)


def _move_arrival(recording: LayerStore, id: int, found: int, first: int) -> None:
    record = recording[found]
    news = [e for e in record.events if e.segment_id == id and e.kind in ("new", "returned")]
    rest = tuple(e for e in record.events if e not in news)
    recording.replace(replace(record, events=rest))
    earlier: StoredFrame = recording[first]
    moved = tuple(Event(e.kind, id, f"{e.detail}, found in frame {found}") for e in news)
    recording.replace(replace(earlier, events=earlier.events + moved))
