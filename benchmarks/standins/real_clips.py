"""Clips made of photographs with exact truth: a camera that pans, zooms or cuts, and true things
cut out of one picture that move over another.

Ids last through a clip, over cuts too: what is seen again from elsewhere is the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks.standins.real_scenes import RealScene
from benchmarks.standins.truth import TrueFrame, rng_of
from benchmarks.standins.views import Window, seen, with_noise
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation

LONGER = 352
"""Pixels of the longer side: what a photograph of 640 pixels still fills when zoomed in."""
Camera = Callable[[float], Window]
"""Where the camera looks, by the time from 0 to 1."""


def panned(scene: RealScene, number: int, frames: int) -> list[TrueFrame]:
    """The window moves across the picture and part of the way back, at one size."""
    rng = rng_of(number, "pan")
    share, angle = rng.uniform(0.55, 0.75), rng.uniform(0, 2 * np.pi)
    reach = np.array([np.cos(angle), 0.5 * np.sin(angle)]) * (1 - share) / 2

    def camera(time: float) -> Window:
        at = 0.5 + reach * np.interp(time, [0, 0.7, 1], [-1, 1, 0.2])
        return Window(float(at[0]), float(at[1]), share)

    return _filmed(scene, f"pan {number}", camera, frames)


def zoomed(scene: RealScene, number: int, frames: int) -> list[TrueFrame]:
    """From the whole picture to a part of it or back, by the same factor from frame to frame."""
    rng = rng_of(number, "zoom")
    x, y, least = rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.6)
    inwards = rng.random() < 0.5

    def camera(time: float) -> Window:
        part = time if inwards else 1 - time
        return Window(0.5 + part * (x - 0.5), 0.5 + part * (y - 0.5), float(least**part))

    return _filmed(scene, f"zoom {number}", camera, frames)


def cut_within(scene: RealScene, number: int, frames: int) -> list[TrueFrame]:
    """Three shots of one scene, all of one palette: a view, a close-up or the mirrored view, and
    the first view again."""
    rng = rng_of(number, "cut")
    x, share = rng.uniform(0.35, 0.65), rng.uniform(0.6, 0.75)
    drift = rng.uniform(0.02, 0.06)
    close = Window(float(x), 0.55, float(share / 2))
    mirrored = Window(1 - float(x), 0.5, float(share), mirrored=True)
    other = close if rng.random() < 0.5 else mirrored

    def camera(time: float) -> Window:
        shot = other if 1 / 3 <= time < 2 / 3 else Window(float(x), 0.5, float(share))
        return Window(shot.x + drift * time, shot.y, shot.share, shot.mirrored)

    return _filmed(scene, f"cut {number}", camera, frames)


def _filmed(scene: RealScene, name: str, camera: Camera, frames: int) -> list[TrueFrame]:
    clip = f"{scene.name} {name}"
    found = []
    for index in range(frames):
        picture, truth = seen(scene, camera(index / (frames - 1)), LONGER)
        noisy = with_noise(picture, rng_of(0, clip, index))
        found.append(TrueFrame(noisy, truth, clip, index))
    return found


@dataclass(frozen=True, eq=False)
class CutOut:
    """A thing out of a photograph, float32 RGBA (h, w, 4), opacity from 0 to 1, with its word."""

    rgba: np.ndarray
    category_id: int
    category: str

    def at_height(self, height: int) -> CutOut:
        factor = height / self.rgba.shape[0]
        width = max(2, round(self.rgba.shape[1] * factor))
        channels = [
            Image.fromarray(channel).resize((width, height), Image.Resampling.BILINEAR)
            for channel in np.moveaxis(self.rgba, 2, 0)
        ]
        return CutOut(np.stack(channels, axis=-1), self.category_id, self.category)


@cache
def cut_outs(scene: RealScene, least: float = 0.0015) -> tuple[CutOut, ...]:
    """The things of a scene that are in one piece, don't touch its edge and cover at least this
    share of it, the largest first."""
    found = []
    for segment in sorted(scene.truth.things, key=lambda s: -s.area):
        left, top, right, bottom = segment.box
        inside = left > 0 and top > 0 and right < scene.size[1] and bottom < scene.size[0]
        mask = scene.truth.ids[top:bottom, left:right] == segment.id
        if segment.area < least * scene.truth.ids.size or not inside or ndimage.label(mask)[1] > 1:
            continue
        rgba = np.dstack([scene.image[top:bottom, left:right], mask]).astype(np.float32)
        found.append(CutOut(rgba, segment.category_id, segment.category))
    return tuple(found)


def moving_things(
    ground: RealScene, others: Sequence[RealScene], number: int, frames: int
) -> list[TrueFrame]:
    """Three true things of other scenes over this one: the first crosses the picture, behind the
    second and behind the largest thing of the picture; the third leaves and comes back.

    ``hidden`` is exact for these three and for what they pass.
    """
    rng = rng_of(number, "cut-outs")
    clip = f"{ground.name} cut-outs {number}"
    picture, truth = seen(ground, Window(share=float(rng.uniform(0.8, 1.0))), LONGER)
    height = truth.height
    actors = _cast(rng, others, height)
    paths = _paths(rng)
    front = max(truth.things, key=lambda s: s.area, default=None)
    before = truth.ids == front.id if front is not None else np.zeros(truth.ids.shape, bool)
    first = max((s.id for s in ground.truth), default=0) + 1
    segments = [
        *ground.truth.segments,
        *(Segment(first + k, a.category_id, a.category, True, 1.0) for k, a in enumerate(actors)),
    ]
    found = []
    for index in range(frames):
        time = index / (frames - 1)
        shown, ids, full = picture.astype(np.float32), truth.ids.copy(), _areas(truth.ids)
        for k in (0, 2, 1):  # back to front
            opacity, colours = _placed(actors[k], *paths[k](time), truth.ids.shape)
            full[first + k] = int((opacity >= 0.5).sum())
            if k == 0:
                opacity = np.where(before, 0, opacity)
            shown += opacity[..., None] * (colours - shown)
            ids[opacity >= 0.5] = first + k
        visible = _areas(ids)
        things = [s.id for s in segments if s.is_thing and s.id in visible]
        hidden = {i: 1 - visible[i] / full[i] for i in things}
        noisy = with_noise(shown, rng_of(number, clip, index))
        now = PanopticSegmentation.from_ids(ids, segments)
        found.append(TrueFrame(noisy, now, clip, index, hidden))
    return found


def _cast(
    rng: np.random.Generator, scenes: Sequence[RealScene], height: int
) -> tuple[CutOut, CutOut, CutOut]:
    """The second is the largest, as others pass behind it."""
    pool = [cut_out for scene in scenes for cut_out in cut_outs(scene)[:8]]
    one, two, three = (pool[i] for i in rng.choice(len(pool), 3, replace=len(pool) < 3))
    small, large, middle = rng.uniform([0.16, 0.34, 0.2], [0.26, 0.46, 0.32]) * height
    return one.at_height(int(small)), two.at_height(int(large)), three.at_height(int(middle))


def _paths(rng: np.random.Generator) -> tuple[Callable[[float], tuple[float, float]], ...]:
    """Where the middle of each is, in shares of width and height, by the time."""
    level, sway = rng.uniform(0.55, 0.75), rng.uniform(0.02, 0.08)
    edge = rng.choice([-0.3, 1.3])
    inside = rng.uniform(0.3, 0.7)
    return (
        lambda time: (0.08 + 0.84 * time, level + 0.02 * np.sin(20 * time)),
        lambda time: (0.5 + sway * np.sin(7 * time), level),
        lambda time: (
            float(np.interp(time, [0, 0.3, 0.45, 0.6, 0.8], [inside, inside, edge, edge, inside])),
            0.3,
        ),
    )


def _placed(
    actor: CutOut, x: float, y: float, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Opacity (H, W) and colours (H, W, 3) of a thing on an empty canvas."""
    high, wide = actor.rgba.shape[:2]
    top, left = round(y * shape[0] - high / 2), round(x * shape[1] - wide / 2)
    canvas = np.zeros((*shape, 4), np.float32)
    up, down = max(top, 0), min(top + high, shape[0])
    start, stop = max(left, 0), min(left + wide, shape[1])
    if up < down and start < stop:
        part = actor.rgba[up - top : down - top, start - left : stop - left]
        canvas[up:down, start:stop] = part
    return canvas[..., 3], canvas[..., :3]


def _areas(ids: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(ids, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
