"""Pictures and clips of a regime, labelled by ours at several settings and in plain ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from benchmarks.lib.plain_recipe import PLAIN_WAYS, plain_ways
from benchmarks.lib.remembering import (
    RememberingSegmenter,
    RememberingStuff,
    RememberingThings,
)
from benchmarks.lib.video_methods import FRAMES, PLAIN, linked_by_iou, sessions
from benchmarks.standins.regimes import CLIPS, STILLS, Regime
from benchmarks.standins.truth import TrueFrame
from benchmarks.standins.worlds import TrueWorld, asked, drawn_worlds, photographed_worlds
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.measure.frame_pairs import pair_frames
from panoptic.measure.vpq import VpqMeter
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.video import VideoSettings
from panoptic.video.hindsight import labelled
from prompts import Vocabulary

OURS = "ours"
LEAST_SCORES = (0.0, 0.3)
"""Of the boxes that plain ways take: shares of the scale of the detector's scores. Ours has its
own rules against weak boxes; the plain ways have each the better of these."""

Variants = Mapping[str, Mapping[str, Any]]
"""Changes of settings by name; ours, as it is, is the one without changes."""


@dataclass(frozen=True)
class Worlds:
    """The worlds that there are, by name, and in words those that are left out."""

    by_name: Mapping[str, TrueWorld]
    missing: Sequence[str]

    def regimes(self, names: Sequence[str] | None = None) -> list[Regime]:
        """Those whose world is there, all or the named. ``ValueError`` for a name of none."""
        every = [*STILLS, *CLIPS]
        unknown = set(names or ()) - {regime.name for regime in every}
        if unknown:
            known = ", ".join(repr(regime.name) for regime in every)
            raise ValueError(f"there is no regime {sorted(unknown)}; there are {known}")
        return [
            regime
            for regime in every
            if regime.world in self.by_name and (names is None or regime.name in names)
        ]

    def moving(self, regime: Regime) -> bool:
        return self.by_name[regime.world].moving


@cache
def worlds_of(media: Path) -> Worlds:
    photographed, missing = photographed_worlds(media)
    found = [*drawn_worlds(), *photographed]
    return Worlds({world.name: world for world in found}, missing)


@lru_cache(maxsize=48)
def frames_of(world: TrueWorld, number: int) -> tuple[TrueFrame, ...]:
    return tuple(world.make(number))


def run(
    worlds: Worlds,
    regime: Regime,
    number: int,
    variants: Variants,
    base: Mapping[str, Any] | None = None,
    *,
    plain: bool,
    seed: int = 0,
) -> dict[str, float]:
    """PQ of a picture, or VPQ of a clip, in percent, by the name of the variant or plain way.

    ``base`` are changes of settings that ours has in all variants.
    """
    world = worlds.by_name[regime.world]
    frames = frames_of(world, number)
    words = asked(frames, world.words, regime.words, seed)
    pipeline = remembering(regime.pipeline(frames, seed))
    if world.moving:
        found = {
            name: _followed(pipeline, frames, words, {**(base or {}), **changes})
            for name, changes in variants.items()
        }
        found |= _plain_clips(pipeline, regime, frames, words) if plain else {}
        return {name: vpq(results, frames) for name, results in found.items()}
    stills = {}
    own = pipeline.settings
    for name, changes in variants.items():
        pipeline.settings = own.changed({**(base or {}), **changes}, name)
        stills[name] = pipeline.segment(frames[0].image, words)
    pipeline.settings = own
    stills |= _plain_stills(pipeline, regime, frames[0], words) if plain else {}
    return {name: pq(result, frames[0]) for name, result in stills.items()}


def remembering(pipeline: PanopticPipeline) -> PanopticPipeline:
    """The same, whose models aren't asked twice."""
    return PanopticPipeline(
        RememberingThings(pipeline.things),
        RememberingStuff(pipeline.stuff),
        RememberingSegmenter(pipeline.segmenter),
        pipeline.settings,
    )


def pq(result: PanopticSegmentation, frame: TrueFrame) -> float:
    """Of one picture: the mean over the categories that it has or that were found in it."""
    return 100 * evaluate([result], [frame.truth], progress=False).all.pq


def vpq(results: Sequence[PanopticSegmentation], frames: Sequence[TrueFrame]) -> float:
    """Of one clip."""
    meter = VpqMeter()
    for pair in pair_frames(results, [frame.truth for frame in frames]):
        meter.add(pair)
    return 100 * meter.result().vpq()


def _followed(
    pipeline: PanopticPipeline,
    frames: Sequence[TrueFrame],
    words: Vocabulary,
    changes: Mapping[str, Any],
    settings: VideoSettings | None = None,
) -> list[PanopticSegmentation]:
    base = pipeline.settings
    pipeline.settings = base.changed(changes, "variant")
    session = pipeline.video_session(words, settings)
    found = [
        replace(result.segmentation, image=None)
        for result in labelled(session, (frame.image for frame in frames))
    ]
    pipeline.settings = base
    return found


def _plain_clips(
    pipeline: PanopticPipeline, regime: Regime, frames: Sequence[TrueFrame], words: Vocabulary
) -> dict[str, list[PanopticSegmentation]]:
    pictures = [replace(pipeline.segment(f.image, words), image=None) for f in frames]
    found = {FRAMES: list(linked_by_iou(pictures))}
    for share, least in _least_scores(regime):
        changes = {"detector.box_threshold": least}
        found[f"{PLAIN}, {share}"] = _followed(pipeline, frames, words, changes, sessions()[PLAIN])
    return found


def _plain_stills(
    pipeline: PanopticPipeline, regime: Regime, frame: TrueFrame, words: Vocabulary
) -> dict[str, PanopticSegmentation]:
    image = frame.image
    boxes = pipeline.things.detect(image, words)
    heatmaps = pipeline.stuff.heatmaps(image, words)
    ways = {
        f"{name}, {share}": replace(way, min_score=least)
        for name, way in PLAIN_WAYS.items()
        for share, least in _least_scores(regime)
    }
    segmenter = pipeline.segmenter
    return plain_ways(segmenter, segmenter.encode(image), boxes, heatmaps, words, ways)


def _least_scores(regime: Regime) -> list[tuple[str, float]]:
    low, high = regime.things.scores
    return [(f"scores from {share:.0%}", low + share * (high - low)) for share in LEAST_SCORES]
