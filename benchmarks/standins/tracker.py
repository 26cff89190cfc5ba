"""A tracker that knows the truth, and loses it as SAM 2 does: drift, look-alikes, occlusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch

from benchmarks.standins.dials import check_not_negative, check_shares
from benchmarks.standins.looks import LookErrors, look_within, overview
from benchmarks.standins.picture_motion import moved, shift_between, thumbnail
from benchmarks.standins.shapes import GRID, SIDE, Shapes, displaced, iou, to_grid, to_logits
from benchmarks.standins.truth import Truths, rng_of
from sam2core import TrackedFrame
from sam2core.arrays import as_id, as_mask
from sam2core.errors import PromptError, UnknownObjectError
from sam2core.transforms import as_rgb

_ABSENT = -1024.0
_BOUND = 0.5
"""Least IoU of a prompt with true segments at which it is these that are followed."""
_PURE = 0.7
"""Share of a smaller prompt inside one thing from which on it is a part of it that is followed."""


@dataclass(frozen=True)
class TrackErrors:
    """What a tracker gets wrong; as it is by default, nothing. Rates are of one object, a frame."""

    drift: float = 0.0
    """How much the outline is off, as share of the root of the area, after each frame since the
    last prompt, ..."""
    most_drift: float = 0.2
    """... and at most."""
    edge: float = 0.0
    """As of ``MaskErrors``: how soft outlines are, in cells of the logits."""
    height: float = 10.0
    """As of ``MaskErrors``: the largest logit."""
    forgets_after: int = 30
    """What was out of sight for more frames than this ..."""
    forgets: float = 0.0
    """... isn't found again, so often."""
    jumps: float = 0.0
    """How often it goes on with a look-alike (of one category) that is close to it, or that is in
    sight while it isn't."""
    swallows: float = 0.0
    """How often it takes in a neighbour, and keeps it until it is prompted again."""
    absent: float = 0.0
    """How often it says of something in sight that it isn't there, for this frame."""
    ghosts: float = 0.0
    """How often it shows something that is out of sight, where it was last."""
    iou_bias: float = 0.0
    iou_noise: float = 0.0
    looks: LookErrors = field(default_factory=LookErrors)
    """What its looks at masks say too little of."""

    def __post_init__(self) -> None:
        check_shares(self, ("forgets", "jumps", "swallows", "absent", "ghosts"))
        signed = ("iou_bias", "looks")
        check_not_negative(self, (f.name for f in fields(self) if f.name not in signed))


@dataclass(frozen=True, eq=False)
class _Followed:
    """What is followed: ``ids`` of the truth (and what was ``swallowed``), a ``part`` of the first
    of them (as it fills its box, bool (64, 64)), or, without ids, a ``shape`` (GRID, GRID) that
    moves with the picture. ``category`` is that of the first, ``mask`` (GRID, GRID) the last one
    that was shown."""

    ids: tuple[int, ...]
    mask: np.ndarray
    category: int | None = None
    part: np.ndarray | None = None
    shape: np.ndarray | None = None
    swallowed: tuple[int, ...] = ()
    age: int = 0
    unseen: int = 0
    forgotten: bool = False


@dataclass(frozen=True, eq=False)
class _Shown:
    logits: np.ndarray
    iou: float
    presence: float


class StandinTracker:
    """Follows objects by the truth of every frame that it is shown, as a stream, in any order.

    A mask that it is prompted with is taken for the true segments that it fits; one that is inside
    a thing, for a part of it; another is followed as it is, as if painted on the background.
    """

    def __init__(self, truths: Truths, errors: TrackErrors | None = None, seed: int = 0) -> None:
        self.truths = truths
        self.errors = errors or TrackErrors()
        self.seed = seed
        self._followed: dict[int, _Followed] = {}
        self._shown: dict[int, _Shown] = {}
        self._index = -1
        self._size = (0, 0)
        self._shapes: Shapes | None = None
        self._thumb: np.ndarray | None = None

    @property
    def object_ids(self) -> tuple[int, ...]:
        return tuple(self._followed)

    @property
    def frame_index(self) -> int:
        return self._index

    def step(self, frame: Any) -> TrackedFrame:
        return self.follow(frame)

    def remember(self, masks: Any = None, *, logits: Any = None, without: Any = ()) -> TrackedFrame:
        return self.current()  # it follows the truth, whatever was remembered

    def follow(self, frame: Any) -> TrackedFrame:
        """Follow everything into the next frame. ``ValueError`` if its truth isn't known."""
        rgb = as_rgb(frame)
        self._shapes = Shapes(self.truths.of(rgb))
        self._index, self._size = self._index + 1, (rgb.shape[0], rgb.shape[1])
        thumb = thumbnail(rgb)
        shift = (0.0, 0.0) if self._thumb is None else shift_between(self._thumb, thumb)
        self._thumb = thumb
        for id, one in list(self._followed.items()):
            self._followed[id], self._shown[id] = self._follow(one, self._shapes, shift)
        return self.current()

    def current(self) -> TrackedFrame:
        ids = self.object_ids
        shown = [self._shown[i] for i in ids]
        logits = np.stack([s.logits for s in shown]) if shown else np.zeros((0, SIDE, SIDE))
        return TrackedFrame(
            self._index,
            ids,
            torch.from_numpy(logits.astype(np.float32)),
            torch.tensor([s.iou for s in shown], dtype=torch.float32),
            torch.tensor([s.presence for s in shown], dtype=torch.float32),
            self._size,
        )

    def prompt_masks(self, object_ids: Sequence[int], masks: Any) -> TrackedFrame:
        """Follow what these masks (N, H, W) show from the frame at hand on."""
        shapes = self._at_hand()
        ids, given = [as_id(i) for i in object_ids], as_mask(masks, "masks")
        if given.ndim != 3 or len(given) != len(ids) or given.shape[1:] != self._size:
            raise PromptError(
                f"masks must be ({len(ids)}, {self._size[0]}, {self._size[1]}), got {given.shape}"
            )
        for id, mask in zip(ids, given, strict=True):
            on_grid = to_grid(mask)
            self._followed[id] = _bound(on_grid, shapes)
            logits = to_logits(on_grid, self.errors.edge, self.errors.height)
            self._shown[id] = _Shown(logits, 1.0, 10.0 if mask.any() else -10.0)
        return self.current()

    def remove(self, object_id: int) -> None:
        self._require(object_id)
        del self._followed[object_id], self._shown[object_id]

    def describe(self, mask: Any) -> np.ndarray:
        """What a mask (H, W) of the frame at hand shows, as a vector of length 1."""
        given, shapes = as_mask(mask, "mask"), self._at_hand()
        if given.shape != self._size:
            raise PromptError(f"mask must be {self._size}, got {given.shape}")
        return look_within(shapes, to_grid(given), self.errors.looks, self.seed)

    def overview(self) -> np.ndarray:
        """What the frame at hand shows where, (C, G, G)."""
        return overview(self._at_hand(), self.errors.looks, self.seed)

    def renumber(self, object_id: int, new_id: int) -> None:
        self._require(object_id)
        if new_id in self._followed:
            raise PromptError(f"an object {new_id} is tracked already; there are {self.object_ids}")
        for name in ("_followed", "_shown"):
            renamed = {new_id if i == object_id else i: v for i, v in getattr(self, name).items()}
            setattr(self, name, renamed)

    def copy(self) -> StandinTracker:
        other = copy(self)
        other._followed, other._shown = dict(self._followed), dict(self._shown)
        return other

    def look_again(self, frame: Any) -> None:
        self._shapes = Shapes(self.truths.of(as_rgb(frame)))

    def state(self) -> dict[str, Any]:
        """Numbers, lists and tensors, for :meth:`load_state`."""
        objects = [
            {
                **{"id": i, **{k: _plain(v) for k, v in vars(self._followed[i]).items()}},
                "shown": {k: _plain(v) for k, v in vars(self._shown[i]).items()},
            }
            for i in self._followed
        ]
        return {"index": self._index, "size": list(self._size), "reverse": False,
                "thumb": _plain(self._thumb), "objects": objects}  # fmt: skip

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._index = int(state["index"])
        self._size = (int(state["size"][0]), int(state["size"][1]))
        self._thumb, self._shapes = _array(state.get("thumb")), None
        self._followed, self._shown = {}, {}
        for one in state["objects"]:
            values = {k: _array(v) for k, v in one.items() if k not in ("id", "shown")}
            values |= {k: tuple(values[k]) for k in ("ids", "swallowed")}
            self._followed[int(one["id"])] = _Followed(**values)
            shown = {k: _array(v) for k, v in one["shown"].items()}
            self._shown[int(one["id"])] = _Shown(**shown)

    def _follow(
        self, one: _Followed, shapes: Shapes, shift: tuple[float, float]
    ) -> tuple[_Followed, _Shown]:
        e, nobody = self.errors, np.zeros((GRID, GRID), bool)
        one = replace(one, age=one.age + 1)
        if one.shape is not None:
            shape = moved(one.shape, shift)
            return replace(one, shape=shape, mask=shape), self._show(one, shapes, shape, shape)
        one = self._led_astray(one, shapes)
        true = shapes.of(one.ids) if one.ids and not one.forgotten else nobody
        if true.any():
            if one.unseen > e.forgets_after and self._happens(shapes, one, "forgets", e.forgets):
                one = replace(one, forgotten=True, unseen=one.unseen + 1, mask=nobody)
                return one, self._gone()
            if one.part is not None:
                true = true & _placed(one.part, true)
            mask = true | shapes.of(one.swallowed)
            one = replace(one, unseen=0, mask=mask)
            if self._happens(shapes, one, "absent", e.absent):
                return one, self._gone()
            return one, self._show(one, shapes, mask, true)
        one = replace(one, unseen=one.unseen + 1)
        if self._happens(shapes, one, "ghosts", e.ghosts) and not one.forgotten:
            return one, self._show(one, shapes, one.mask, one.mask)
        return one, self._gone()

    def _led_astray(self, one: _Followed, shapes: Shapes) -> _Followed:
        e = self.errors
        first = one.ids[0] if one.ids else 0
        if self._happens(shapes, one, "jumps", e.jumps):
            box = shapes.box(first)
            alike = {
                i: _gap(box, other)
                for i in shapes.areas
                if i != first
                and shapes.category(i) == one.category
                and (other := shapes.box(i)) is not None
            }
            near = {i: gap for i, gap in alike.items() if gap < 0.1 * GRID}
            if near:
                nearest = min(near, key=lambda i: (near[i], i))
                return replace(one, ids=(nearest,), part=None, forgotten=False, swallowed=())
        if self._happens(shapes, one, "swallows", e.swallows):
            beside = shapes.neighbour(first, (*one.ids, *one.swallowed))
            if beside is not None:
                return replace(one, swallowed=(*one.swallowed, beside))
        return one

    def _show(self, one: _Followed, shapes: Shapes, mask: np.ndarray, true: np.ndarray) -> _Shown:
        e = self.errors
        if not mask.any():
            return self._gone()
        off = min(e.drift * one.age, e.most_drift) * float(np.sqrt(mask.sum()))
        # The same way in every frame, so that it grows as drift does.
        rng = rng_of(self.seed, shapes.frame.clip, *one.ids, "drift")
        wrong = displaced(mask, off, rng)
        noise = self._rng(shapes, one, "iou").standard_normal()
        estimate = float(np.clip(iou(wrong, true) + e.iou_bias + e.iou_noise * noise, 0, 1))
        return _Shown(to_logits(wrong, e.edge, e.height), estimate, 6.0)

    def _gone(self) -> _Shown:
        return _Shown(np.full((SIDE, SIDE), _ABSENT, np.float32), 0.0, -6.0)

    def _happens(self, shapes: Shapes, one: _Followed, what: str, rate: float) -> bool:
        return rate > 0 and self._rng(shapes, one, what).random() < rate

    def _rng(self, shapes: Shapes, one: _Followed, what: str) -> np.random.Generator:
        return rng_of(self.seed, shapes.frame.clip, shapes.frame.index, *one.ids, what)

    def _at_hand(self) -> Shapes:
        if self._shapes is None:
            raise PromptError("there is no frame at hand yet: step first")
        return self._shapes

    def _require(self, object_id: int) -> None:
        if object_id not in self._followed:
            raise UnknownObjectError(
                f"no object {object_id} is tracked; there are {list(self._followed)}"
            )


def _bound(mask: np.ndarray, shapes: Shapes) -> _Followed:
    """What a prompt is of."""
    area = int(mask.sum())
    if not area:
        return _Followed((), mask, forgotten=True)
    numbers, counts = np.unique(shapes.ids[mask], return_counts=True)
    on = {int(n): int(c) for n, c in zip(numbers, counts, strict=True)}
    taken = [i for i in on if i and on[i] >= 0.5 * shapes.areas[i] and on[i] >= 0.1 * area]
    taken.sort(key=lambda i: (-on[i], i))
    if taken and iou(shapes.of(taken), mask) >= _BOUND:
        return _Followed(tuple(taken), mask, shapes.category(taken[0]))
    main = max(on, key=lambda i: (on[i], -i))
    if shapes.is_thing(main) and on[main] >= _PURE * area:
        part = _within_box(mask, shapes.ids == main)
        return _Followed((main,), mask, shapes.category(main), part=part)
    return _Followed((), mask, shape=mask)


def _within_box(mask: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A mask as it fills the box of another, bool (64, 64)."""
    ys, xs = np.nonzero(whole)
    rows = ys.min() + np.arange(64) * (np.ptp(ys) + 1) // 64
    columns = xs.min() + np.arange(64) * (np.ptp(xs) + 1) // 64
    return mask[rows[:, None], columns]


def _placed(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The other way round: in the box of another mask, bool (GRID, GRID)."""
    ys, xs = np.nonzero(whole)
    top, left, height, width = ys.min(), xs.min(), np.ptp(ys) + 1, np.ptp(xs) + 1
    rows, columns = np.arange(height) * 64 // height, np.arange(width) * 64 // width
    placed = np.zeros_like(whole)
    placed[top : top + height, left : left + width] = part[rows[:, None], columns]
    return placed


def _gap(one: Any, other: Any) -> float:
    """Between two boxes, in cells; 0 where there is no first one."""
    if one is None:
        return 0.0
    return max(one[0] - other[2], other[0] - one[2], one[1] - other[3], other[1] - one[3], 0.0)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    return list(value) if isinstance(value, tuple) else value


def _array(value: Any) -> Any:
    return value.numpy() if isinstance(value, torch.Tensor) else value
