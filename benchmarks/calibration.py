"""Whether a quality is the probability that it claims to be: ``python -m benchmarks.calibration``.

A segment is right where its word is and its IoU with a true segment is 0.75 or more. Measured are
the expected calibration error, the reliability curve, and how many of the wrong segments are among
the fifth of the least quality, in pictures and in frames of clips:

- in each regime of pictures and of clips (``benchmarks.standins.regimes``) by a score that was
  fitted as the packaged one is, but to the other regimes, which have other pictures and clips: it
  never saw models that err like these. Every regime counts the same.
- of the demo models' own score, on held-out scenes and clips of seen and unseen artwork.

Results go to ``benchmarks/results/calibration.json`` and ``.md``. Exits with 1 where the error over
all regimes of pictures or of clips, or of the demo models on seen or unseen artwork, is too large,
or too few of the wrong segments are found.

``--fit`` writes the weights of both scores, into the package: the demo models' own, fitted to a
third world (training artwork only; of clips to the regimes, too), and the packaged one, fitted to
these and to all regimes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.artwork import QUICK_MEANS, artwork
from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.judged import (
    BINS,
    WORST,
    Judged,
    calibration_error,
    found_among_worst,
    found_of_all,
    reliability,
)
from benchmarks.lib.regime_runs import Worlds, worlds_of
from benchmarks.quality import FEW_WORDS, FITTING_WORLD, measure_condition
from benchmarks.standins.real_scenes import MEDIA
from benchmarks.standins.regimes import Regime
from benchmarks.standins.truth import TrueFrame
from benchmarks.standins.worlds import TrueWorld, asked, demo_clip
from panoptic.compose.quality import PACKAGED, Evidence, QualityModel, roc_auc
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.io.progress import ProgressBar
from panoptic.pipeline import PanopticPipeline
from panoptic.presets import DEMO_WEIGHTS
from panoptic.video.followed_quality import evidence_of
from panoptic.video.session import VideoSession
from prompts import Vocabulary

MOST_ERROR = 0.05
LEAST_FOUND = 0.6
LEAST_OF_ALL = 0.45
"""Of all wrong segments, however many there are: where a third is wrong, 0.6 is all that there can
be in a fifth."""
# The packaged score is fitted to all regimes, each counting the same, and to the demo models'
# segments, which count as so many regimes: they are the only models here that learned something.
DEMO_COUNTS = 3
# What all regimes of clips together count beside the demo models' own clips, which are a few: so
# the least is lost (in log-likelihood) on each of these by what is fitted to the others.
OTHERS_COUNT = 0.2
# Pictures of these worlds hold many segments, or are slow to be drawn: a third of them will do.
RICH = ("crowd", "demo at 1024", "streets", "coco")
# Frames that follow each other say the same.
EVERY_FRAME = 3
PICTURES, CLIPS = "pictures", "clips"
HELD_OUT = f"{PICTURES}, regimes held out"
CLIPS_HELD_OUT = f"{CLIPS}, regimes held out"


def of_clip(pipeline: PanopticPipeline, frames: Sequence[TrueFrame], words: Vocabulary) -> Judged:
    """The segments of a clip, in every third frame."""
    judged, session = Judged(), VideoSession(pipeline, words)
    for frame in frames:
        found = session.step(frame.image).segmentation
        if frame.index % EVERY_FRAME == 0:
            judged.add_result(found, frame.truth, evidence_in(session))
    return judged


def evidence_in(session: VideoSession) -> dict[int, Evidence]:
    """What speaks for the segments in the latest frame, by id."""
    answer, found = session.tracker.current(), {}
    for id, iou in zip(answer.object_ids, answer.iou.tolist(), strict=True):
        if session.layers is not None and id in session.layers.ids:
            evidence = evidence_of(session.roster.live[id], session.layers[id].steps, iou)
            found[id] = evidence or Evidence()
    return found


def of_regime(
    regime: Regime, world: TrueWorld, numbers: range, quality: QualityModel | None = None
) -> Judged:
    """The segments that the regime's models give for some pictures or clips of its world."""
    parts = []
    for number in numbers:
        frames = world.make(number)
        pipeline = regime.pipeline(frames)
        pipeline.quality = quality or pipeline.quality
        words = asked(frames, world.words, regime.words, 0)
        if world.moving:
            parts.append(of_clip(pipeline, frames, words))
        else:
            parts.append(Judged())
            parts[-1].add(pipeline.trace(frames[0].image, words), frames[0].truth)
    return Judged.joined(parts)


def collect(
    count: int, worlds: Worlds, moving: bool, quality: QualityModel | None = None
) -> dict[str, Judged]:
    """``count`` pictures, or clips, of every regime whose world is there. Each has its own, so that
    what is fitted to some regimes knows neither the models nor the pictures of the others."""
    regimes = [regime for regime in worlds.regimes() if worlds.moving(regime) is moving]
    found = {}
    with ProgressBar(f"regimes of {CLIPS if moving else PICTURES}", len(regimes)) as bar:
        for place, regime in enumerate(regimes):
            world = worlds.by_name[regime.world]
            each = max(2, count // 3) if world.name in RICH else count
            numbers = range(place * each, (place + 1) * each)
            found[regime.name] = of_regime(regime, world, numbers, quality)
            bar.advance()
    return found


def fitted(regimes: Mapping[str, Judged], demo: Judged, without: str = "") -> QualityModel:
    """A score fitted to all regimes but one."""
    others = Judged.joined((each for name, each in regimes.items() if name != without), total=100)
    return Judged.joined([others, Judged.joined([demo], total=100 * DEMO_COUNTS)]).fit()


def held_out(regimes: Mapping[str, Judged], demo: Judged) -> dict[str, Judged]:
    """Every regime judged by a score that was fitted to the others."""
    return {name: each.judge(fitted(regimes, demo, name)) for name, each in regimes.items()}


def of_both(pictures: QualityModel, clips: QualityModel) -> QualityModel:
    """The scores of what is in pictures from one, of what is followed in clips from the other."""
    return replace(
        pictures, followed_things=clips.followed_things, followed_stuff=clips.followed_stuff
    )


def own_of_clips(demo: Judged, regimes: Mapping[str, Judged]) -> QualityModel:
    """The demo models' own score of what is followed. Their stuff is nearly always right in clips;
    how it looks where it isn't, the regimes tell."""
    every = Judged.joined(regimes.values(), total=OTHERS_COUNT * len(demo) / len(regimes))
    return Judged.joined([every, demo]).fit()


def of_demo(pipeline: PanopticPipeline, kind: str, seed: int, count: int, quick: bool) -> Judged:
    """What the demo models find in pictures, with few words asked and with all."""
    world = World(load_artwork(artwork(quick)[kind]), seed=seed)
    return Judged.joined(
        measure_condition(pipeline, world, count, words, plain=False).judged
        for words in (FEW_WORDS, None)
    )


def of_demo_clips(
    pipeline: PanopticPipeline, kind: str, seed: int, count: int, quick: bool
) -> Judged:
    """The same in clips, with few words asked."""
    world = World(load_artwork(artwork(quick)[kind]), seed=seed)
    parts = []
    for number in range(count):
        frames = demo_clip(world, number)
        words = asked(frames, demo_vocabulary(), FEW_WORDS, 0)
        parts.append(of_clip(pipeline, frames, words))
    return Judged.joined(parts)


def figures(judged: Judged) -> dict[str, Any]:
    """What is told of some segments, things and stuff also by themselves."""
    things = np.array(judged.is_thing, bool)
    found: dict[str, Any] = {}
    for kind, chosen in (("all", things | True), ("things", things), ("stuff", ~things)):
        part = judged[np.flatnonzero(chosen)]
        if not len(part):
            continue
        found[kind] = {
            "segments": len(part),
            "quality": float(np.average(part.qualities, weights=part.counts)),
            "right": float(np.average(part.good, weights=part.counts)),
            "error": calibration_error(part),
            "found among worst": found_among_worst(part),
            "found of all": found_of_all(part),
            "auc": roc_auc(part.qualities, part.good.tolist()),
            "curve": [
                None if each is None else [each.share, each.quality, each.right]
                for each in reliability(part)
            ],
        }
    return found


def table(results: Mapping[str, Any]) -> str:
    """Totals, the curves and the single regimes, as Markdown."""
    totals = results["totals"]
    head = "| segments | mean quality | right | error | found | of all | AUC |"
    lines = [
        "Right: the right word, and an IoU of 0.75 or more. Error: expected calibration error in "
        f"{BINS} bins. Found: of the wrong segments, those among the {WORST:.0%} of least quality; "
        "where more are wrong, of as many as there is room for. Of all: of all wrong segments.",
        "",
        f"| {head}",
        "|---" * 8 + "|",
    ]
    for name, each in totals.items():
        lines += [f"| {name}, {kind} | {_cells(f)} |" for kind, f in each.items()]
    lines += ["", "The reliability curves: of the segments of a quality, how many are right (and"]
    lines += ["how many of all have it).", "", f"| quality | {' | '.join(totals)} |"]
    lines.append("|---" * (1 + len(totals)) + "|")
    for each in range(BINS):
        cells = [kinds["all"]["curve"][each] for kinds in totals.values()]
        shown = ["" if c is None else f"{c[2]:.2f} ({c[0]:.0%})" for c in cells]
        lines.append(f"| {each / BINS:.1f} to {(each + 1) / BINS:.1f} | {' | '.join(shown)} |")
    lines += ["", "Held out, regime by regime:", "", f"| regime {head}", "|---" * 8 + "|"]
    lines += [f"| {name} | {_cells(each['all'])} |" for name, each in results["regimes"].items()]
    if results["missing"]:
        lines += ["", *(f"Left out: {each}" for each in results["missing"])]
    return "\n".join(lines)


def _cells(f: Mapping[str, Any]) -> str:
    numbers = (f["quality"], f["right"], f["error"])
    numbers += (f["found among worst"], f["found of all"], f["auc"])
    return " | ".join([str(f["segments"]), *("" if n != n else f"{n:.3f}" for n in numbers)])


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenes", type=int, default=32, help="of each regime (default: 32)")
    parser.add_argument("--demo-scenes", type=int, default=120, help="(default: 120)")
    parser.add_argument("--clips", type=int, default=2, help="of each regime (default: 2)")
    parser.add_argument("--demo-clips", type=int, default=2, help="of each story (default: 2)")
    parser.add_argument("--fit", action="store_true", help="fit both scores and write them")


def measure(arguments: argparse.Namespace) -> Outcome:
    if arguments.fit and arguments.quick:
        raise NotMeasured("a quick run has too few scenes to fit on: leave out --quick or --fit")
    pipeline = PanopticPipeline.from_pretrained("demo")
    quick, count = arguments.quick, arguments.demo_scenes
    stories = arguments.demo_clips * len(SCENARIOS)
    worlds, packaged = worlds_of(MEDIA), QualityModel()
    demo = of_demo(pipeline, "seen", FITTING_WORLD, count, quick)
    parts = collect(arguments.scenes, worlds, moving=False)
    if arguments.fit:  # what is followed is judged by what looks said of it
        pipeline.quality, packaged = demo.fit(), fitted(parts, demo)
    demo_clips = of_demo_clips(pipeline, "seen", FITTING_WORLD, stories, quick)
    moving = collect(arguments.clips, worlds, moving=True, quality=packaged)
    if arguments.fit:
        pipeline.quality = of_both(pipeline.quality, own_of_clips(demo_clips, moving))
        packaged = of_both(packaged, fitted(moving, demo_clips))
        _write(DEMO_WEIGHTS / "quality.json", pipeline.quality)
        _write(PACKAGED, packaged)
    stills, clips = held_out(parts, demo), held_out(moving, demo_clips)
    totals = {
        HELD_OUT: figures(Judged.joined(stills.values(), total=100)),
        CLIPS_HELD_OUT: figures(Judged.joined(clips.values(), total=100)),
    }
    for kind in ("seen", "unseen"):
        pictures = of_demo(pipeline, kind, HELD_OUT_WORLD, count // 2, quick)
        in_clips = of_demo_clips(pipeline, kind, HELD_OUT_WORLD, stories, quick)
        totals[f"{PICTURES}, demo models, {kind}"] = figures(pictures)
        totals[f"{CLIPS}, demo models, {kind}"] = figures(in_clips)
    regimes = {
        name: {"all": {k: v for k, v in figures(each)["all"].items() if k != "curve"}}
        for name, each in {**stills, **clips}.items()
        if len(each)
    }
    missing = list(worlds.missing)
    return _judge({"totals": totals, "regimes": regimes, "missing": missing}, quick)


def _judge(results: Mapping[str, Any], quick: bool) -> Outcome:
    of_all = results["totals"][HELD_OUT]["all"]
    worst = max(results["regimes"], key=lambda name: results["regimes"][name]["all"]["error"])
    verdict = (
        f"calibration error {of_all['error']:.3f} over held-out regimes of pictures (the worst of "
        f"all, {worst}: {results['regimes'][worst]['all']['error']:.3f}); the {WORST:.0%} of least "
        f"quality hold {of_all['found among worst']:.0%} of the wrong segments that there is room "
        "for"
    )
    bounds = []
    for name, kinds in results["totals"].items():
        of_all = kinds["all"]
        bounds += [
            Bound(f"calibration error, {name}", of_all["error"], most=MOST_ERROR),
            Bound(f"found among the worst, {name}", of_all["found among worst"], least=LEAST_FOUND),
            Bound(f"found of all wrong ones, {name}", of_all["found of all"], least=LEAST_OF_ALL),
        ]
    return Outcome(results, table(results), verdict, [] if quick else bounds)


def _write(path: Path, model: QualityModel) -> None:
    path.write_text(json.dumps(model.to_dict(), indent=1) + "\n", encoding="utf-8")


BENCHMARK = Benchmark(
    "benchmarks.calibration",
    __doc__,
    measure,
    options,
    quick={"scenes": 2, "demo_scenes": 4, "clips": 1, "demo_clips": 1},
    quick_means=f"a few scenes, nothing is judged; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
