"""Points and boxes as prompts for SAM 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEGATIVE, POSITIVE, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT, PADDING = 0, 1, 2, 3, -1


@dataclass(frozen=True, eq=False)
class Prompt:
    """A batch of N prompts, one mask asked by each, of up to K points.

    ``points_nk2`` float32, x and y in pixels of the image; the middle of the top left pixel is
    (0, 0), as SAM 2 counts. ``labels_nk`` int64: 1 inside the object, 0 outside of it, 2 and 3
    the top left and bottom right corner of its box, -1 padding (the point doesn't count).

    Raises ``ValueError`` for other shapes or labels, for points that aren't finite, and for a box
    corner without its counterpart.
    """

    points_nk2: np.ndarray
    labels_nk: np.ndarray

    def __post_init__(self) -> None:
        points = np.asarray(self.points_nk2, dtype=np.float32)
        labels = np.asarray(self.labels_nk)
        if points.ndim != 3 or points.shape[2] != 2 or labels.shape != points.shape[:2]:
            raise ValueError(
                "expected points (N, K, 2) and labels (N, K), "
                f"got {points.shape} and {labels.shape}"
            )
        if labels.size and not np.isin(labels, (-1, 0, 1, 2, 3)).all():
            raise ValueError(
                f"labels must be 1, 0, 2, 3 or -1, got {sorted(set(labels.ravel().tolist()))}"
            )
        if not np.isfinite(points).all():
            raise ValueError("points must be finite numbers of pixels")
        corners = [(labels == corner).sum(axis=1) for corner in (BOX_TOP_LEFT, BOX_BOTTOM_RIGHT)]
        if (corners[0] != corners[1]).any() or (corners[0] > 1).any():
            raise ValueError("a prompt has either no box or one, with a point 2 and a point 3")
        object.__setattr__(self, "points_nk2", points)
        object.__setattr__(self, "labels_nk", labels.astype(np.int64))

    @classmethod
    def empty(cls) -> Prompt:
        return cls(np.zeros((0, 0, 2)), np.zeros((0, 0), dtype=np.int64))

    @classmethod
    def from_points(
        cls,
        points: Sequence[np.ndarray] | np.ndarray,
        labels: Sequence[np.ndarray] | np.ndarray | None = None,
    ) -> Prompt:
        """One prompt from each item: ``points[i]`` (K_i, 2) with ``labels[i]`` (K_i,).

        K may differ, shorter prompts are padded. Without labels all points are positive.
        """
        if labels is None:
            labels = [np.ones(len(p), dtype=np.int64) for p in points]
        if len(points) != len(labels):
            raise ValueError(f"got points of {len(points)} prompts, but labels of {len(labels)}")
        rows = zip(points, labels, strict=True)
        return cls.concatenate([cls(np.asarray(p)[None], np.asarray(at)[None]) for p, at in rows])

    @classmethod
    def from_boxes(cls, boxes_n4: np.ndarray) -> Prompt:
        """One prompt from each box, xyxy in pixels: its corners as two points, 2 and 3."""
        boxes = np.asarray(boxes_n4, dtype=np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"expected boxes (N, 4) as xyxy, got {boxes.shape}")
        if (boxes[:, :2] > boxes[:, 2:]).any():
            raise ValueError("expected boxes as x1, y1, x2, y2 with x1 <= x2 and y1 <= y2")
        labels = np.tile(np.array([[BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]]), (len(boxes), 1))
        return cls(boxes.reshape(-1, 2, 2), labels)

    @classmethod
    def concatenate(cls, prompts: Sequence[Prompt]) -> Prompt:
        """All prompts one after another as one batch, padded to the longest."""
        kept = [p for p in prompts if len(p)]
        if not kept:
            return cls.empty()
        longest = max(p.length for p in kept)
        padded = [p.padded(longest) for p in kept]
        return cls(
            np.concatenate([p.points_nk2 for p in padded]),
            np.concatenate([p.labels_nk for p in padded]),
        )

    def with_points(self, other: Prompt) -> Prompt:
        """The same N prompts, each with the other's points as well (a box and clicks in it)."""
        if len(self) != len(other):
            raise ValueError(f"expected {len(self)} prompts to add points to, got {len(other)}")
        return Prompt(
            np.concatenate([self.points_nk2, other.points_nk2], axis=1),
            np.concatenate([self.labels_nk, other.labels_nk], axis=1),
        )

    def padded(self, length: int) -> Prompt:
        """The same prompts with padding up to ``length`` points each."""
        missing = length - self.length
        if missing < 0:
            raise ValueError(f"prompts of {self.length} points can't be padded to {length}")
        return Prompt(
            np.pad(self.points_nk2, ((0, 0), (0, missing), (0, 0))),
            np.pad(self.labels_nk, ((0, 0), (0, missing)), constant_values=PADDING),
        )

    @property
    def length(self) -> int:
        """K, the number of points a prompt, with padding."""
        return self.labels_nk.shape[1]

    def __len__(self) -> int:
        return self.labels_nk.shape[0]

    def __getitem__(self, index: slice | np.ndarray | Sequence[int]) -> Prompt:
        """Some of the prompts, by slice, mask or list of positions."""
        chosen = index if isinstance(index, slice) else np.asarray(index)
        if isinstance(chosen, np.ndarray) and chosen.size == 0:
            chosen = slice(0, 0)
        return Prompt(self.points_nk2[chosen], self.labels_nk[chosen])
