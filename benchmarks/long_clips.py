"""What re-anchoring and retirement are worth on long clips: ``python -m benchmarks.long_clips``.

Two stories of the demo world that need time. *road-returns*: the camera pans away from a road and
back, which by then lies elsewhere and looks otherwise; with and without ``video.reanchor``, by the
demo models and by stand-ins that err as is usual for public ones.
*procession*: fifty things pass in 400 frames; with and without ``video.retirement``. Of each clip
every way is told VPQ of things and of stuff, the processor seconds that a frame takes, over all and
in the last quarter, how many segments are followed, and how large the session's state is at the
end. Differences are paired, clip by clip, with two standard errors. Results go to
``benchmarks/results/long_clips.json`` and ``.md``. Exits with 1 where re-anchoring is worth less
than 0.3 VPQ of stuff with all models or costs more than noise with some, or where retirement leaves
more than half of what passed to be followed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.lib.artwork import QUICK_MEANS
from benchmarks.lib.artwork import artwork as vendors_of
from benchmarks.lib.frame import Benchmark, Bound, Outcome, add_device
from benchmarks.lib.paired import Difference, difference
from benchmarks.lib.regime_runs import remembering
from benchmarks.lib.video_methods import OURS
from benchmarks.standins.regimes import CLIPS
from benchmarks.standins.worlds import asked, true_frames
from benchmarks.video_quality import SIZE, load, words_for, world
from panoptic.demo.clips import Clip, make_clip
from panoptic.demo.scenes import demo_vocabulary
from panoptic.measure.evaluate_video import evaluate_video
from panoptic.measure.video_report import VideoReport
from panoptic.pipeline import PanopticPipeline
from panoptic.settings.video import VideoSettings
from panoptic.video.hindsight import HeldBack
from prompts import Vocabulary


@dataclass(frozen=True)
class Story:
    """Clips of a scenario, with and without what is switched off in it, labelled by the models that
    are asked for, or by stand-ins that err as those of a regime do (``benchmarks.standins``)."""

    scenario: str
    switch: str
    regime: str | None = None


STORIES = {
    "road-returns": Story("road-returns", "reanchor"),
    "road-returns, models with usual errors": Story(
        "road-returns", "reanchor", "clips, usual errors"
    ),
    "procession": Story("procession", "retirement"),
    "procession, models with usual errors": Story(
        "procession", "retirement", "clips, usual errors"
    ),
}
LEAST_WORTH = 0.3
"""VPQ of stuff, as every rule has to earn."""
MOST_FOLLOWED = 0.5
"""The greatest share of the things that passed which may be followed at once."""


@dataclass(frozen=True)
class LongRun:
    """One clip, followed in one way: processor seconds and segments followed, by frame; bytes of
    the session's state at the end."""

    story: str
    way: str
    report: VideoReport
    things: int
    seconds: tuple[float, ...]
    followed: tuple[int, ...]
    state: int

    def vpq(self, things: bool | None = None) -> float:
        assert self.report.vpq is not None
        return 100 * self.report.vpq.vpq(things)


def follow(
    pipeline: PanopticPipeline,
    clip: Clip,
    vocabulary: Vocabulary,
    story: str,
    way: str,
    settings: VideoSettings,
) -> LongRun:
    """Label a clip, frame by frame, and tell what it took."""
    session = pipeline.video_session(vocabulary, settings)
    held, labelled = HeldBack(session), []
    seconds, followed = [], []
    for image in clip.frames:
        start = time.process_time()
        labelled += [replace(frame.segmentation, image=None) for frame in held.step(image)]
        seconds.append(time.process_time() - start)
        followed.append(len(session.roster.live))
    labelled += [replace(frame.segmentation, image=None) for frame in held.finish()]
    content = io.BytesIO()
    torch.save(session.state(), content)
    report = evaluate_video(labelled, clip.truth, name=clip.scenario)
    passed = sum(track.is_thing for track in clip.tracks.values())
    return LongRun(
        *(story, way, report, passed, tuple(seconds), tuple(followed)),
        state=content.tell(),
    )


def figures(runs: Sequence[LongRun]) -> dict[str, Any]:
    """Of one way over clips of one story."""
    total = VideoReport.total(run.report for run in runs)
    assert total.vpq is not None
    late = [slice(3 * len(run.seconds) // 4, None) for run in runs]
    return {
        **{"clips": len(runs), "frames": len(runs[0].seconds)},
        **{
            name: round(100 * total.vpq.vpq(kind), 2)
            for name, kind in (("VPQ", None), ("things", True), ("stuff", False))
        },
        "seconds a frame": round(_mean([_mean(run.seconds) for run in runs]), 4),
        "in the last quarter": round(
            _mean([_mean(run.seconds[part]) for run, part in zip(runs, late, strict=True)]), 4
        ),
        "followed at most": max(max(run.followed) for run in runs),
        "followed in the last quarter": round(
            _mean([_mean(run.followed[part]) for run, part in zip(runs, late, strict=True)]), 1
        ),
        "state MB": round(_mean([run.state for run in runs]) / 1e6, 2),
        "most followed of those that passed": round(
            max(max(run.followed) / run.things for run in runs), 3
        ),
    }


def gathered(runs: Sequence[LongRun]) -> dict[str, dict[str, Any]]:
    """Rows by way, for each story, with how far ours is ahead of each."""
    found: dict[str, dict[str, Any]] = {}
    for story in dict.fromkeys(run.story for run in runs):
        here = [run for run in runs if run.story == story]
        ours = [run for run in here if run.way == OURS]
        rows = {}
        for way in dict.fromkeys(run.way for run in here):
            each = [run for run in here if run.way == way]
            rows[way] = figures(each)
            if way != OURS:
                rows[way]["ours ahead"] = {
                    "VPQ": _told(_lead(ours, each, None)),
                    "things": _told(_lead(ours, each, True)),
                    "stuff": _told(_lead(ours, each, False)),
                }
        found[story] = rows
    return found


def tables(found: dict[str, dict[str, Any]]) -> str:
    parts = [
        "Processor seconds a frame, and in brackets those of the last quarter; segments followed "
        "at most, and in brackets the mean of the last quarter; MB of the session's state at the "
        "end. Ours ahead is the mean difference of the same clips, with two standard errors. Of "
        "models with usual errors, which are stand-ins made of the truth, seconds say nothing: "
        "what they answer is kept from one way to the next."
    ]
    head = (
        "| way | clips | VPQ | things | stuff | s/frame | followed | state | "
        "ours ahead | things | stuff |"
    )
    for story, rows in found.items():
        lines = [f"### {story}, {rows[OURS]['frames']} frames", "", head, "|---" * 11 + "|"]
        for way, row in rows.items():
            cells = [
                *(way, str(row["clips"])),
                *(f"{row[name]:.1f}" for name in ("VPQ", "things", "stuff")),
                f"{row['seconds a frame']:.2f} ({row['in the last quarter']:.2f})",
                f"{row['followed at most']} ({row['followed in the last quarter']:.0f})",
                f"{row['state MB']:.1f}",
            ]
            ahead = row.get("ours ahead", {})
            cells += [_written(ahead.get(name)) for name in ("VPQ", "things", "stuff")]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def bounds_of(found: dict[str, dict[str, Any]]) -> list[Bound]:
    """As for every rule: it earns something with some models, and costs nothing beyond noise."""
    worth = [
        row["ours ahead"]["stuff"]
        for rows in found.values()
        for way, row in rows.items()
        if way == "without reanchor"
    ]
    bounds = []
    if worth:
        bounds.append(
            Bound("VPQ of stuff by reanchor", max(w["mean"] for w in worth), least=LEAST_WORTH)
        )
        beyond = min(w["mean"] + (w["noise"] or 0.0) for w in worth)
        bounds.append(Bound("the same where it is least, with noise", beyond, least=0.0))
    shares = [
        rows[OURS]["most followed of those that passed"]
        for rows in found.values()
        if "without retirement" in rows
    ]
    if shares:
        share = max(shares)
        bounds.append(Bound("share of what passed that is followed", share, most=MOST_FOLLOWED))
    return bounds


def _lead(ours: Sequence[LongRun], others: Sequence[LongRun], things: bool | None) -> Difference:
    return difference([run.vpq(things) for run in ours], [run.vpq(things) for run in others])


def _told(lead: Difference) -> dict[str, float | None]:
    return {
        "mean": round(lead.mean, 2),
        "noise": round(lead.noise, 2) if lead.count > 1 else None,
    }


def _written(lead: dict[str, float | None] | None) -> str:
    if lead is None:
        return ""
    noise = "" if lead["noise"] is None else f" ± {lead['noise']:.1f}"
    return f"{lead['mean']:+.1f}{noise}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def standins(clip: Clip, regime: str) -> tuple[PanopticPipeline, Vocabulary]:
    """Models made of the truth of a clip, and the words that are asked of it."""
    frames = true_frames(clip, clip.scenario)
    [chosen] = [each for each in CLIPS if each.name == regime]
    words = asked(frames, demo_vocabulary(), chosen.words, 0)
    return remembering(chosen.pipeline(frames, 0)), words


def options(parser: argparse.ArgumentParser) -> None:
    levels = VideoSettings()
    parser.add_argument(
        "--story",
        nargs="+",
        choices=list(STORIES),
        default=list(STORIES),
        help="only these; of the others, what the results have is kept",
    )
    parser.add_argument("--retire-after", type=float, default=levels.retire_after)
    parser.add_argument("--max-objects", type=int, default=levels.max_objects)
    parser.add_argument("--roads", type=int, default=4, help="clips of road-returns an artwork (4)")
    parser.add_argument("--processions", type=int, default=1, help="the same of procession (1)")
    parser.add_argument("--road-frames", type=int, default=96)
    parser.add_argument("--procession-frames", type=int, default=400)
    parser.add_argument("--models", default="demo", help="a preset, or a folder of models")
    add_device(parser)


def measure(arguments: argparse.Namespace) -> Iterator[Outcome]:
    """After every clip what there is by then."""
    frames = {"road-returns": arguments.road_frames, "procession": arguments.procession_frames}
    counts = {"road-returns": arguments.roads, "procession": arguments.processions}
    ours = VideoSettings(retire_after=arguments.retire_after, max_objects=arguments.max_objects)
    before = earlier(arguments)
    runs: list[LongRun] = []
    for name in arguments.story:
        story = STORIES[name]
        ways = {OURS: ours, f"without {story.switch}": replace(ours, **{story.switch: False})}
        for number in range(counts[story.scenario]):
            for vendors in vendors_of(arguments.quick).values():
                scene = world(vendors), story.scenario, number
                clip = make_clip(*scene, frames[story.scenario], SIZE)
                if story.regime is None:
                    pipeline = load(arguments.models, arguments.device)
                    vocabulary = words_for(clip, (2, number))
                else:
                    pipeline, vocabulary = standins(clip, story.regime)
                runs += [follow(pipeline, clip, vocabulary, name, *way) for way in ways.items()]
                new = gathered(runs)
                found = {n: {**before, **new}[n] for n in STORIES if n in {**before, **new}}
                yield Outcome(
                    {"machine": arguments.machine, "stories": found},
                    tables(found),
                    "; ".join(f"{n}: {rows[OURS]['VPQ']:.1f} VPQ" for n, rows in found.items()),
                    [] if arguments.quick else bounds_of(found),
                )


def earlier(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What earlier runs have measured of the stories that aren't asked for."""
    file = None if arguments.results is None else arguments.results / "long_clips.json"
    if file is None or not file.exists():
        return {}
    stories = json.loads(file.read_text(encoding="utf-8"))["stories"]
    return {name: rows for name, rows in stories.items() if name not in arguments.story}


BENCHMARK = Benchmark(
    "benchmarks.long_clips",
    __doc__,
    measure,
    options,
    quick={"roads": 1, "processions": 1, "road_frames": 24, "procession_frames": 24},
    quick_means=f"a short clip of each story and artwork, nothing is judged; {QUICK_MEANS}",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
