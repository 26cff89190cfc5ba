"""What a frame of video costs around the models: ``python -m benchmarks.compose``.

Masks of 10, 30 and 100 segments, as a tracker answers them, become the map of a frame: holes are
filled, logits kept in eighths, pixels contested, crumbs freed, seams closed, segments measured, and
it is noted who came into sight and went out of it. Before, the reference (holes in each mask by
itself, every mask contesting each pixel of its window, pieces looked for in windows), and now are
timed frame by frame in turn; every map must be the same. Processor seconds of one thread, medians
over frames.

Results go to ``benchmarks/results/compose.json`` and ``.md``. Exits with 1 if a map differs, or if
30 segments at 1280 x 720 take more than 25 milliseconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from typing import Any

import numpy as np
import torch

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.lib.many_segments import clip, words
from benchmarks.lib.plain_composing import plain_holes, plain_map, plain_measure, plain_steps
from panoptic.results.frame import Event
from panoptic.results.segmentation import PanopticSegmentation
from panoptic.settings.compose import MergeSettings
from panoptic.settings.video import VideoSettings
from panoptic.video.identities import Roster
from panoptic.video.mask_layers import Layer, Layers, to_steps
from panoptic.video.sight import note_visible
from prompts import Vocabulary
from sam2core import TrackerSettings
from sam2core.holes import fill_holes

SIZES = ((720, 1280), (1080, 1920))
JUDGED, MOST = (30, (720, 1280)), 25.0
HOLE = TrackerSettings().fill_hole_area
LEVELS = VideoSettings()


class Frames:
    """One clip's way to maps, before and now; each call is a frame, timed by stage."""

    def __init__(self, vocabulary: Vocabulary, size: tuple[int, int]) -> None:
        self.vocabulary, self.size = vocabulary, size
        self.categories = {c.id: c for c in vocabulary}
        self.levels = self.categories, LEVELS.stuff_logit, LEVELS.min_area, MergeSettings()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.roster = {way: self._roster() for way in ("before", "now")}

    def _roster(self) -> Roster:
        roster = Roster(LEVELS.max_remembered)
        for category in self.vocabulary:
            roster.follow(category.id, category.id, category.is_thing, 0.5, 0)
        return roster

    def _layers(self, index: int, steps: np.ndarray) -> Layers:
        layers = [
            Layer(c.id, c.id, 0.5, 0.5, s) for c, s in zip(self.vocabulary, steps, strict=True)
        ]
        return Layers(index, self.size, ()).with_layers(layers)

    def _events(self, way: str, index: int, ids: set[int]) -> list[Event]:
        name = self.vocabulary.by_id
        return list(note_visible(self.roster[way], ids, index, 1 / 25, lambda id: name(id).name))

    def before(self, index: int, logits: torch.Tensor) -> tuple[np.ndarray, list[Event]]:
        times = [time.process_time()]
        filled = plain_holes(logits, HOLE)
        times.append(time.process_time())
        layers = self._layers(index, plain_steps(filled.numpy()))
        times.append(time.process_time())
        ids = plain_map(layers, *self.levels)
        measured = plain_measure(ids)
        times.append(time.process_time())
        events = self._events("before", index, set(measured))
        self._note("before", times)
        return ids, events

    def now(self, index: int, logits: torch.Tensor) -> tuple[PanopticSegmentation, list[Event]]:
        times = [time.process_time()]
        filled = fill_holes(logits, HOLE)
        times.append(time.process_time())
        layers = self._layers(index, to_steps(filled.numpy()))
        times.append(time.process_time())
        result = layers.compose(*self.levels)
        times.append(time.process_time())
        events = self._events("now", index, {segment.id for segment in result})
        self._note("now", times)
        return result, events

    def _note(self, way: str, times: list[float]) -> None:
        times = [*times, time.process_time()]
        for stage, start, end in zip(
            ("fill", "keep", "compose", "events"), times, times[1:], strict=False
        ):
            self.seconds[f"{way}: {stage}"].append(end - start)
        self.seconds[f"{way}: all"].append(times[-1] - times[0])


def measure_one(segments: int, size: tuple[int, int], frames: int) -> dict[str, Any]:
    """Milliseconds by stage, before and now, and whether all maps and events were the same."""
    ways = Frames(words(segments), size)
    same, seen = True, 0
    for index, logits in enumerate(clip(segments, frames + 1, seed=segments)):
        masks = torch.from_numpy(logits)
        ids, told = ways.before(index, masks)
        result, events = ways.now(index, masks)
        same &= np.array_equal(ids, result.ids) and told == events
        seen = max(seen, len(result))
    # The first frame sets things up.
    medians = {name: 1e3 * float(np.median(times[1:])) for name, times in ways.seconds.items()}
    return {
        **{"segments": segments, "size": list(size), "frames": frames, "shown": seen},
        **{"milliseconds": medians, "same": same},
        "times as fast": medians["before: all"] / medians["now: all"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"Milliseconds of the processor, medians over {rows[0]['frames']} frames; before / now.",
        "",
        "| segments | frame | fill holes | eighths | compose | events | all | times | same |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = row["milliseconds"]
        cells = [
            f"{times[f'before: {stage}']:.1f} / {times[f'now: {stage}']:.1f}"
            for stage in ("fill", "keep", "compose", "events", "all")
        ]
        lines.append(
            f"| {row['segments']} | {row['size'][1]} x {row['size'][0]} | {' | '.join(cells)} "
            f"| {row['times as fast']:.1f} | {'yes' if row['same'] else 'NO'} |"
        )
    return "\n".join(lines)


def bounds(rows: list[dict[str, Any]]) -> list[Bound]:
    judged = [r for r in rows if (r["segments"], tuple(r["size"])) == JUDGED]
    return [
        Bound("rows with the same maps", sum(r["same"] for r in rows), least=len(rows)),
        *(
            Bound("milliseconds, 30 at 1280 x 720", r["milliseconds"]["now: all"], most=MOST)
            for r in judged
        ),
    ]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--segments", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--frames", type=int, default=15, help="that are timed, of each row")


def measure(arguments: argparse.Namespace) -> Outcome:
    torch.set_num_threads(1)
    rows = [
        measure_one(segments, size, arguments.frames)
        for segments in arguments.segments
        for size in SIZES
    ]
    least, most = (of(r["times as fast"] for r in rows) for of in (min, max))
    verdict = f"frames are composed {least:.1f} to {most:.1f} times as fast as before"
    return Outcome({"rows": rows}, table(rows), verdict, bounds(rows))


BENCHMARK = Benchmark(
    "benchmarks.compose",
    __doc__,
    measure,
    options,
    quick={"segments": [10, 30], "frames": 3},
    quick_means="10 and 30 segments, three frames of each",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
