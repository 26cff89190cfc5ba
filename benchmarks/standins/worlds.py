"""The worlds whose truth is known: drawn scenes of several sizes, crowds, photographs, and clips.

A world gives its pictures or clips by number, each a list of frames (a picture is a list of one)
with exact truth; the same number gives the same pixels. Drawn ones use the artwork that a package
brings, so that nothing has to be fetched; photographs are left out where they aren't there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from benchmarks.lib.artwork import PACKAGED
from benchmarks.standins.real_clips import cut_within, moving_things, panned, zoomed
from benchmarks.standins.real_scenes import (
    MEDIA,
    MediaMissing,
    RealScene,
    coco_scenes,
    real_scenes,
    real_vocabulary,
    street_scenes,
)
from benchmarks.standins.truth import TrueFrame, rng_of
from benchmarks.standins.views import Window, seen
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from prompts import Vocabulary

STANDIN_WORLD = HELD_OUT_WORLD + 4
"""The seed of a drawn world that nothing was trained, tuned or fitted on."""
FRAMES = 24
REAL_LONGER = 640


@dataclass(frozen=True)
class TrueWorld:
    """``words`` are all that there are in it; ``make`` gives the frames of a picture, or of a clip
    where the world is ``moving``, by its number."""

    name: str
    words: Vocabulary
    make: Callable[[int], list[TrueFrame]]
    moving: bool = False


def asked(frames: Sequence[TrueFrame], words: Vocabulary, count: int, seed: int) -> Vocabulary:
    """The words of the frames and others at random, ``count`` in all, more if the frames have
    more. Categories keep the ids that they have in ``words``."""
    present = {segment.category_id for frame in frames for segment in frame.truth}
    absent = [category.id for category in words if category.id not in present]
    others = rng_of(seed, frames[0].clip, "asked").permutation(absent)
    wanted = present | set(others[: max(0, count - len(present))].tolist())
    return Vocabulary.from_categories(c for c in words if c.id in wanted)


def drawn_worlds() -> list[TrueWorld]:
    """Those of the demo world: as it is, at 1024 pixels, crowds of 60 things, clips."""
    words = demo_vocabulary()
    return [
        TrueWorld("demo", words, partial(_drawn, 192, (1, 6), (0.15, 0.48))),
        TrueWorld("demo at 1024", words, partial(_drawn, 1024, (4, 12), (0.08, 0.4))),
        TrueWorld("crowd", words, partial(_drawn, 512, (60, 60), (0.06, 0.18))),
        TrueWorld("demo clips", words, _drawn_clip, moving=True),
    ]


def photographed_worlds(media: Path = MEDIA) -> tuple[list[TrueWorld], list[str]]:
    """Those of photographs, and in words what is left out because it isn't there."""
    words = real_vocabulary()
    worlds, missing = [], []
    for name, scenes in (("streets", street_scenes), ("coco", coco_scenes)):
        try:
            worlds.append(TrueWorld(name, words, partial(_photograph, scenes(media))))
        except MediaMissing as error:
            missing.append(f"{name}: {error}")
    try:
        scenes_of_all = real_scenes(media)
    except MediaMissing as error:
        return worlds, [*missing, f"clips of photographs: {error}"]
    clips = {
        "panned": lambda number: panned(_one(scenes_of_all, number), number, FRAMES),
        "zoomed": lambda number: zoomed(_one(scenes_of_all, number), number, FRAMES),
        "cut": lambda number: cut_within(_one(scenes_of_all, number), number, FRAMES),
        "cut-outs": partial(_cut_outs, scenes_of_all),
    }
    worlds += [TrueWorld(name, words, make, moving=True) for name, make in clips.items()]
    return worlds, missing


@cache
def _demo_world() -> World:
    return World(load_artwork(PACKAGED), seed=STANDIN_WORLD)


def _drawn(
    side: int, things: tuple[int, int], sizes: tuple[float, float], number: int
) -> list[TrueFrame]:
    scene = _demo_world().scene(number, (side, side), things=things, sizes=sizes)
    return [TrueFrame(scene.image, scene.truth, f"demo {side} {number}", 0, scene.hidden)]


def _drawn_clip(number: int) -> list[TrueFrame]:
    return demo_clip(_demo_world(), number)


def demo_clip(world: World, number: int) -> list[TrueFrame]:
    """A clip of the demo world. The scenarios come in turn, not in their order: a few in a row have
    things that move, cameras that do, late comers and cuts."""
    scenario = list(SCENARIOS)[7 * number % len(SCENARIOS)]
    return true_frames(make_clip(world, scenario, number, FRAMES), f"{scenario} {number}")


def true_frames(clip: Clip, name: str) -> list[TrueFrame]:
    """The frames of a drawn clip."""
    found = []
    for index, (image, truth) in enumerate(zip(clip.frames, clip.truth, strict=True)):
        tracks = [clip.tracks[segment.id] for segment in truth.things]
        hidden = {t.id: float(1 - t.visible[index] / t.full[index]) for t in tracks}
        found.append(TrueFrame(image, truth, name, index, hidden))
    return found


def _photograph(scenes: Sequence[RealScene], number: int) -> list[TrueFrame]:
    """The photographs as they are, then parts of them, never enlarged."""
    scene, window = _one(scenes, number), Window()
    if number >= len(scenes):
        rng = rng_of(number, scene.name)
        x, y, share = rng.uniform([0.2, 0.3, 0.4], [0.8, 0.8, 0.8]).tolist()
        window = Window(x, y, share, mirrored=bool(rng.random() < 0.5))
    longer = min(REAL_LONGER, int(max(scene.size) * window.share))
    picture, truth = seen(scene, window, longer)
    return [TrueFrame(picture, truth, f"{scene.name} {number}")]


def _cut_outs(scenes: Sequence[RealScene], number: int) -> list[TrueFrame]:
    ground = _one(scenes, number)
    others = [scene for scene in scenes if scene is not ground] or [ground]
    return moving_things(ground, others, number, FRAMES)


def _one(scenes: Sequence[RealScene], number: int) -> RealScene:
    return scenes[number % len(scenes)]
