"""Clips of the demo world: every frame with exact truth, ids that stay, hidden spans known."""

from __future__ import annotations

import itertools
import operator
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from panoptic.demo.canvas import Canvas
from panoptic.demo.casting import Manner
from panoptic.demo.elements import Actor, Ground, View
from panoptic.demo.motion import Shot, at_time
from panoptic.demo.scenarios import LONG_SCENARIOS, SCENARIOS
from panoptic.demo.scenes import World
from panoptic.demo.stage import Stage
from panoptic.results.segmentation import PanopticSegmentation


@dataclass(frozen=True)
class Span:
    """Frames ``start`` to ``stop`` (exclusive) in which something isn't seen, and why: "covered"
    by something else, "outside" the picture, or "cut": the shot shows another place."""

    start: int
    stop: int
    reason: str


@dataclass(frozen=True)
class Track:
    """One thing or one kind of stuff through a clip, ``id`` being its id in every frame.

    ``visible`` (T,) counts the pixels that show in each frame; ``full`` those that would show if
    nothing stood before it (for stuff the same as ``visible``). ``present`` (T,) is False in shots
    of other places.
    """

    id: int
    name: str
    is_thing: bool
    visible: np.ndarray
    full: np.ndarray
    present: np.ndarray

    @property
    def hidden(self) -> tuple[Span, ...]:
        """The spans without a visible pixel since it was first seen (none if it never was)."""
        seen = np.flatnonzero(self.visible)
        if not len(seen):
            return ()
        spans: list[Span] = []
        for frame in range(int(seen[0]), len(self.visible)):
            if self.visible[frame]:
                continue
            reason = "cut" if not self.present[frame] else "covered" if self.full[frame] else None
            reason = reason or "outside"
            if spans and spans[-1].stop == frame and spans[-1].reason == reason:
                spans[-1] = Span(spans[-1].start, frame + 1, reason)
            else:
                spans.append(Span(frame, frame + 1, reason))
        return tuple(spans)


@dataclass(frozen=True)
class Clip:
    """Frames, uint8 RGB (T, H, W, 3), and the truth of each; ids mean the same in every frame.

    ``tracks`` tells by id what each object went through. ``cuts`` are the frames that begin a new
    shot (the first frame isn't one).
    """

    scenario: str
    frames: np.ndarray
    truth: tuple[PanopticSegmentation, ...]
    tracks: Mapping[int, Track]
    cuts: tuple[int, ...]


def make_clip(
    world: World,
    scenario: str,
    seed: int | np.random.Generator,
    frames: int = 48,
    size: tuple[int, int] = (192, 192),
    *,
    augment: float = 0.0,
    anything: bool = False,
) -> Clip:
    """Make a clip of a scenario, long ones too; the same seed gives the same bytes.

    The truth has every visible pixel of a thing, be they few: ``Track.visible`` tells how many.

    Args:
        frames: how many, 8 or more; the same story is told faster or slower.
        size: height and width in pixels.
        augment: the share of things in a changed style, as for ``World.scene``.
        anything: unnamed pictures and shapes, as for ``World.scene``.

    Raises:
        ValueError: there is no such scenario, or ``frames`` or ``size`` is too small.
    """
    stories = {**SCENARIOS, **LONG_SCENARIOS}
    if scenario not in stories:
        raise ValueError(f"no scenario {scenario!r}; there are {', '.join(stories)}")
    if frames < 8:
        raise ValueError(f"a clip needs at least 8 frames to tell its story, not {frames}")
    # The name enters, so that the same seed isn't the same picture in every scenario.
    tale = zlib.crc32(scenario.encode())
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng((seed, tale))
    stage = Stage(world, rng, size, Manner(augment, anything))
    shots = stories[scenario](stage)
    return _render(world, rng, scenario, shots, stage.names, frames, size)


def _render(
    world: World,
    rng: np.random.Generator,
    scenario: str,
    shots: Sequence[Shot],
    names: Mapping[int, str],
    frames: int,
    size: tuple[int, int],
) -> Clip:
    images = np.empty((frames, *size, 3), np.uint8)
    visible = np.zeros((frames, max(names) + 1), np.int64)
    full, present = np.zeros_like(visible), np.zeros(visible.shape, bool)
    truth, cuts = [], []
    painted = _Backdrop()
    current = 0
    for frame in range(frames):
        time = frame / (frames - 1)
        while current + 1 < len(shots) and time >= shots[current + 1].start:
            current += 1
            cuts.append(frame)
        shot = shots[current]
        elements = [p.at(time) for p in shot.performers]
        canvas, done = painted.begin(at_time(shot.view, shot.camera, time), elements)
        canvas.paint(*elements[done:])
        light = at_time(shot.light, shot.lighting, time)
        images[frame] = canvas.finish(light, world.noise(rng, size))
        truth.append(world.describe(canvas.keys, names))

        visible[frame] = np.bincount(canvas.keys.ravel(), minlength=visible.shape[1])
        full[frame] = visible[frame]
        for key, count in canvas.full.items():
            full[frame, key] = count
        present[frame, [e.key for e in elements]] = True

    things = {s.id: s.is_thing for t in truth for s in t.segments}
    tracks = {
        key: Track(key, names[key], things[key], visible[:, key], full[:, key], present[:, key])
        for key in sorted(things)
    }
    return Clip(scenario, images, tuple(truth), tracks, tuple(cuts))


class _Backdrop:
    """Keeps the painted ground as long as neither it nor the camera changes."""

    def __init__(self) -> None:
        self._grounds: list[Actor | Ground] = []
        self._canvas: Canvas | None = None

    def begin(self, view: View, elements: Sequence[Actor | Ground]) -> tuple[Canvas, int]:
        """A canvas with the leading ground painted, and how many elements that is."""
        grounds = list(itertools.takewhile(lambda e: isinstance(e, Ground), elements))
        same = len(grounds) == len(self._grounds) and all(map(operator.is_, grounds, self._grounds))
        if self._canvas is None or self._canvas.view != view or not same:
            self._canvas = Canvas(view)
            self._canvas.paint(*grounds)
            self._grounds = grounds
        return self._canvas.copy(), len(grounds)
