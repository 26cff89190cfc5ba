"""Following corrected segments again, in the frames that a correction by hand affects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from panoptic.io.progress import Progress
from panoptic.video.layer_store import LayerStore
from panoptic.video.mask_layers import Layer, to_steps
from sam2core import FrameSource, Sam2, TrackerSettings, VideoTracker


@dataclass
class HandCorrection:
    """What was said by hand of a segment in a frame.

    ``start`` is its layer before that, which the clicks refine; ``mask`` bool (H, W) is the
    answer.
    """

    start: Layer
    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class _Run:
    """A segment to be followed from a frame through others, in the order given."""

    id: int
    start: int
    frames: range


def repropagate(
    model: Sam2,
    source: FrameSource,
    recording: LayerStore,
    corrections: Mapping[int, Mapping[int, HandCorrection]],
    tracking: TrackerSettings,
    progress: Progress,
) -> set[int]:
    """Follow segments again from where they were corrected (``corrections``, by id and frame).

    Returns the frames whose layers changed, the corrected ones among them.
    """
    runs = [run for id, frames in corrections.items() for run in _runs(id, frames, recording)]
    total = sum(len(run.frames) for run in runs)
    changed = {index for frames in corrections.values() for index in frames}
    done = 0
    for start, reverse in sorted({(r.start, r.frames.step < 0) for r in runs}):
        together = [r for r in runs if r.start == start and (r.frames.step < 0) == reverse]
        for index in _follow(
            model, source, recording, corrections, together, start, reverse, tracking
        ):
            changed.add(index)
            done += sum(index in r.frames for r in together)
            progress(done, total)
    return changed


def _runs(id: int, frames: Mapping[int, HandCorrection], recording: LayerStore) -> Iterable[_Run]:
    """From each corrected frame: forward to the next one, or to the end of the shot; back to the
    last prompt before it, or to the beginning of the shot."""
    corrected = sorted(frames)
    for number, start in enumerate(corrected):
        shot = recording.shot_of(start)
        following = corrected[number + 1] if number + 1 < len(corrected) else shot.stop
        yield _Run(id, start, range(start + 1, min(following, shot.stop)))
        before = start
        while before > shot.start and id not in recording[before - 1].prompts:
            before -= 1
        yield _Run(id, start, range(start - 1, before - 1, -1))


def _follow(
    model: Sam2,
    source: FrameSource,
    recording: LayerStore,
    corrections: Mapping[int, Mapping[int, HandCorrection]],
    runs: list[_Run],
    start: int,
    reverse: bool,
    tracking: TrackerSettings,
) -> Iterable[int]:
    """Go through the frames of runs that begin together, and put the new layers in."""
    runs = [run for run in runs if len(run.frames)]
    if not runs:
        return
    last = min(r.frames[-1] for r in runs) if reverse else max(r.frames[-1] for r in runs)
    stop = (last - 1 if last else None) if reverse else last + 1
    tracker = VideoTracker(model, settings=tracking)
    for index, image in source.frames(start, stop, reverse):
        answer = tracker.step(image)
        if index == start:
            masks = [corrections[run.id][start].mask for run in runs]
            tracker.prompt_masks(
                [run.id for run in runs], np.stack([m for m in masks if m is not None])
            )
            continue
        record = recording[index]
        steps = to_steps(answer.logits.cpu().numpy())
        found = dict(
            zip(answer.object_ids, zip(steps, answer.iou.tolist(), strict=True), strict=True)
        )
        new, prompts = [], dict(record.prompts)
        for run in runs:
            if index in run.frames:
                ours, iou = found[run.id]
                new.append(replace(corrections[run.id][start].start, steps=ours, quality=iou))
                prompts.pop(run.id, None)  # a prompt from before the correction
        layers = record.layers.with_layers(new)
        recording.replace(replace(record, layers=layers, prompts=prompts))
        for run in runs:
            if index == run.frames[-1] and run.id in tracker.object_ids:
                tracker.remove(run.id)
        yield index
