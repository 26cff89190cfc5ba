"""How well first-frame masks are carried through held-out clips: J&F, and presence."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.demo.artwork import TRAINING_VENDORS, UNSEEN_VENDOR, load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import World
from panoptic.measure.contour import boundary_f
from sam2core import Sam2
from sam2core.tracker import VideoTracker
from training.sam2_metrics import mask_iou
from training.scenes import HELD_OUT_WORLD

LEAST_PIXELS = 40  # of an object that is followed, in the first frame
UNSURE_PIXELS = 8  # what shows less than this, and more than nothing, isn't asked for presence


@functools.lru_cache(maxsize=4)
def held_out_clips(
    count: int, frames: int, unseen: bool = False, seen: tuple[str, ...] = TRAINING_VENDORS
) -> tuple[Clip, ...]:
    """Clips of a world that no training sees, scenario after scenario."""
    vendors = (UNSEEN_VENDOR,) if unseen else seen
    world = World(load_artwork(vendors), seed=HELD_OUT_WORLD)
    names = list(SCENARIOS)
    # A step that is prime to their number takes few clips from all over the list.
    return tuple(make_clip(world, names[4 * i % len(names)], i, frames) for i in range(count))


def follow_clip(model: Sam2, clip: Clip) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Ids of the objects in the first frame, the masks (T, N, H, W) found for them in all frames
    when given those of the first, and presence (T, N)."""
    ids = [i for i, track in clip.tracks.items() if track.visible[0] >= LEAST_PIXELS]
    tracker = VideoTracker(model, clip.frames)
    tracker.prompt_masks(ids, [clip.truth[0].ids == i for i in ids], frame_index=0)
    masks, presence = [], []
    for frame in tracker.propagate():
        masks.append(frame.masks())
        presence.append(frame.presence.cpu().numpy() > 0)
    return ids, np.stack(masks), np.stack(presence)


@dataclass(frozen=True)
class Followed:
    """How one object was followed: mean J and F over the frames after the first, and, for a
    thing, of each frame whether presence was right where it was ``hidden``, or ``visible``."""

    scenario: str
    is_thing: bool
    j: float
    f: float
    hidden: tuple[bool, ...]
    visible: tuple[bool, ...]


def score_clip(model: Sam2, clip: Clip) -> list[Followed]:
    """The scores of all objects of a clip's first frame."""
    ids, masks, presence = follow_clip(model, clip)
    scores = []
    for column, i in enumerate(ids):
        track = clip.tracks[i]
        pairs = [
            (found[column], truth.ids == i)
            for found, truth in zip(masks[1:], clip.truth[1:], strict=True)
        ]
        seen, said = track.visible[1:], presence[1:, column]
        scores.append(
            Followed(
                clip.scenario,
                track.is_thing,
                float(np.mean([mask_iou(*pair) for pair in pairs])),
                float(np.mean([boundary_f(*pair) for pair in pairs])),
                tuple((~said[seen == 0]).tolist()) if track.is_thing else (),
                tuple(said[seen >= UNSURE_PIXELS].tolist()) if track.is_thing else (),
            )
        )
    return scores


def summary(scores: Sequence[Followed]) -> dict[str, float]:
    """Means over objects of J, F and both (0 to 1), of both over things alone; and the share of
    right presence in frames where a thing is hidden, and where it is visible."""
    j, f = (float(np.mean([getattr(s, k) for s in scores])) for k in ("j", "f"))
    metrics = {"J&F": (j + f) / 2, "J": j, "F": f}
    parts: dict[str, Sequence[float]] = {
        "J&F things": [(s.j + s.f) / 2 for s in scores if s.is_thing],
        "absent when hidden": [right for s in scores for right in s.hidden],
        "present when visible": [right for s in scores for right in s.visible],
    }
    return metrics | {name: float(np.mean(values)) for name, values in parts.items() if values}


def clip_metrics(model: Sam2, clips: Sequence[Clip]) -> dict[str, float]:
    """The :func:`summary` over all objects of some clips."""
    return summary([score for clip in clips for score in score_clip(model, clip)])
