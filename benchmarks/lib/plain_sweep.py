"""Which levels suit the plain ways of ``benchmarks.lib.plain_recipe``: each at its best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.lib.plain_recipe import PLAIN_WAYS, PlainWay, plain_ways
from benchmarks.lib.video_methods import FRAMES, label, linked_by_iou
from benchmarks.lib.video_methods import PLAIN as PROPAGATED
from benchmarks.quality import FEW_WORDS, SIZE, words_for
from benchmarks.video_quality import words_for as video_words_for
from detectors.base import Boxes, Heatmaps
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import World, demo_vocabulary
from panoptic.measure.evaluate_pictures import evaluate
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.measure.video_report import VideoReport
from panoptic.pipeline import PanopticPipeline
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

KNOBS: dict[str, tuple[Any, ...]] = {
    "min_score": (0.0, 0.22, 0.24, 0.26, 0.28, 0.3, 0.35),
    "points": (3, 6, 12, 25, 50, 1000),
    "kernel": (0.0, 0.01, 0.02, 0.04, 0.1),
    "background": (0.05, 0.1, 0.2, 0.3, 0.5),
    "floor": (0.1, 0.3, 0.5, 0.7),
    "min_area": (0.0, 0.005, 0.01, 0.02),
}
"""Levels of a plain way -> values to try, in the order in which they are tried, twice over: which
one is best depends on the others. Those that a way doesn't use move nothing, and are left out."""

BOX_THRESHOLDS = (0.2, 0.22, 0.24, 0.26, 0.3)
SAME_IOUS = (0.02, 0.1, 0.2, 0.3, 0.5)
"""The same for the plain ways of videos."""


@dataclass(frozen=True)
class Sample:
    """A scene as the plain ways get it."""

    encoded: Any
    boxes: Boxes
    heatmaps: Heatmaps
    vocabulary: Vocabulary
    truth: PanopticSegmentation


def samples_of(pipeline: PanopticPipeline, world: World, count: int) -> list[Sample]:
    """Scenes with few words asked and with all."""
    found = []
    for number in range(count):
        scene = world.scene(number, SIZE)
        encoded = pipeline.segmenter.encode(scene.image)
        for asked in (FEW_WORDS, None):
            words = words_for(scene, asked, np.random.default_rng((1, number)))
            trace = pipeline.trace(scene.image, words)
            found.append(Sample(encoded, trace.boxes, trace.heatmaps, words, scene.truth))
    return found


def scores(
    pipeline: PanopticPipeline, samples: list[Sample], ways: dict[str, PlainWay]
) -> dict[str, float]:
    """Mean PQ in percent of few words and of all, by way."""
    found: dict[str, list[PanopticSegmentation]] = {name: [] for name in ways}
    for s in samples:
        made = plain_ways(pipeline.segmenter, s.encoded, s.boxes, s.heatmaps, s.vocabulary, ways)
        for name, result in made.items():
            found[name].append(result)
    truths = [s.truth for s in samples]

    def pq(part: int, results: list[PanopticSegmentation]) -> float:
        return 100 * evaluate(results[part::2], truths[part::2], demo_vocabulary()).all.pq

    return {name: (pq(0, r) + pq(1, r)) / 2 for name, r in found.items()}


def sweep_stills(pipeline: PanopticPipeline, samples: list[Sample]) -> Iterator[dict[str, Any]]:
    """Rows of what was tried: way, level, value, and the measure, mean PQ in percent."""
    for name, start in PLAIN_WAYS.items():
        best, way = -1.0, start
        for level, values in [*KNOBS.items()] * 2:
            if level in _unused(way):
                continue
            kept = getattr(way, level)
            order = sorted({kept, *values}, key=lambda v: (v != kept, v))
            ways = {str(value): replace(way, **{level: value}) for value in order}
            found = scores(pipeline, samples, ways)
            for value in order:
                pq = found[str(value)]
                if pq > best:
                    best, kept = pq, value
                yield {"way": name, "level": level, "value": value, "measure": pq}
            way = replace(way, **{level: kept})


def clips_of(world: World, frames: int = 24) -> list[tuple[Clip, Vocabulary]]:
    """A clip of every scenario, with the words that are asked of it."""
    clips = [make_clip(world, name, 0, frames, SIZE) for name in SCENARIOS]
    return [(clip, video_words_for(clip, (2, i))) for i, clip in enumerate(clips)]


def sweep_videos(
    pipeline: PanopticPipeline, clips: list[tuple[Clip, Vocabulary]]
) -> Iterator[dict[str, Any]]:
    """Rows as those of :func:`sweep_stills`, of the plain ways of videos; the measure is VPQ."""
    threshold = pipeline.settings.detector.box_threshold
    for least in BOX_THRESHOLDS:
        pipeline.settings = pipeline.settings.changed({"detector.box_threshold": least})
        followed = [label(pipeline, clip, words, PROPAGATED, None) for clip, words in clips]
        yield _row(PROPAGATED, "box_threshold", least, followed, clips)
        pictures = [
            [pipeline.trace(image, words).result for image in clip.frames] for clip, words in clips
        ]
        for level in SAME_IOUS:
            linked = [list(linked_by_iou(frames, level)) for frames in pictures]
            yield _row(FRAMES, "box_threshold, same_iou", (least, level), linked, clips)
    pipeline.settings = pipeline.settings.changed({"detector.box_threshold": threshold})


def _row(
    way: str,
    level: str,
    value: Any,
    labelled: list[list[PanopticSegmentation]],
    clips: list[tuple[Clip, Vocabulary]],
) -> dict[str, Any]:
    reports = [
        evaluate_video(found, clip.truth, name=clip.scenario)
        for found, (clip, _) in zip(labelled, clips, strict=True)
    ]
    total = VideoReport.total(reports).vpq
    assert total is not None
    return {"way": way, "level": level, "value": value, "measure": 100 * total.vpq()}


def _unused(way: PlainWay) -> tuple[str, ...]:
    return ("kernel", "points", "floor") if way.stuff == "heat" else ()
