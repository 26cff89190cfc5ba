"""CLIPSeg: is each pixel of stuff given the right kind, all kinds asked?

Measured through :class:`detectors.ClipSeg`, as the pipeline runs it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.lib.parts import Context, Figure
from detectors.clipseg import ClipSeg
from panoptic.demo.textures import STUFF_NAMES
from prompts.vocabulary import Vocabulary
from training.scenes import LabelledScene, held_out
from training.stuff_metrics import stuff_iou

DEMANDS = {"seen": (0.90, 0.95), "unseen": (0.85, None)}
COLOURS = {
    "sky": (120, 190, 255),
    "grass": (60, 160, 60),
    "water": (30, 80, 170),
    "sand": (235, 205, 130),
    "brick": (190, 70, 50),
    "wood": (150, 100, 50),
    "road": (90, 90, 95),
    "snow": (240, 245, 255),
    "tile": (150, 220, 210),
    "dirt": (100, 65, 35),
}
# The last, black, is what isn't stuff.
PALETTE = np.array([*(COLOURS[name] for name in STUFF_NAMES), (0, 0, 0)], np.uint8)


def measure(context: Context) -> list[Figure]:
    detector = ClipSeg.from_pretrained(context.weights)
    figures = []
    for artwork, scenes in held_out(context.scenes, seen=context.seen).items():
        result = stuff_iou(_predict(detector, scenes), scenes, STUFF_NAMES)
        least, goal = DEMANDS[artwork]
        worst = min(result.by_name, key=lambda name: result.by_name[name])
        figures += [
            Figure("mIoU over stuff", artwork, result.mean, least, goal),
            Figure("accuracy of stuff pixels", artwork, result.accuracy),
            Figure(f"IoU of the worst, {worst}", artwork, result.by_name[worst]),
        ]
    return figures


def picture(context: Context, columns: int = 8) -> Image.Image:
    """Images, predictions and truth: seen artwork, then unseen."""
    detector = ClipSeg.from_pretrained(context.weights)
    rows = []
    for scenes in held_out(context.scenes, seen=context.seen).values():
        shown = scenes[:columns]
        predicted = _predict(detector, shown)
        true = np.full(predicted.shape, len(STUFF_NAMES))
        for labels, scene in zip(true, shown, strict=True):
            for segment_id, name in scene.stuff.items():
                labels[scene.ids == segment_id] = STUFF_NAMES.index(name)
        images = np.stack([scene.image for scene in shown])
        rows += [
            np.concatenate(list(row), 1) for row in (images, PALETTE[predicted], PALETTE[true])
        ]
    return Image.fromarray(np.concatenate(rows, 0))


def _predict(detector: ClipSeg, scenes: list[LabelledScene]) -> np.ndarray:
    """(N, H, W): for each pixel the index of the likeliest stuff."""
    vocabulary = Vocabulary(stuff=STUFF_NAMES)
    return np.stack(
        [detector.heatmaps(s.image, vocabulary).probabilities.argmax(0) for s in scenes]
    )
