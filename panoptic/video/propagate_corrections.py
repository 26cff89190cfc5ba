"""Following corrected segments again, in the frames that a correction by hand affects.

All corrections of a segment work together: each frame sees the closest of them as prompts (as SAM 2
does, arXiv 2408.00714, section 4), before and after it, and is followed from the nearer one. What
comes out depends on what was said, not on the order in which it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from itertools import chain

from panoptic.io.progress import Progress
from panoptic.video.layer_store import LayerStore
from panoptic.video.mask_layers import Layer, to_steps
from panoptic.video.refine import logits_of
from panoptic.video.segment_history import MOST_GIVEN, closest
from sam2core import (
    BankSettings,
    FrameSource,
    Segmenter,
    TrackerOverFrames,
    TrackerSettings,
)

_REACH = BankSettings().reach


@dataclass(frozen=True, eq=False)
class Seed:
    """A segment in a frame in which it was corrected: ``layer`` as it is there. Segments that it
    ``covers`` are part of it, and end where it is followed to. ``is_new``: the frames around don't
    know of it yet."""

    layer: Layer
    covers: tuple[int, ...] = ()
    is_new: bool = True


@dataclass(frozen=True)
class _Run:
    """A segment to be followed from a frame through others, in the order given, which see what is
    known of frames ``seen``."""

    id: int
    start: int
    frames: range
    seen: frozenset[int]


def repropagate(
    segmenter: Segmenter,
    source: FrameSource,
    recording: LayerStore,
    seeds: Mapping[int, Mapping[int, Seed]],
    fixed: Mapping[int, Set[int]],
    tracking: TrackerSettings,
    progress: Progress,
) -> set[int]:
    """Follow segments again from where they were corrected (``seeds``, by id and frame), wherever
    one that is new is seen.

    ``fixed`` are, by id, the frames that hold corrections of the same segment, and stay as they
    are. Returns the frames whose layers changed, the ones corrected since among them.
    """
    known = {id: _known(id, frames, fixed[id], recording) for id, frames in seeds.items()}
    runs = [
        run
        for id, frames in seeds.items()
        for start in sorted(known[id])
        for run in _runs(id, start, known[id].keys(), fixed[id], recording)
        if any(frames[index].is_new for index in run.seen if index in frames)
    ]
    tracker = _knowing(segmenter, source, known, runs, tracking)
    total = sum(len(run.frames) for run in runs)
    changed = {i for frames in seeds.values() for i, seed in frames.items() if seed.is_new}
    done = 0
    for start, reverse in sorted({(r.start, r.frames.step < 0) for r in runs}):
        together = [r for r in runs if r.start == start and (r.frames.step < 0) == reverse]
        for index in _follow(tracker.copy(), recording, seeds, known, together):
            changed.add(index)
            done += sum(index in r.frames for r in together)
            progress(done, total)
    return changed


def _known(
    id: int, frames: Mapping[int, Seed], fixed: Set[int], recording: LayerStore
) -> dict[int, Layer]:
    """What a segment is by frame: as it was corrected, and in each shot as it was prompted last
    before that."""
    layers = {index: seed.layer for index, seed in frames.items()}
    for shot in {recording.shot_of(index) for index in frames}:
        prompt = _prompt_before(id, min(i for i in frames if i in shot), fixed, recording)
        if prompt is not None and id in (there := recording[prompt].layers).ids:
            layers[prompt] = there[id]
    return layers


def _prompt_before(id: int, start: int, fixed: Set[int], recording: LayerStore) -> int | None:
    """The last frame of the shot before one in which a segment was prompted, unless it was
    corrected since."""
    for index in range(start - 1, recording.shot_of(start).start - 1, -1):
        if index in fixed:
            return None
        if id in recording.prompted(index):
            return index
    return None


def _runs(
    id: int, start: int, known: Set[int], fixed: Set[int], recording: LayerStore
) -> Iterable[_Run]:
    """From a known frame halfway to the next one and to the one before. From the last one it goes
    to the end of the shot; from the first, where that is no prompt from before, to its beginning;
    and up to the correction of a part all the way."""
    shot = recording.shot_of(start)
    known = {index for index in known if index in shot}
    ends = {index for index in fixed | known if index in shot}
    after = min((i for i in ends if i > start), default=shot.stop)
    forward = range(start + 1, (start + after) // 2 + 1 if after in known else after)
    before = max((i for i in ends if i < start), default=None)
    if before is None:
        back = range(start - 1, shot.start - 1 if start in fixed else start - 1, -1)
    else:
        back = range(start - 1, (before + start) // 2 if before in known else before, -1)
    for frames in (forward, back):
        if len(frames):
            seen = {i for t in frames for i in known if abs(i - t) <= _REACH}
            seen.update(chain.from_iterable(closest(known, t) for t in frames))
            yield _Run(id, start, frames, frozenset(seen))


def _knowing(
    segmenter: Segmenter,
    source: FrameSource,
    known: Mapping[int, Mapping[int, Layer]],
    runs: list[_Run],
    tracking: TrackerSettings,
) -> TrackerOverFrames:
    """A tracker to which all that is seen was given, and nothing else."""
    bank = replace(tracking.bank, max_prompted=MOST_GIVEN, keep_prompted=None)
    tracking = replace(tracking, bank=bank, keep_on_host=False)
    tracker, side = segmenter.tracker_over(source, tracking), segmenter.mask_size
    given = {(index, run.id) for run in runs for index in run.seen}
    for index in sorted({index for index, _ in given}):
        ids = sorted(id for i, id in given if i == index)
        logits = {id: logits_of(known[id][index], side) for id in ids}
        tracker.take_over(logits, index, given=True, reverse=None)
    return tracker


def _follow(
    tracker: TrackerOverFrames,
    recording: LayerStore,
    seeds: Mapping[int, Mapping[int, Seed]],
    known: Mapping[int, Mapping[int, Layer]],
    runs: list[_Run],
) -> Iterator[int]:
    """Go through the frames of runs that begin together, and put the new layers in."""
    start, reverse = runs[0].start, runs[0].frames.step < 0
    last = min(r.frames[-1] for r in runs) if reverse else max(r.frames[-1] for r in runs)
    stop = (last - 1 if last else None) if reverse else last + 1
    for id in set(tracker.object_ids) - {run.id for run in runs}:
        tracker.remove(id)
    for answer in tracker.propagate(start, stop, reverse):
        index = answer.frame_index
        if index == start:
            continue
        record = recording[index]
        steps = to_steps(answer.logits.cpu().numpy())
        found = dict(zip(answer.object_ids, steps, strict=True))
        new, over = [], set()
        for run in runs:
            if index in run.frames:
                new.append(replace(known[run.id][start], steps=found[run.id]))
                seed = seeds[run.id].get(start)
                covers = () if seed is None else seed.covers
                over |= {run.id, *covers}  # a prompt from before the correction goes, too
        prompts = {id: mask for id, mask in record.prompts.items() if id not in over}
        layers = record.layers.without(list(over)).with_layers(new)
        recording.replace(replace(record, layers=layers, prompts=prompts))
        for run in runs:
            if index == run.frames[-1]:
                tracker.remove(run.id)
        yield index
