"""Regimes: a world, and models that err in it in a way that public ones are known for.

All models err a little in the usual way; in most regimes one error is large, and a few have the
errors together that a public model is known for. What holds in all of them doesn't hang on one set
of models. The usual errors are as large as those of the demo models on their world, which were
measured (``benchmarks.quality``); those of public models are set by what is published and commonly
seen of them: a regime says "models that err like this", not "this model".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmarks.standins.detector import DetectorErrors, StandinDetector
from benchmarks.standins.heatmaps import HeatErrors, StandinHeatmaps
from benchmarks.standins.looks import LookErrors
from benchmarks.standins.masks import MaskErrors, StandinSegmenter
from benchmarks.standins.tracker import TrackErrors
from benchmarks.standins.truth import TrueFrame, Truths
from panoptic.pipeline import PanopticPipeline

USUAL_THINGS = DetectorErrors(
    **{"miss": 0.04, "flicker": 0.05, "small_miss": 0.3, "hidden_miss": 0.4, "jitter": 0.03},
    **{"duplicates": 0.08, "two_words": 0.04, "wrong_word": 0.03, "absent": 0.04},
    **{"absent_score": 0.3, "calibration": 0.6},
    scores=(0.35, 0.8),
)
"""As the demo models' on their world: nine of ten things are found by their word, and nine of ten
boxes are right. The scores are Grounding DINO's, whose level is 0.35."""
USUAL_HEAT = HeatErrors(
    **{"side": 352, "patch": 16, "blur": 0.015, "leak": 0.15, "flatness": 0.05, "noise": 0.2},
    **{"rivals": 0.04, "partial": 0.04},
    peak=(0.5, 0.95),
)
"""As the demo models': where a word is the likeliest it is true by an IoU of 0.92."""
USUAL_MASKS = MaskErrors(
    **{"edge": 1.2, "height": 8.0, "outline": 0.03, "part": 0.06, "more": 0.03, "leaks": 0.04},
    **{"holes": 0.2, "splashes": 0.2, "iou_noise": 0.1, "steady": 0.5},
)
"""As of SAM 2 on what stands out: an IoU of nearly 0.9 for a true box, less for what is small."""
USUAL_TRACKS = TrackErrors(
    **{"drift": 0.001, "most_drift": 0.08, "edge": 1.2, "height": 8.0, "forgets": 0.1},
    **{"jumps": 0.002, "swallows": 0.001, "absent": 0.004},
    looks=LookErrors(alike=0.8, noise=0.35),
)
"""As of SAM 2 on what stands out from its surroundings. Outlines drift about half as fast as those
of the demo SAM 2, which is far smaller than published ones (``benchmarks.drift``). Looks are as of
the demo SAM 2 at things of photographs (``benchmarks.recognition``): a likeness of 0.9 of one
thing, of 0.7 of two alike."""


@dataclass(frozen=True)
class Regime:
    """``world`` is the name of one of ``benchmarks.standins.worlds``; ``words`` are asked of each
    picture or clip, those that it has and others."""

    name: str
    world: str
    things: DetectorErrors = USUAL_THINGS
    heat: HeatErrors = USUAL_HEAT
    masks: MaskErrors = USUAL_MASKS
    tracks: TrackErrors = USUAL_TRACKS
    words: int = 12

    def pipeline(self, frames: Iterable[TrueFrame], seed: int = 0) -> PanopticPipeline:
        """Models that answer for these frames. The detector's level is where its scores begin, as
        that of each published detector is."""
        truths = Truths(frames)
        return PanopticPipeline(
            StandinDetector(truths, self.things, seed),
            StandinHeatmaps(truths, self.heat, seed),
            StandinSegmenter(truths, self.masks, seed, self.tracks),
            {"detector.box_threshold": self.things.scores[0]},
        )


def _things(**changes: object) -> DetectorErrors:
    return replace(USUAL_THINGS, **changes)  # type: ignore[arg-type]


def _heat(**changes: object) -> HeatErrors:
    return replace(USUAL_HEAT, **changes)  # type: ignore[arg-type]


def _masks(**changes: object) -> MaskErrors:
    return replace(USUAL_MASKS, **changes)  # type: ignore[arg-type]


def _tracks(**changes: object) -> TrackErrors:
    return replace(USUAL_TRACKS, **changes)  # type: ignore[arg-type]


LIKE_CLIPSEG = _heat(
    **{"blur": 0.03, "leak": 0.25, "flatness": 0.2, "noise": 0.25, "rivals": 0.2, "absent": 0.1},
    **{"partial": 0.1, "missing": 0.03},
    peak=(0.2, 0.55),
)
"""On photographs: low, flat, over the outlines of things, similar words alike. Where a word is the
likeliest it is true by an IoU of about a half, as published ones are."""
LIKE_OWL = _things(
    **{"jitter": 0.05, "duplicates": 0.2, "two_words": 0.15, "absent": 0.08, "calibration": 0.4},
    scores=(0.1, 0.3),
)
LIKE_GROUNDING_DINO = _things(
    **{"merged": 0.1, "two_words": 0.1, "wrong_word": 0.06, "absent": 0.08, "absent_score": 0.5},
)
LIKE_SAM_3 = _things(
    **{"miss": 0.01, "flicker": 0.02, "small_miss": 0.1, "hidden_miss": 0.2, "jitter": 0.015},
    **{"duplicates": 0.02, "two_words": 0.02, "absent": 0.01, "calibration": 0.8},
    scores=(0.5, 0.99),
    alone=True,
)
EXACT = (DetectorErrors(scores=(0.5, 0.9)), HeatErrors(), MaskErrors(), TrackErrors())

STILLS = (
    Regime("exact models", "demo", *EXACT),
    Regime("usual errors", "demo"),
    Regime("usual errors at 1024 pixels", "demo at 1024"),
    Regime("usual errors, streets", "streets"),
    Regime("usual errors, COCO", "coco"),
    Regime("crowd", "crowd"),
    Regime("crowd, small and hidden missed", "crowd", _things(small_miss=0.8, hidden_miss=0.9)),
    Regime("like OWLv2", "demo", LIKE_OWL),
    Regime("like OWLv2, COCO", "coco", LIKE_OWL, LIKE_CLIPSEG),
    Regime("like Grounding DINO", "demo", LIKE_GROUNDING_DINO),
    Regime("like DINO and CLIPSeg, streets", "streets", LIKE_GROUNDING_DINO, LIKE_CLIPSEG),
    Regime("like SAM 3, streets", "streets", LIKE_SAM_3),
    Regime("like CLIPSeg on photographs", "demo", heat=LIKE_CLIPSEG),
    Regime("boxes off", "demo", _things(jitter=0.1)),
    Regime("duplicates and merged boxes", "coco", _things(duplicates=0.5, merged=0.3)),
    Regime("words confused", "demo", _things(two_words=0.4, wrong_word=0.1)),
    Regime("whole-picture boxes", "demo", _things(absent=0.3, absent_score=0.6)),
    Regime("scores say nothing", "demo", _things(calibration=0.0, duplicates=0.2, absent=0.1)),
    Regime("heat low and flat", "demo", heat=_heat(peak=(0.12, 0.35), flatness=0.3)),
    Regime("heat leaks", "demo", heat=_heat(leak=0.35, blur=0.03)),
    Regime("stuff words compete", "demo", heat=_heat(rivals=0.4, absent=0.3, rival_heat=0.8)),
    Regime("stuff missed or in part", "demo", heat=_heat(missing=0.15, partial=0.3)),
    Regime("part for the whole", "demo", masks=_masks(part=0.35)),
    Regime("leaks into look-alikes", "crowd", masks=_masks(more=0.12, leaks=0.25)),
    Regime("masks soft and unsure", "demo", masks=_masks(edge=3.0, height=2.5, iou_noise=0.25)),
    Regime("masks ragged", "streets", masks=_masks(holes=2.0, splashes=3.0, outline=0.05)),
    Regime(
        "all errors at once", "coco", replace(LIKE_GROUNDING_DINO, jitter=0.08, duplicates=0.2),
        LIKE_CLIPSEG, _masks(part=0.12, more=0.06, leaks=0.1, edge=2.5, height=4.0, holes=0.5),
    ),
)  # fmt: skip
"""Of pictures."""

CLIPS = (
    Regime("clips, exact models", "demo clips", *EXACT),
    Regime("clips, usual errors", "demo clips"),
    Regime("pan over a photograph", "panned"),
    Regime("zoom into a photograph", "zoomed"),
    Regime("cuts within a photograph", "cut"),
    Regime("true things over a photograph", "cut-outs"),
    Regime("flickering detector", "demo clips", _things(flicker=0.7)),
    Regime("flicker that lasts", "cut-outs", _things(flicker=0.4, held=10.0)),
    Regime("silent after the first frame", "demo clips", _things(silent_after=0)),
    Regime("false alarms that come and go", "demo clips", _things(absent=0.15, duplicates=0.3)),
    Regime("words change", "demo clips", _things(wrong_word=0.3, held=3.0)),
    Regime("heat flickers", "panned", heat=_heat(missing=0.3, partial=0.2, peak=(0.1, 0.9))),
    Regime(
        "tracker drifts", "demo clips",
        tracks=_tracks(drift=0.02, most_drift=0.3, swallows=0.01, forgets=0.5),
    ),
    Regime("tracker takes look-alikes", "cut-outs", tracks=_tracks(jumps=0.02, ghosts=0.05)),
    Regime("presence errs", "demo clips", tracks=_tracks(absent=0.08, ghosts=0.15)),
    Regime(
        "like public models on a photograph", "panned",
        replace(LIKE_GROUNDING_DINO, flicker=0.25, held=4.0), LIKE_CLIPSEG,
        _masks(part=0.08, more=0.04, edge=2.0, height=5.0),
        _tracks(drift=0.01, jumps=0.005, absent=0.02),
    ),
    Regime("like OWLv2, clips", "demo clips", replace(LIKE_OWL, flicker=0.3), LIKE_CLIPSEG),
)  # fmt: skip
"""Of clips."""
