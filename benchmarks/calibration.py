"""Whether a quality is the probability that it claims to be: ``python -m benchmarks.calibration``.

A segment is right where its word is and its IoU with a true segment is 0.75 or more. Measured are
the expected calibration error, the reliability curve, and how many of the wrong segments are among
the fifth of the least quality, in pictures and in frames of clips:

- in each regime of pictures (``benchmarks.standins.regimes``) by a score that was fitted as the
  packaged one is, but to the other regimes, and to other pictures: it never saw models that err
  like these. Every regime counts the same.
- in each regime of clips by the packaged score, which is fitted to pictures alone.
- of the demo models' own score, on held-out scenes and clips of seen and unseen artwork.

Results go to ``benchmarks/results/calibration.json`` and ``.md``. Exits with 1 where the error over
all regimes of pictures is too large, or too few of the wrong segments are found.

``--fit`` writes the weights of both scores, into the package: the demo models' own, fitted to a
third world (training artwork only), and the packaged one, fitted to these and to all regimes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
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
    reliability,
)
from benchmarks.lib.regime_runs import Worlds, worlds_of
from benchmarks.quality import FEW_WORDS, FITTING_WORLD, measure_condition
from benchmarks.standins.real_scenes import MEDIA
from benchmarks.standins.regimes import Regime
from benchmarks.standins.truth import TrueFrame
from benchmarks.standins.worlds import TrueWorld, asked, demo_clip
from panoptic.compose.quality import PACKAGED, QualityModel, roc_auc
from panoptic.demo.artwork import load_artwork
from panoptic.demo.scenarios import SCENARIOS
from panoptic.demo.scenes import HELD_OUT_WORLD, World, demo_vocabulary
from panoptic.io.progress import ProgressBar
from panoptic.pipeline import PanopticPipeline
from panoptic.presets import DEMO_WEIGHTS
from panoptic.video.session import VideoSession
from prompts import Vocabulary

MOST_ERROR = 0.05
LEAST_FOUND = 0.6
# The packaged score is fitted to all regimes, each counting the same, and to the demo models'
# segments, which count as so many regimes: they are the only models here that learned something.
DEMO_COUNTS = 3
# Pictures of these worlds hold many segments, or are slow to be drawn: a third of them will do.
RICH = ("crowd", "demo at 1024", "streets", "coco")
# Frames that follow each other say the same.
EVERY_FRAME = 3
PICTURES, CLIPS = "pictures", "clips"
Parts = Mapping[str, tuple[Judged, Judged]]
"""By regime of pictures: segments to fit to, and others to be judged."""
HELD_OUT = f"{PICTURES}, regimes held out"


def of_clip(pipeline: PanopticPipeline, frames: Sequence[TrueFrame], words: Vocabulary) -> Judged:
    """The segments of a clip, in every third frame."""
    judged, session = Judged(), VideoSession(pipeline, words)
    for frame in frames:
        found = session.step(frame.image).segmentation
        if frame.index % EVERY_FRAME == 0:
            judged.add_result(found, frame.truth)
    return judged


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


def collect(count: int, worlds: Worlds) -> dict[str, tuple[Judged, Judged]]:
    """Of every regime of pictures whose world is there."""
    regimes = [regime for regime in worlds.regimes() if not worlds.moving(regime)]
    found = {}
    with ProgressBar("regimes of pictures", len(regimes)) as bar:
        for regime in regimes:
            world = worlds.by_name[regime.world]
            half = max(2, count // 2 // (3 if world.name in RICH else 1))
            numbers = range(half), range(half, 2 * half)
            fit, test = (of_regime(regime, world, each) for each in numbers)
            found[regime.name] = fit, test
            bar.advance()
    return found


def of_clips(count: int, worlds: Worlds, quality: QualityModel) -> dict[str, Judged]:
    """The segments of every regime of clips whose world is there."""
    regimes = [regime for regime in worlds.regimes() if worlds.moving(regime)]
    found = {}
    with ProgressBar("regimes of clips", len(regimes)) as bar:
        for regime in regimes:
            world = worlds.by_name[regime.world]
            found[regime.name] = of_regime(regime, world, range(count), quality)
            bar.advance()
    return found


def fitted(parts: Parts, demo: Judged, without: str = "") -> QualityModel:
    """A score fitted to all regimes but one."""
    regimes = Judged.joined((fit for name, (fit, _) in parts.items() if name != without), total=100)
    return Judged.joined([regimes, Judged.joined([demo], total=100 * DEMO_COUNTS)]).fit()


def of_demo(pipeline: PanopticPipeline, kind: str, seed: int, count: int, quick: bool) -> Judged:
    """What the demo models find in pictures, with few words asked and with all."""
    world = World(load_artwork(artwork(quick)[kind]), seed=seed)
    return Judged.joined(
        measure_condition(pipeline, world, count, words, plain=False).judged
        for words in (FEW_WORDS, None)
    )


def of_demo_clips(pipeline: PanopticPipeline, kind: str, count: int, quick: bool) -> Judged:
    """The same in held-out clips, with few words asked."""
    world = World(load_artwork(artwork(quick)[kind]), seed=HELD_OUT_WORLD)
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
    head = "| segments | mean quality | right | error | found | AUC |"
    lines = [
        "Right: the right word, and an IoU of 0.75 or more. Error: expected calibration error in "
        f"{BINS} bins. Found: of the wrong segments, those among the {WORST:.0%} of least quality; "
        "where more are wrong, of as many as there is room for.",
        "",
        f"| {head}",
        "|---|---|---|---|---|---|---|",
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
    lines += ["", "Held out, regime by regime:", "", f"| regime {head}", "|---" * 7 + "|"]
    lines += [f"| {name} | {_cells(each['all'])} |" for name, each in results["regimes"].items()]
    if results["missing"]:
        lines += ["", *(f"Left out: {each}" for each in results["missing"])]
    return "\n".join(lines)


def _cells(f: Mapping[str, Any]) -> str:
    numbers = (f["quality"], f["right"], f["error"], f["found among worst"], f["auc"])
    return " | ".join([str(f["segments"]), *("" if n != n else f"{n:.3f}" for n in numbers)])


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenes", type=int, default=32, help="of each regime (default: 32)")
    parser.add_argument("--demo-scenes", type=int, default=120, help="(default: 120)")
    parser.add_argument(
        "--clips", type=int, default=1, help="of each regime and story (default: 1)"
    )
    parser.add_argument("--fit", action="store_true", help="fit both scores and write them")


def measure(arguments: argparse.Namespace) -> Outcome:
    if arguments.fit and arguments.quick:
        raise NotMeasured("a quick run has too few scenes to fit on: leave out --quick or --fit")
    pipeline = PanopticPipeline.from_pretrained("demo")
    quick, count = arguments.quick, arguments.demo_scenes
    demo = of_demo(pipeline, "seen", FITTING_WORLD, count, quick)
    worlds = worlds_of(MEDIA)
    parts = collect(arguments.scenes, worlds)
    packaged = QualityModel()
    if arguments.fit:
        pipeline.quality = demo.fit()
        _write(DEMO_WEIGHTS / "quality.json", pipeline.quality)
        every = {name: (Judged.joined(pair), Judged()) for name, pair in parts.items()}
        packaged = fitted(every, demo)
        _write(PACKAGED, packaged)
    stills = {
        name: test.judge(fitted(parts, demo, without=name)) for name, (_, test) in parts.items()
    }
    clips = of_clips(arguments.clips, worlds, packaged)
    totals = {
        HELD_OUT: figures(Judged.joined(stills.values(), total=100)),
        f"{CLIPS}, all regimes": figures(Judged.joined(clips.values(), total=100)),
    }
    for kind in ("seen", "unseen"):
        pictures = of_demo(pipeline, kind, HELD_OUT_WORLD, count // 2, quick)
        moving = of_demo_clips(pipeline, kind, arguments.clips * len(SCENARIOS), quick)
        totals[f"{PICTURES}, demo models, {kind}"] = figures(pictures)
        totals[f"{CLIPS}, demo models, {kind}"] = figures(moving)
    regimes = {
        name: {"all": {k: v for k, v in figures(each)["all"].items() if k != "curve"}}
        for name, each in {**stills, **clips}.items()
        if len(each)
    }
    missing = list(worlds.missing)
    return _judge({"totals": totals, "regimes": regimes, "missing": missing}, quick)


def _judge(results: Mapping[str, Any], quick: bool) -> Outcome:
    of_all = results["totals"][HELD_OUT]["all"]
    error, found_bad = of_all["error"], of_all["found among worst"]
    worst = max(results["regimes"], key=lambda name: results["regimes"][name]["all"]["error"])
    verdict = (
        f"calibration error {error:.3f} over held-out regimes of pictures (the worst of all, "
        f"{worst}: {results['regimes'][worst]['all']['error']:.3f}); the {WORST:.0%} of least "
        f"quality hold {found_bad:.0%} of the wrong segments that there is room for"
    )
    bounds = [
        Bound("calibration error over held-out regimes", error, most=MOST_ERROR),
        Bound("wrong segments found among the worst", found_bad, least=LEAST_FOUND),
    ]
    return Outcome(results, table(results), verdict, [] if quick else bounds)


def _write(path: Path, model: QualityModel) -> None:
    path.write_text(json.dumps(model.to_dict(), indent=1) + "\n", encoding="utf-8")


BENCHMARK = Benchmark(
    "benchmarks.calibration",
    __doc__,
    measure,
    options,
    quick={"scenes": 4, "demo_scenes": 4},
    quick_means=f"a few scenes, nothing is judged; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
