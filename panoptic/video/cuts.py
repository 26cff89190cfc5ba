"""Where shots change: a distance of frames that motion and light alone don't make large.

Two measures that fail in different ways are multiplied. Colour histograms don't mind motion, and
the difference of thumbnails, taken at the best of some shifts, doesn't mind light: both are taken
with the overall brightness (for the thumbnail also the contrast) divided out. A cut changes both.
Light that is too much for the camera, as a flash is, cuts off what is bright: two frames of
different brightness are compared with the darker one brightened and cut off alike.

A cut within one palette, to the mirrored view of a place or to a close-up of it, leaves the colours
as they are. It is told by the image features that the tracker has of every frame, coarse and in
their places (``Tracker.overview``): how little of them is explained by those of the frame before,
one cell moved at most. What model it is and how lively the shot, is all in the recent past, so that
it counts as a multiple of that. Features mind light more than the other two measures do; where it
changes they aren't asked.

Changes that take several frames are told by ``soft_transitions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image

from panoptic.settings.video import VideoSettings
from panoptic.video.soft_transitions import Dips, has_dissolved

SIDE = 32
"""Of the thumbnails: small enough that details and noise don't count."""
SHIFT = 4
"""Cells that a camera may move between two frames: an eighth of the picture."""
WINDOW = 32
"""Frames that are looked back over: dissolves take half a second to a second."""
_BINS = 4  # of the histogram, along each of red, green and blue
_GREY = 110.0
_NOISE = 4.0  # grey levels; an even picture has no contrast to divide by
_RECENT = 8
_EVEN = 6.0  # grey levels; what has less contrast shows nothing: black, white, a lens cap
_LIGHTER = 1.25  # times as bright: from there on it may be the light
_MOVED = 1
"""Cells of an overview that a camera may move between two frames: a twelfth of the picture."""


@dataclass(frozen=True, eq=False)
class FrameSignature:
    """What is kept of a frame: ``small``, RGB uint8 (SIDE, SIDE, 3), and what follows from it."""

    small: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> FrameSignature:
        """Of an RGB uint8 picture (H, W, 3) of any size."""
        small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)
        return cls(np.asarray(small))

    def __deepcopy__(self, memo: object) -> FrameSignature:
        return self  # it is never changed

    @cached_property
    def rgb(self) -> np.ndarray:
        """``small`` in float32."""
        return self.small.astype(np.float32)

    @cached_property
    def brightness(self) -> float:
        return float(self.rgb.mean())

    @cached_property
    def contrast(self) -> float:
        """Standard deviation in grey levels."""
        return float(self.rgb.mean(axis=2).std())

    @property
    def shows_nothing(self) -> bool:
        return self.contrast < _EVEN

    @cached_property
    def thumbnail(self) -> np.ndarray:
        """Grey (SIDE, SIDE), of mean 0 and contrast 1."""
        grey = self.rgb.mean(axis=2)
        return (grey - grey.mean()) / (self.contrast + _NOISE)

    @cached_property
    def histogram(self) -> np.ndarray:
        """Shares (_BINS ** 3,) of colours, at one brightness for all frames."""
        balanced = self.rgb * (_GREY / max(self.brightness, 1.0))
        cells = np.clip((balanced * (_BINS / 256)).astype(int), 0, _BINS - 1)
        flat = cells @ np.array([_BINS * _BINS, _BINS, 1])
        return np.bincount(flat.ravel(), minlength=_BINS**3) / flat.size

    def state(self) -> str:
        """Text, for :meth:`from_state`."""
        return self.small.tobytes().hex()

    @classmethod
    def from_state(cls, state: str) -> FrameSignature:
        small = np.frombuffer(bytes.fromhex(state), np.uint8)
        return cls(small.reshape(SIDE, SIDE, 3))


def distance(one: FrameSignature, other: FrameSignature) -> float:
    """In [0, 1]: the geometric mean of the two measures, in the light that makes it least."""
    far = _distance(one, other)
    dark, bright = sorted((one, other), key=lambda signature: signature.brightness)
    if bright.brightness <= _LIGHTER * max(dark.brightness, 1.0):
        return far
    return min(far, *(_distance(lit, bright) for lit in _in_light(dark, bright.brightness)))


class CutDetector:
    """Says of every frame of a stream whether another shot begins with it.

    Of a change that takes several frames the first frame after it is the one; in a short one, or
    where the picture comes back from black, a frame of its own end may be it. Frames that show
    nothing are passed over. ``last`` is the signature of the latest frame that shows something.
    """

    def __init__(self, settings: VideoSettings) -> None:
        self.threshold = settings.cut_distance
        self.ratio = settings.cut_ratio
        self.last: FrameSignature | None = None
        self._recent: list[float] = []
        self._overview: np.ndarray | None = None
        self._recently_unlike: list[float] = []
        self._past: list[FrameSignature] = []
        self._cut_at: int | None = None  # the latest cut within _past
        self._dips = Dips[FrameSignature]()

    def step(self, image: np.ndarray, overview: np.ndarray | None = None) -> bool:
        """Take the next frame, RGB uint8 (H, W, 3), with its image features (C, G, G), if there are
        any. The first frame is no cut."""
        signature, last = FrameSignature.of(image), self.last
        if signature.shows_nothing:
            self._dips.begin(self._past)
            return False
        self.last = signature
        self._past.append(signature)
        if len(self._past) > WINDOW:
            del self._past[0]
            self._cut_at = None if not self._cut_at else self._cut_at - 1
        elsewhere = self._is_elsewhere(last, signature, overview)
        if last is None:
            return False
        far = distance(last, signature)
        # The median of some, so that one cut doesn't hide the next.
        usual = float(np.median(self._recent)) if len(self._recent) >= _RECENT // 2 else 0.0
        self._recent = [*self._recent, far][-_RECENT:]
        before = self._dips.look_back()
        other = before is not None and distance(before, signature) >= self.threshold
        if other or elsewhere or (far >= self.threshold and far >= self.ratio * usual):
            self._dips.end()
            self._cut_at = len(self._past) - 1
            self._recently_unlike = []  # how lively another shot is has to be seen first
            return True
        start = has_dissolved([s.rgb for s in self._past], self._cut_at)
        if start is not None and distance(self._past[start], signature) >= self.threshold:
            self._past, self._cut_at = [signature], None
            return True
        return False

    def _is_elsewhere(
        self, last: FrameSignature | None, now: FrameSignature, overview: np.ndarray | None
    ) -> bool:
        """Whether a frame shows another place by its features, in the same light as the last."""
        before, self._overview = self._overview, overview
        if last is None or before is None or overview is None:
            return False
        dark, bright = sorted((last.brightness, now.brightness))
        if bright > _LIGHTER * max(dark, 1.0):
            return False
        unlike, past = unexplained(before, overview), self._recently_unlike
        self._recently_unlike = [*past, unlike][-_RECENT:]
        if len(past) < _RECENT // 2:
            return False  # there is no past yet to judge it by
        return unlike >= self.threshold and unlike >= self.ratio * float(np.median(past))

    def state(self) -> dict[str, Any]:
        """Numbers, text, lists and a tensor, for :meth:`load_state`."""
        return {
            "overview": None if self._overview is None else torch.from_numpy(self._overview),
            "recently_unlike": list(self._recently_unlike),
            "last": None if self.last is None else self.last.state(),
            "recent": list(self._recent),
            "past": [signature.state() for signature in self._past],
            "cut_at": self._cut_at,
            "dip": None if self._dips.before is None else self._dips.before.state(),
            "dip_left": self._dips.left,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        restore = FrameSignature.from_state
        self._overview = None if state["overview"] is None else state["overview"].numpy()
        self._recently_unlike = list(state["recently_unlike"])
        self._recent = list(state["recent"])
        self.last = None if state["last"] is None else restore(state["last"])
        self._past = [restore(text) for text in state["past"]]
        self._cut_at = state["cut_at"]
        self._dips.before = None if state["dip"] is None else restore(state["dip"])
        self._dips.left = int(state["dip_left"])


def unexplained(one: np.ndarray, other: np.ndarray) -> float:
    """In [0, 2]: 1 less the correlation of two overviews (C, G, G) where they overlap, at the shift
    where it is greatest. 0 for the same, about 1 for what has nothing to do with each other."""
    greatest = -1.0
    for dy in range(-_MOVED, _MOVED + 1):
        rows = _overlap(dy, one.shape[1])
        for dx in range(-_MOVED, _MOVED + 1):
            columns = _overlap(dx, one.shape[2])
            a, b = (
                x[:, r, c].astype(np.float64)
                for x, r, c in zip((one, other), rows, columns, strict=True)
            )
            a, b = (x - x.mean(axis=(1, 2), keepdims=True) for x in (a, b))
            size = float(np.sqrt((a * a).sum() * (b * b).sum()))
            # What is even in both shows the same.
            greatest = max(greatest, float((a * b).sum()) / size if size > 0 else 1.0)
    return 1.0 - greatest


def _distance(one: FrameSignature, other: FrameSignature) -> float:
    colours = 1.0 - float(np.minimum(one.histogram, other.histogram).sum())
    return float(np.sqrt(max(colours, 0.0) * min(_shape_distance(one, other), 1.0)))


def _in_light(dark: FrameSignature, brightness: float) -> list[FrameSignature]:
    """A frame brought to a brightness by more of its light, and by light from elsewhere; both cut
    off at white."""
    found = []
    for light, most in ((np.multiply, 64.0), (np.add, 255.0)):
        low, high = 0.0, most
        for _ in range(12):
            middle = (low + high) / 2
            if np.minimum(light(dark.rgb, middle), 255).mean() < brightness:
                low = middle
            else:
                high = middle
        found.append(FrameSignature(np.minimum(light(dark.rgb, high), 255).astype(np.uint8)))
    return found


def _shape_distance(one: FrameSignature, other: FrameSignature) -> float:
    """Mean difference of the thumbnails where they overlap, at the shift where it is least."""
    a, b = one.thumbnail, other.thumbnail
    least = np.inf
    for dy in range(-SHIFT, SHIFT + 1):
        rows_a, rows_b = _overlap(dy, SIDE)
        for dx in range(-SHIFT, SHIFT + 1):
            columns_a, columns_b = _overlap(dx, SIDE)
            gap = np.abs(a[rows_a, columns_a] - b[rows_b, columns_b]).mean()
            least = min(least, float(gap))
    return least


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    return (
        slice(max(shift, 0), side + min(shift, 0)),
        slice(max(-shift, 0), side + min(-shift, 0)),
    )
