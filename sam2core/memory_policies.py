"""Memory policies: which of the memories of an object a frame sees, and which are kept for that.

Each is pure: from a :class:`~sam2core.memory_history.History` and a frame to a
:class:`~sam2core.memory.Selection`. All see the prompted memories, which have no age, and their
pointers; they differ in what they see of the tracked frames. ``reverse`` is the direction of
tracking, and the past lies behind it. ``num_frames`` is the length of the video where it is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median

from sam2core.bank_settings import PolicyName
from sam2core.memory import Memory, Selection
from sam2core.memory_history import History

Select = Callable[[History, int, bool, int | None], Selection]
Frames = set[int] | range
Kept = tuple[Frames, Frames]
"""Tracked frames of which the whole memory is kept, and others of which the pointer is."""

LEAST_QUALITY = 0.01
"""Of a memory that is seen under ``filtered``. So low that only what is hidden, or as good as
hidden, falls below."""

ANCHORS = 3
"""Anchors that are seen at once, the latest ones."""
EVERY = 5
"""Of the tracked frames under ``distractor_aware``, the last one and those at multiples of it:
neighbours say much the same."""
SURE_IOU = 0.8
"""Predicted IoU from which on a memory can be an anchor."""
STEADY = 0.8, 1.2
"""Its area over the median of the latest ones, at least and at most."""
STEADY_OVER = 10
"""Frames that this median is taken of."""
APART = 5
"""Frames that are at least between two anchors."""
RIVALLED = 0.7
"""``Memory.rival`` up to which the decoder is said to have seen a distractor."""


@dataclass(frozen=True)
class Policy:
    """``select`` says what a frame sees, ``kept`` what is kept in the bank once a frame is
    remembered, ``is_anchor`` whether that frame's memory is one to hold on to. With ``asks`` it
    needs ``Memory.area`` and ``Memory.rival``."""

    select: Select
    kept: Callable[[History, int, bool], Kept]
    is_anchor: Callable[[History, Memory], bool] = lambda history, memory: False
    asks: bool = False


# --- sam2 ---


def latest(history: History, now: int, reverse: bool, num_frames: int | None) -> Selection:
    """What SAM 2 sees (arXiv 2408.00714, section 4): the frames just before, whatever they show,
    with their age and at most ``recent``; pointers of up to ``max_pointers``, by distance.

    Prompted memories that are not selected count like those of tracked frames. Distances in time of
    pointers are scaled by the length of the video in the reference implementations, up to
    ``max_pointers``.
    """
    selected, unselected = closest_prompted(history, now)
    spatial = [(memory, 0) for memory in selected.values()]
    for age, index in _recent_indices(history, now, reverse):
        memory = history.tracked(index) or unselected.get(index)
        if memory is not None and memory.is_spatial:
            spatial.append((memory, age))
    pointers = _past(selected, now, reverse)
    pointers += _pointers_by_distance(history, unselected, now, reverse, num_frames)
    return Selection(tuple(spatial), tuple(pointers), max(_most_pointers(history, num_frames), 1))


def near(history: History, now: int, reverse: bool) -> Kept:
    """By distance in frames, either way."""
    space, reach = history.settings.spatial_reach, history.settings.reach
    return range(now - space + 1, now + space), range(now - reach + 1, now + reach)


# --- filtered ---


def filtered(history: History, now: int, reverse: bool, num_frames: int | None) -> Selection:
    """Of the past, the last frame, and the latest ones in which the object was seen well.

    What counts is predicted IoU times presence (:func:`quality`), as in the tracker of SAM 3 (arXiv
    2511.16719); SAM2Long (arXiv 2410.16268, section 3.2) passes over frames of low IoU and presence
    in the same way. Ages of spatial memories and distances of pointers are ranks among those
    seen, so that after an occlusion of any length the object looks as if it had been hidden now.
    Where there are too few, the latest others fill up, so that objects that were seen for less long
    still run in one batch with the rest.
    """
    settings = history.settings
    selected, unselected = closest_prompted(history, now)
    most = _most_pointers(history, num_frames)
    good: list[tuple[int, Memory]] = []
    others: list[tuple[int, Memory]] = []
    for memory in enumerate(history.latest_first(now, reverse, unselected)):
        fine = memory[0] == 0 or quality(memory[1]) > LEAST_QUALITY
        (good if fine else others).append(memory)
        if len(good) >= max(most, settings.recent):
            break

    def ranked(count: int) -> list[tuple[Memory, int]]:
        chosen = good[:count]
        chosen = sorted([*chosen, *others[: count - len(chosen)]], key=lambda each: each[0])
        return [(memory, rank) for rank, (_, memory) in enumerate(chosen, start=1)]

    spatial = [(memory, 0) for memory in selected.values()]
    spatial += [pair for pair in reversed(ranked(settings.recent)) if pair[0].is_spatial]
    pointers = _past(selected, now, reverse) + ranked(most)
    return Selection(tuple(spatial), tuple(pointers), max(most, 1))


def quality(memory: Memory) -> float:
    """In [0, 1]: predicted IoU times how sure it is that the object is in the picture at all."""
    return memory.iou * max(math.tanh(memory.presence / 2), 0.0)  # 2 sigmoid(x) - 1


# --- distractor_aware ---


def distractor_aware(
    history: History, now: int, reverse: bool, num_frames: int | None
) -> Selection:
    """DAM4SAM's two memories (arXiv 2411.17576, section 3.2).

    Anchors, in which the object was told from a distractor (:func:`is_anchor`), have no age, like
    prompted memories. The rest of the ``recent`` are the last frame, and every fifth one of those
    that show the object at all, with ranks for ages. Pointers are those of ``sam2``, and the
    anchors'.
    """
    selected, unselected = closest_prompted(history, now)
    past = list(history.latest_first(now, reverse))
    anchors = {m.frame_index: m for m in islice((m for m in past if _is_anchor(m)), ANCHORS)}
    rest = [m for m in past if m.is_spatial and m.frame_index not in anchors]
    # The last frame also where it shows nothing: else what has left is seen everywhere.
    thinned = rest[:1] + [m for m in rest[1:] if m.presence > 0 and m.frame_index % EVERY == 0]
    timed = thinned[: max(history.settings.recent - len(anchors), 0)]
    untimed = {**selected, **anchors}
    spatial = [(memory, 0) for memory in untimed.values()]
    spatial += [(m, rank) for rank, m in reversed(list(enumerate(timed, start=1)))]
    pointers = _past(untimed, now, reverse)
    others = _pointers_by_distance(history, unselected, now, reverse, num_frames)
    pointers += [pair for pair in others if pair[0].frame_index not in anchors]
    return Selection(tuple(spatial), tuple(pointers), max(_most_pointers(history, num_frames), 1))


def is_anchor(history: History, memory: Memory) -> bool:
    """Whether a memory is sure, of a size that is steady, some frames from the last one that was
    held on to, and of a frame in which the decoder saw something else as well (DAM4SAM, section
    3.2.2)."""
    if memory.area is None or memory.rival is None or memory.presence <= 0 or memory.given:
        return False
    now, reverse = memory.frame_index, bool(memory.reverse)
    before = median([m.area for m in _latest_shown(history, now, reverse) if m.area] or [0.0])
    held = [m.frame_index for m in history.latest_first(now, reverse) if m.anchor]
    held += [m.frame_index for m, _ in _past(history.prompted, now, reverse)]
    least, most = STEADY
    return (
        memory.iou > SURE_IOU
        and memory.rival <= RIVALLED
        and least * before <= memory.area <= most * before
        and all(abs(now - index) > APART for index in held)
    )


def _is_anchor(memory: Memory) -> bool:
    return memory.anchor and memory.is_spatial


def _latest_shown(history: History, now: int, reverse: bool) -> Iterator[Memory]:
    others = {i: m for i, m in history.prompted.items() if m.area}
    shown = (m for m in history.latest_first(now, reverse, others) if m.presence > 0 and m.area)
    return islice(shown, STEADY_OVER)


def _seen_or_shown(history: History, now: int, reverse: bool) -> Kept:
    after = now - 1 if reverse else now + 1
    spatial, pointers = _seen_by(distractor_aware)(history, now, reverse)
    shown = {m.frame_index for m in _latest_shown(history, after, reverse)}
    return spatial, {*pointers, *shown}


# --- what they share ---


def closest_prompted(history: History, now: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
    """Split the prompted memories into those seen, the closest in time, and the rest.

    In the order of their frames, so that the order in which they came makes no difference.
    """
    prompted = {t: history.prompted[t] for t in sorted(history.prompted)}
    limit = history.settings.max_prompted
    if limit is None or len(prompted) <= limit:
        return prompted, {}
    before = max((t for t in prompted if t < now), default=None)
    after = min((t for t in prompted if t >= now), default=None)
    chosen = [t for t in (before, after) if t is not None]
    rest = sorted((t for t in prompted if t not in chosen), key=lambda t: abs(t - now))
    chosen += rest[: max(limit - len(chosen), 0)]
    selected = {t: prompted[t] for t in chosen}
    return selected, {t: m for t, m in prompted.items() if t not in selected}


def _recent_indices(history: History, now: int, reverse: bool) -> Iterator[tuple[int, int]]:
    """(age, frame index) of the recent frames that are seen, oldest first.

    The frame just before comes first whatever the stride; before it, the frames whose index is a
    multiple of the stride, so that the same ones are seen for a while.
    """
    stride, sign = history.settings.stride, -1 if reverse else 1
    for age in range(history.settings.recent, 0, -1):
        if age == 1:
            yield age, now - sign
            continue
        # Round away from the current frame: down when going forward, up in reverse.
        nearest = sign * ((sign * now - 2) // stride) * stride
        yield age, nearest - sign * (age - 2) * stride


def _past(memories: dict[int, Memory], now: int, reverse: bool) -> list[tuple[Memory, int]]:
    """Those of the past, in the direction of tracking, with their distances."""
    sign = -1 if reverse else 1
    distances = ((memory, sign * (now - index)) for index, memory in memories.items())
    return [(memory, distance) for memory, distance in distances if distance >= 0]


def _pointers_by_distance(
    history: History,
    unselected: dict[int, Memory],
    now: int,
    reverse: bool,
    num_frames: int | None,
) -> list[tuple[Memory, int]]:
    sign = -1 if reverse else 1
    found = []
    for distance in range(1, _most_pointers(history, num_frames) + 1):
        index = now - sign * distance
        memory = history.tracked(index) or unselected.get(index)
        if memory is not None:
            found.append((memory, distance))
    return found


def _most_pointers(history: History, num_frames: int | None) -> int:
    """The pointers of tracked frames that are seen at most."""
    most = history.settings.max_pointers
    return (most if num_frames is None else min(num_frames, most)) - 1


def _seen_by(select: Select) -> Callable[[History, int, bool], Kept]:
    """Keep what a correction of this frame sees, and what the next frame does: what neither sees,
    no later one would."""

    def kept(history: History, now: int, reverse: bool) -> Kept:
        after = now - 1 if reverse else now + 1
        both = [select(history, t, reverse, None) for t in (now, after)]
        spatial = {memory.frame_index for s in both for memory, _ in s.spatial}
        pointers = {memory.frame_index for s in both for memory, _ in s.pointers}
        return spatial, pointers

    return kept


POLICIES: dict[PolicyName, Policy] = {
    "sam2": Policy(latest, near),
    "filtered": Policy(filtered, _seen_by(filtered)),
    "distractor_aware": Policy(distractor_aware, _seen_or_shown, is_anchor, asks=True),
}
