"""Following corrected segments again, in the frames that a correction by hand affects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from panoptic.io.progress import Progress
from panoptic.video.layer_store import LayerStore
from panoptic.video.mask_layers import Layer, to_steps
from sam2core import FrameSource, Segmenter, TrackerSettings


@dataclass(frozen=True, eq=False)
class Seed:
    """A segment in a frame in which it was corrected: ``layer`` as it is there, ``mask`` bool
    (H, W) to follow it from. Segments that it ``covers`` are part of it, and end where it is
    followed to."""

    layer: Layer
    mask: np.ndarray
    covers: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Run:
    """A segment to be followed from a frame through others, in the order given."""

    id: int
    start: int
    frames: range


def repropagate(
    segmenter: Segmenter,
    source: FrameSource,
    recording: LayerStore,
    seeds: Mapping[int, Mapping[int, Seed]],
    fixed: Mapping[int, Set[int]],
    tracking: TrackerSettings,
    progress: Progress,
) -> set[int]:
    """Follow segments again from where they were corrected (``seeds``, by id and frame).

    ``fixed`` are, by id, the frames that hold corrections of the same segment, and stay as they
    are. Returns the frames whose layers changed, the corrected ones among them.
    """
    runs = [
        run
        for id, frames in seeds.items()
        for start in sorted(frames)
        for run in _runs(id, start, fixed[id], recording)
    ]
    total = sum(len(run.frames) for run in runs)
    changed = {index for frames in seeds.values() for index in frames}
    done = 0
    for start, reverse in sorted({(r.start, r.frames.step < 0) for r in runs}):
        together = [r for r in runs if r.start == start and (r.frames.step < 0) == reverse]
        for index in _follow(
            segmenter, source, recording, seeds, together, start, reverse, tracking
        ):
            changed.add(index)
            done += sum(index in r.frames for r in together)
            progress(done, total)
    return changed


def _runs(id: int, start: int, fixed: Set[int], recording: LayerStore) -> Iterable[_Run]:
    """From a corrected frame: forward to the next one, or to the end of the shot; back to the
    last prompt before it, or to the beginning of the shot."""
    shot = recording.shot_of(start)
    following = min((index for index in fixed if index > start), default=shot.stop)
    yield _Run(id, start, range(start + 1, min(following, shot.stop)))
    before = start
    while (
        before > shot.start and before - 1 not in fixed and id not in recording[before - 1].prompts
    ):
        before -= 1
    yield _Run(id, start, range(start - 1, before - 1, -1))


def _follow(
    segmenter: Segmenter,
    source: FrameSource,
    recording: LayerStore,
    seeds: Mapping[int, Mapping[int, Seed]],
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
    tracker = segmenter.tracker(tracking)
    for index, image in source.frames(start, stop, reverse):
        answer = tracker.step(image)
        if index == start:
            masks = [seeds[run.id][start].mask for run in runs]
            tracker.prompt_masks([run.id for run in runs], np.stack(masks))
            continue
        record = recording[index]
        steps = to_steps(answer.logits.cpu().numpy())
        found = dict(zip(answer.object_ids, steps, strict=True))
        new, over = [], set()
        for run in runs:
            if index in run.frames:
                seed = seeds[run.id][start]
                new.append(replace(seed.layer, steps=found[run.id]))
                over |= {run.id, *seed.covers}  # a prompt from before the correction goes, too
        prompts = {id: mask for id, mask in record.prompts.items() if id not in over}
        layers = record.layers.without(list(over)).with_layers(new)
        recording.replace(replace(record, layers=layers, prompts=prompts))
        for run in runs:
            if index == run.frames[-1] and run.id in tracker.object_ids:
                tracker.remove(run.id)
        yield index
