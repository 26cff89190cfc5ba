"""A simulated annotator, who clicks until all is right or patience is at an end.

The protocol is that of the SAM 2 paper (arXiv 2408.00714, sections 5 and 6.1, offline): of a
segment the frame that is worst is gone to, and there the middle of the largest region of error is
clicked, up to three times; then all is brought into the frames around, and the next frame is the
one that is worst by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import ndimage

CLICKS_A_VISIT = 3
"""As in the paper. A frame isn't visited twice: what three clicks don't mend counts as spent."""


class Way(Protocol):
    """A way of labelling a clip by hand, with segments by their true ids."""

    clicks: dict[int, int]
    """What each segment has cost."""
    most_clicks: int | None
    """The budget of a segment; None: three clicks in each frame."""

    def begin(self, frame: int, id: int) -> None:
        """A segment is seen for the first time, and looked at there: where it has no mask yet, it
        may be given one by other means than clicks."""

    def shown(self, frame: int) -> np.ndarray:
        """The ids of a frame's pixels, int (H, W)."""

    def click(self, frame: int, id: int, point: tuple[int, int], positive: bool) -> None: ...

    def propagate(self) -> None:
        """Bring what was said since the last time into other frames."""


@dataclass(frozen=True, eq=False)
class Task:
    """``truth`` (T, H, W) of ids, and by segment the frames in which it counts."""

    truth: np.ndarray
    counted: Mapping[int, tuple[int, ...]]


@dataclass
class Effort:
    """What one segment took: clicks, the frames touched, and the share of its frames that have the
    IoU asked for in the end, with their mean IoU."""

    clicks: int = 0
    touched: set[int] = field(default_factory=set)
    reached: float = 0.0
    iou: float = 0.0


def middle_of_error(true: np.ndarray, shown: np.ndarray) -> tuple[tuple[int, int], bool]:
    """The pixel (x, y) of the largest connected region of error that is farthest from its border,
    and whether it belongs to the segment. ``ValueError`` where nothing is wrong."""
    best: tuple[int, tuple[int, int], bool] | None = None
    for wrong, positive in ((true & ~shown, True), (shown & ~true, False)):
        regions, count = ndimage.label(wrong)
        if not count:
            continue
        sizes = np.bincount(regions.ravel())[1:]
        largest = np.pad(regions == sizes.argmax() + 1, 1)
        depth = ndimage.distance_transform_edt(largest)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        if best is None or sizes.max() > best[0]:
            best = int(sizes.max()), (int(x), int(y)), positive
    if best is None:
        raise ValueError("there is nothing to click: what is shown is the truth")
    return best[1], best[2]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of two masks; 1 for two empty ones."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def annotate(way: Way, task: Task, goal: float) -> dict[int, Effort]:
    """Have every counted frame of every segment reach an IoU, or all that may be spent, spent."""
    efforts = {id: Effort() for id in task.counted}

    def ious(ids: Mapping[int, tuple[int, ...]]) -> dict[int, dict[int, float]]:
        frames = {frame for id in ids for frame in task.counted[id]}
        maps = {frame: way.shown(frame) for frame in frames}
        return {
            id: {t: overlap(task.truth[t] == id, maps[t] == id) for t in task.counted[id]}
            for id in ids
        }

    for id, frames in task.counted.items():
        way.begin(frames[0], id)
    way.propagate()
    while True:
        visited = False
        for id, found in ious(task.counted).items():
            effort = efforts[id]
            short = {t: iou for t, iou in found.items() if iou < goal and t not in effort.touched}
            most = way.most_clicks
            if not short or (most is not None and way.clicks[id] + CLICKS_A_VISIT > most):
                continue
            visited = True
            unseen = not any(found.values())
            frame = min(short) if unseen else min(short, key=lambda t: (short[t], t))
            effort.touched.add(frame)
            _visit(way, task, id, frame, goal)
        if not visited:
            break
        way.propagate()
    for id, found in ious(task.counted).items():
        each = np.array(list(found.values()))
        efforts[id].clicks = way.clicks[id]
        efforts[id].reached, efforts[id].iou = float((each >= goal).mean()), float(each.mean())
    return efforts


def _visit(way: Way, task: Task, id: int, frame: int, goal: float) -> None:
    true = task.truth[frame] == id
    for _ in range(CLICKS_A_VISIT):
        shown = way.shown(frame) == id
        if overlap(true, shown) >= goal:
            return
        way.click(frame, id, *middle_of_error(true, shown))
        way.clicks[id] += 1
