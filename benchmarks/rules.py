"""Whether the rules between the models hold for any models: ``python -m benchmarks.rules``.

Pictures and clips of many regimes (a world, and models made of its truth that err in one way or
another: ``benchmarks.standins.regimes``) are labelled by our pipeline and in the plain ways, each
at its best. A regime's figure is the mean PQ of its pictures, or VPQ of its clips; differences are
paired, and their noise is two standard errors over the pictures.

Exits with 1 where ours is behind the best plain way of a regime by more than noise, where its mean
lead is too small, or where tracked things are lost because the detector is silent.

- ``--before FILE`` compares with an earlier run (its JSON), regime by regime.
- ``--set KEY=VALUE`` measures other settings.
- ``--vary KEY=VALUE,VALUE`` tells what values are worth beside those in use (``+`` joins several
  changes into one: ``--vary merge.seam=0+merge.min_fragment=0``), and ``--rules`` what every level
  is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.lib.frame import Benchmark, Bound, NotMeasured, Outcome
from benchmarks.lib.levels import (
    OF_CLIPS,
    OF_PICTURES,
    every_level,
    level_table,
    read_changes,
    read_variants,
)
from benchmarks.lib.paired import Difference, difference, of_means
from benchmarks.lib.regime_runs import OURS, Variants, Worlds, run, worlds_of
from benchmarks.lib.silent_detector import rare_looks, things_lost
from benchmarks.standins.real_scenes import MEDIA
from benchmarks.standins.regimes import Regime
from panoptic.settings.tree import Settings

LEAST_LEAD = 5.0
MOST_RARE_LOSS = 1.0
SILENT_FRAMES, RARE_FRAMES = 300, 60
SMALL, SMALL_TIMES = ("demo", "demo clips"), 3
"""Worlds of small pictures, of which so many times as many are taken: they take little time, and
few things are in each."""
QUICK_REGIMES = ["usual errors", "like OWLv2", "heat low and flat", "flickering detector"]
QUICK_ALLOWANCE = 20

Scores = dict[str, dict[str, list[float]]]
"""By regime and method, in percent, picture by picture."""


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    """After every regime what there is by then."""
    worlds = worlds_of(arguments.media)
    base, variants = changes_asked(arguments)
    plain = not (arguments.rules or arguments.vary)
    before = _earlier(arguments.before)
    scores: Scores = {}
    regimes = _regimes(worlds, arguments)
    for regime in regimes:
        moving = worlds.moving(regime)
        tried = {
            name: changes
            for name, changes in variants.items()
            if name == OURS or _is_for(changes, moving, both=not arguments.rules)
        }
        count = arguments.clips if moving else arguments.pictures
        count *= SMALL_TIMES if regime.world in SMALL else 1
        each = [
            run(worlds, regime, number, tried, base, plain=plain, seed=arguments.seed)
            for number in range(count)
        ]
        scores[regime.name] = {name: [one[name] for one in each] for name in each[0]}
        print(f"{regime.name}: {_told(scores[regime.name], plain)}", flush=True)
        yield outcome(scores, worlds, arguments, before, {})
    if plain and arguments.regime is None and not arguments.quick:
        yield outcome(scores, worlds, arguments, before, silent_figures(base))


def changes_asked(arguments: argparse.Namespace) -> tuple[dict[str, Any], Variants]:
    """The settings to be measured, as changes, and what is tried beside them."""
    try:
        base = read_changes(arguments.set)
        variants = {OURS: {}, **read_variants(arguments.vary)}
        if arguments.rules:
            settings = Settings().changed(base)
            if arguments.pictures:
                variants |= every_level(settings, OF_PICTURES)
            if arguments.clips:
                variants |= every_level(settings, OF_CLIPS)
    except ValueError as error:
        raise NotMeasured(str(error)) from error
    return base, variants


def silent_figures(changes: Mapping[str, Any]) -> dict[str, float]:
    found, lost = things_lost(SILENT_FRAMES, changes=changes)
    vpq = rare_looks(RARE_FRAMES, changes=changes)
    return {"things found at first": found, "things lost": lost, **vpq}


def outcome(
    scores: Scores,
    worlds: Worlds,
    arguments: argparse.Namespace,
    before: Scores,
    silent: Mapping[str, float],
) -> Outcome:
    levels = [name for name in dict.fromkeys(m for s in scores.values() for m in s) if name != OURS]
    compared = not (arguments.rules or arguments.vary)
    numbers = {
        "scores": {
            regime: {name: [round(v, 2) for v in values] for name, values in found.items()}
            for regime, found in scores.items()
        },
        "left_out": list(worlds.missing),
        "silent detector": dict(silent),
    }
    stem = "" if arguments.regime is None and compared else None
    if not compared:
        verdict = f"{len(levels)} variants, {len(scores)} regimes"
        return Outcome(numbers, "\n".join(level_table(scores, OURS, levels)), verdict, stem=stem)
    leads = {regime: lead(found)[1] for regime, found in scores.items()}
    mean = of_means(list(leads.values()))
    worst = min(leads, key=lambda regime: leads[regime].mean)
    verdict = (
        f"lead over the best plain way {mean} in the mean of {len(leads)} regimes, least "
        f"{leads[worst]} ({worst})"
    )
    allowance = QUICK_ALLOWANCE if arguments.quick else 0
    bounds = [
        *(
            Bound(f"lead, {name}", found.mean, least=-found.noise - allowance)
            for name, found in leads.items()
        ),
        Bound("mean lead", mean.mean, least=LEAST_LEAD - allowance),
        *_silent_bounds(silent),
    ]
    return Outcome(numbers, table(scores, before, worlds, silent), verdict, bounds, stem)


def lead(found: Mapping[str, list[float]]) -> tuple[str, Difference]:
    """The best plain way of a regime, and by how much ours is better."""
    plain = {name: values for name, values in found.items() if name != OURS}
    best = max(plain, key=lambda name: sum(plain[name]))
    return best, difference(found[OURS], plain[best])


def table(scores: Scores, before: Scores, worlds: Worlds, silent: Mapping[str, float]) -> str:
    """The results as Markdown; where ours is behind by more than noise, the lead is bold."""
    lines = [
        "Mean PQ of a regime's pictures, VPQ of its clips, in percent; differences are paired, "
        "with two standard errors.",
        "",
        f"| regime | n | {'before | ' if before else ''}ours | best plain way | it is | lead |"
        + (" change |" if before else ""),
        "|---|---|---|---|---|---|" + ("---|---|" if before else ""),
    ]
    leads, changes = [], []
    for regime, found in scores.items():
        best, ahead = lead(found)
        leads.append(ahead)
        text = f"**{ahead}**" if ahead.mean < -ahead.noise else str(ahead)
        cells = [regime, str(ahead.count)]
        earlier = before.get(regime, {}).get(OURS, [])[: ahead.count]
        same = len(earlier) == ahead.count
        if before:
            cells.append(f"{_mean(earlier):.1f}" if same else "-")
        cells += [f"{_mean(found[OURS]):.1f}", f"{_mean(found[best]):.1f}", best, text]
        if before:
            changes += [difference(found[OURS], earlier)] if same else []
            cells.append(str(changes[-1]) if same else "-")
        lines.append(f"| {' | '.join(cells)} |")
    means = ["**mean**", "", *([""] if before else []), "", "", "", str(of_means(leads))]
    means += [str(of_means(changes)) if changes else "-"] if before else []
    lines += [f"| {' | '.join(means)} |", ""]
    lines += [f"Left out: {sentence}." for sentence in worlds.missing]
    if silent:
        lines.append(
            f"A detector that is silent after the first frame, {SILENT_FRAMES} frames: of "
            f"{silent['things found at first']:.0f} things {silent['things lost']:.0f} lost. "
            f"VPQ with a detector that finds all {silent['every look']:.1f}, with one that finds "
            f"each thing in 30 % of its looks {silent['30 % of looks']:.1f}."
        )
    return "\n".join(lines)


def _silent_bounds(silent: Mapping[str, float]) -> list[Bound]:
    if not silent:
        return []
    loss = silent["every look"] - silent["30 % of looks"]
    return [
        Bound("things lost to a silent detector", silent["things lost"], most=0),
        Bound("VPQ lost to 30 % of looks", loss, most=MOST_RARE_LOSS),
    ]


def _regimes(worlds: Worlds, arguments: argparse.Namespace) -> list[Regime]:
    try:
        found = worlds.regimes(arguments.regime)
    except ValueError as error:
        raise NotMeasured(str(error)) from error
    found = [r for r in found if (arguments.clips if worlds.moving(r) else arguments.pictures)]
    if not found:
        raise NotMeasured("no regime is left: see --regime, --pictures, --clips and --media")
    return found


def _is_for(changes: Mapping[str, Any], moving: bool, both: bool) -> bool:
    """Levels of videos move nothing in pictures; those of pictures are tried on clips where they
    are given by name, but not where all are tried."""
    of_clips = any(key.partition(".")[0] in OF_CLIPS for key in changes)
    return of_clips if moving and not both else moving or not of_clips


def _earlier(path: Path | None) -> Scores:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content.get("numbers", content)["scores"])
    except (OSError, ValueError, KeyError) as error:
        raise NotMeasured(f"expected the JSON of an earlier run, got {path}: {error!r}") from error


def _told(found: Mapping[str, list[float]], plain: bool) -> str:
    ours = f"ours {_mean(found[OURS]):.1f}"
    if not plain:
        return ours
    best, ahead = lead(found)
    return f"{ours}, {best} {_mean(found[best]):.1f}, lead {ahead}"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--pictures",
        type=int,
        default=8,
        help="a regime of stills (8), thrice as many where they are small; 0: none",
    )
    add("--clips", type=int, default=2, help="the same of clips (2)")
    add("--regime", nargs="+", metavar="NAME", help="these alone")
    add("--before", type=Path, metavar="FILE", help="compare with an earlier run's JSON")
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="measure other settings")
    add("--vary", nargs="+", default=[], metavar="KEY=V,V", help="what other values are worth")
    add("--rules", action="store_true", help="what every level is worth (long)")
    add("--seed", type=int, default=0, help="of all errors and words (0)")
    add("--media", type=Path, default=MEDIA, help=f"the photographs ({MEDIA.parent.name}/media)")


BENCHMARK = Benchmark(
    "benchmarks.rules",
    __doc__,
    measure,
    options,
    quick={"pictures": 1, "clips": 1, "regime": QUICK_REGIMES},
    quick_means=f"four regimes of three pictures or clips, which may be {QUICK_ALLOWANCE} worse",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
