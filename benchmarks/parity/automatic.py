"""Automatic masks by the rules of sam2core and by the published ones.

``python -m benchmarks.parity.automatic``

The decoder's answers are the same on both sides, those of the shipped demo SAM 2: what differs are
the rules by which masks are kept (see `published_masks`). Single rules are also switched alone.
Pictures are held-out scenes of the demo world, whose true segments are known, and the photographs
of a folder that is given as ``--photos``. The demo model is unsure of photographs, so that there
the least estimated IoU and stability are lower, on both sides.

A row says: how many masks there are; of the published masks the share that is there as well, with
an IoU of at least 0.9; of its own masks the share that is published; how many have an IoU above 0.7
with another one; of the true segments the mean IoU with the best mask, and the share for which it
is at least 0.5. Exits with 1 where sam2core's row isn't that of the published rules with the one
that it replaces switched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.frame import Benchmark, Bound, Outcome
from benchmarks.parity.published_masks import Rules, published_masks
from panoptic.compose.candidates import shrink
from panoptic.demo.artwork import UNSEEN_VENDOR, load_artwork
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.presets import DEMO_WEIGHTS
from sam2core import AutomaticMasks, AutomaticSettings, EncodedImage, ImageSegmenter, Sam2, load
from sam2core.image_segmenter import ImageMasks
from sam2core.patches import Patch
from sam2core.transforms import as_rgb

SAME, COPY = 0.9, 0.7
PUBLISHED = "as published"
OURS, SWITCHED = "sam2core", "copies told by masks, not by boxes"
Ask = Callable[[ImageSegmenter, np.ndarray, int, int], list[Patch]]


@dataclass(frozen=True)
class Thresholds:
    """Of the estimated IoU and of stability, on both sides."""

    iou: float
    stability: float


SCENES, PHOTOS = Thresholds(0.8, 0.95), Thresholds(0.4, 0.6)


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture (H, W, 3) and, where they are known, its true segments."""

    picture: np.ndarray
    truth: tuple[Patch, ...] = ()


class Remembering(ImageSegmenter):
    """Encodes a picture, and asks for a batch of its points, once: all rules get one answer."""

    def __init__(self, model: Sam2) -> None:
        super().__init__(model)
        self._encoded: dict[bytes, EncodedImage] = {}
        self._answers: dict[tuple[int, bytes], ImageMasks] = {}

    def forget(self) -> None:
        self._encoded.clear()
        self._answers.clear()

    def encode(self, image: Any) -> EncodedImage:
        picture = as_rgb(image)
        key = repr(picture.shape).encode() + picture.tobytes()
        if key not in self._encoded:
            self._encoded[key] = super().encode(picture)
        return self._encoded[key]

    def segment(
        self, points: Any = None, *args: Any, image: EncodedImage | None = None, **kwargs: Any
    ) -> ImageMasks:
        image = image or self._require_image()
        key = id(image), np.asarray(points, dtype=np.float32).tobytes()
        if key not in self._answers:
            self._answers[key] = super().segment(points, *args, image=image, **kwargs)
        return self._answers[key]


def by_rules(rules: Rules) -> Ask:
    def ask(segmenter: ImageSegmenter, picture: np.ndarray, side: int, layers: int) -> list[Patch]:
        return [m.patch for m in published_masks(segmenter, picture, rules, side, layers)]

    return ask


def by_sam2core(settings: AutomaticSettings) -> Ask:
    def ask(segmenter: ImageSegmenter, picture: np.ndarray, side: int, layers: int) -> list[Patch]:
        asked = replace(settings, points_per_side=side, crop_layers=layers)
        return [m.patch for m in AutomaticMasks(segmenter, asked).generate(picture)]

    return ask


def ways(thresholds: Thresholds, layers: int) -> dict[str, Ask]:
    """By name: the published rules, each rule switched alone, and sam2core."""
    published = Rules(thresholds.iou, thresholds.stability)
    found = {
        PUBLISHED: by_rules(published),
        SWITCHED: by_rules(replace(published, masks_compared=True)),
        "stability at the decoder's size": by_rules(replace(published, judged_small=True)),
        "none above 95 % of the picture": by_rules(replace(published, most_coverage=0.95)),
    }
    if layers:
        found["half the points each way in crops"] = by_rules(replace(published, grid_divisor=2))
    settings = AutomaticSettings(min_iou=thresholds.iou, min_stability=thresholds.stability)
    return found | {OURS: by_sam2core(settings)}


@dataclass
class Row:
    """Counts over all pictures."""

    masks: int = 0
    published: int = 0
    found: int = 0
    own: int = 0
    copies: int = 0
    best: list[float] = field(default_factory=list)

    def differences(self, other: Row) -> int:
        """By how many masks the two rows differ, as far as their counts can tell."""
        counts = ("masks", "found", "own", "copies")
        return max(abs(getattr(self, name) - getattr(other, name)) for name in counts)

    def cells(self) -> list[str]:
        share = [
            f"{100 * part / whole:.1f} %" if whole else ""
            for part, whole in ((self.found, self.published), (self.own, self.masks))
        ]
        truth = ["", ""]
        if self.best:
            best = np.array(self.best)
            truth = [f"{best.mean():.3f}", f"{100 * (best >= 0.5).mean():.1f} %"]
        return [str(self.masks), *share, str(self.copies), *truth]


def best_iou(patch: Patch, others: Sequence[Patch]) -> float:
    return max((patch.iou(other) for other in others), default=0.0)


def compare(
    segmenter: Remembering,
    pictures: Sequence[Shown],
    thresholds: Thresholds,
    side: int,
    layers: int,
) -> dict[str, Row]:
    """A row for each way, over all pictures."""
    rows: dict[str, Row] = {}
    for shown in pictures:
        published: list[Patch] = []
        segmenter.forget()
        for name, ask in ways(thresholds, layers).items():
            masks = ask(segmenter, shown.picture, side, layers)
            row = rows.setdefault(name, Row())
            published = published if name != PUBLISHED else masks
            row.masks += len(masks)
            row.published += len(published)
            row.found += sum(best_iou(mask, masks) >= SAME for mask in published)
            row.own += sum(best_iou(mask, published) >= SAME for mask in masks)
            row.copies += sum(best_iou(mask, masks[:i]) > COPY for i, mask in enumerate(masks))
            row.best += [best_iou(mask, masks) for mask in shown.truth]
    return rows


def scenes(count: int) -> list[Shown]:
    world = World(load_artwork((UNSEEN_VENDOR,)), seed=HELD_OUT_WORLD)
    found = []
    for seed in range(count):
        scene = world.scene(seed)
        ids = scene.truth.ids
        segments = [Patch.of(ids == i) for i in np.unique(ids) if i != 0]
        found.append(Shown(scene.image, tuple(segments)))
    return found


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, help="folder of photographs; without it none")
    parser.add_argument("--scenes", type=int, default=24, help="of the demo world (default: 24)")
    parser.add_argument("--weights", type=Path, default=DEMO_WEIGHTS / "sam2")
    parser.add_argument("--points", type=int, default=16, help="points each way (default: 16)")
    parser.add_argument("--side", type=int, default=640, help="longest of photos (default: 640)")


def measure(arguments: argparse.Namespace) -> Outcome:
    segmenter = Remembering(load(arguments.weights))
    sets = [("demo scenes", scenes(arguments.scenes), SCENES)]
    if arguments.photos is not None:
        paths = sorted(p for p in arguments.photos.glob("*") if p.suffix in (".jpg", ".png"))
        if paths:
            photos = [Shown(shrink(as_rgb(path), arguments.side)) for path in paths]
            sets.append(("photographs", photos, PHOTOS))
        else:
            print(f"no .jpg or .png in {arguments.photos}: only scenes", file=sys.stderr)
    lines = [
        "| pictures | crops | rules | masks | published there | own published | copies "
        "| truth, mean IoU | truth at 0.5 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    numbers, different, masks = [], 0, 0
    for name, pictures, thresholds in sets:
        for layers in (0, 1):
            rows = compare(segmenter, pictures, thresholds, arguments.points, layers)
            different += rows[OURS].differences(rows[SWITCHED])
            masks += rows[OURS].masks
            for rules, row in rows.items():
                cells = [f"{len(pictures)} {name}", str(layers), rules, *row.cells()]
                lines.append("| " + " | ".join(cells) + " |")
                print(lines[-1], file=sys.stderr, flush=True)
                numbers.append({"pictures": name, "crops": layers, "rules": rules, **asdict(row)})
    lines += [
        "",
        f"{arguments.points} x {arguments.points} points; estimated IoU and stability at least "
        f"{SCENES.iou} and {SCENES.stability} in scenes, {PHOTOS.iou} and {PHOTOS.stability} in "
        "photographs.",
    ]
    return Outcome(
        {"machine": arguments.machine, "rows": numbers},
        "\n".join(lines),
        f"{masks} masks of sam2core, {different} of them other than those of the published rules "
        "with copies told by masks",
        [Bound("masks that differ", different, most=0)],
    )


BENCHMARK = Benchmark(
    "benchmarks.parity.automatic",
    __doc__,
    measure,
    options,
    quick={"scenes": 4},
    quick_means="4 scenes",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.run())
