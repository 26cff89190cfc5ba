"""SAM 2: masks from boxes, points and clicks on scenes; masks followed through clips.

Measured through :class:`sam2core.ImageSegmenter` and :class:`sam2core.VideoTracker`, as the
pipeline runs them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.lib.parts import Context, Figure
from panoptic.demo.clips import Clip
from sam2core import Sam2, load
from sam2core.image_segmenter import ImageSegmenter
from training.sam2_clip_metrics import follow_clip, held_out_clips, score_clip, summary
from training.sam2_metrics import ask_points, click_thrice, image_metrics
from training.sam2_prompts import box_of, spread_points
from training.scenes import LabelledScene, held_out

FRAMES = 49  # of each clip: the prompted one and 48 to follow through
# Unseen artwork may be so much worse than the least for seen artwork.
UNSEEN_ALLOWANCE = 0.05
# Kind of prompt -> its name, least and goal.
DEMANDS = {
    "box": ("mask IoU, exact box", 0.80, 0.90),
    "jittered": ("mask IoU, jittered box", 0.77, None),
    "point": ("mask IoU, one point", 0.65, 0.80),
    "clicks": ("mask IoU, three clicks", 0.82, None),
    "stuff": ("mask IoU of stuff, eight points", None, None),
}
_COLOURS = np.array(
    [(230, 60, 60), (60, 140, 240), (250, 200, 40), (60, 190, 90), (190, 90, 220), (250, 130, 40)]
)


def measure(context: Context) -> list[Figure]:
    model = load(context.weights)
    figures = []
    for artwork, scenes in held_out(context.scenes, seen=context.seen).items():
        allowance = UNSEEN_ALLOWANCE if artwork == "unseen" else 0.0
        found = image_metrics(model, scenes)
        for kind, (name, least, goal) in DEMANDS.items():
            least = None if least is None else least - allowance
            figures.append(Figure(name, artwork, found[kind], least, goal))
    for artwork in ("seen", "unseen"):
        clips = held_out_clips(context.clips, FRAMES, artwork == "unseen", context.seen)
        figures += _measure_clips(model, clips, artwork)
    return figures


def _measure_clips(model: Sam2, clips: tuple[Clip, ...], artwork: str) -> list[Figure]:
    """Means over all objects, and J&F over those of each scenario."""
    scores = [score for clip in clips for score in score_clip(model, clip)]
    demands = {"J&F": (0.60, 0.80), "absent when hidden": (0.90, None)}
    figures = [
        Figure(f"clips, {name}", artwork, value, *demands.get(name, (None, None)))
        for name, value in summary(scores).items()
    ]
    for scenario in dict.fromkeys(score.scenario for score in scores):
        some = [score for score in scores if score.scenario == scenario]
        figures.append(Figure(f"clips, J&F, {scenario}", artwork, summary(some)["J&F"]))
    return figures


def picture(context: Context, columns: int = 6) -> Image.Image:
    """Seen, then unseen artwork: truth, masks from boxes, from one point, after three clicks,
    stuff from points. Below, clips: truth above what was followed from the first frame."""
    model = load(context.weights)
    rows = []
    for scenes in held_out(context.scenes, seen=context.seen).values():
        cells = [scene_column(model, scene) for scene in scenes[:columns]]
        rows += [np.concatenate(row, 1) for row in zip(*cells, strict=True)]
    for clip in held_out_clips(4, FRAMES, seen=context.seen):
        rows += clip_rows(model, clip, columns)
    return Image.fromarray(np.concatenate(rows, 0))


def scene_column(model: Sam2, scene: LabelledScene) -> list[np.ndarray]:
    """Pictures (H, W, 3) of a scene with truth and masks by kind of prompt."""
    segmenter = ImageSegmenter(model)
    segmenter.set_image(scene.image)
    things = [mask for i in scene.things if (mask := scene.ids == i).any()]
    stuff = [scene.ids == i for i in scene.stuff]
    answers = [np.array(things)]
    if things:
        answers.append(segmenter.segment(boxes=[box_of(t) for t in things]).masks()[:, 0])
        clicked = click_thrice(segmenter, things)
        answers += [clicked[0].masks()[:, 0], clicked[-1].masks()[:, 0]]
    else:
        answers *= 4
    rng = np.random.default_rng(0)
    prompts = [spread_points(region, rng, 8) for region in stuff]
    answers.append(ask_points(segmenter, prompts).masks()[:, 0])
    return [overlay(scene.image, masks) for masks in answers]


def clip_rows(model: Sam2, clip: Clip, columns: int) -> list[np.ndarray]:
    """Two strips of a clip: its truth, and the masks followed from the first frame."""
    ids, masks, _ = follow_clip(model, clip)
    chosen = np.linspace(0, len(clip.frames) - 1, columns).round().astype(int)
    true = [np.array([clip.truth[t].ids == i for i in ids]) for t in chosen]
    return [
        np.concatenate(
            [overlay(clip.frames[t], each) for t, each in zip(chosen, row, strict=True)], 1
        )
        for row in (true, [masks[t] for t in chosen])
    ]


def overlay(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The image with each mask (N, H, W) tinted in a colour of its own."""
    out = image.astype(np.float32)
    for number, mask in enumerate(masks):
        out[mask] = 0.4 * out[mask] + 0.6 * _COLOURS[number % len(_COLOURS)]
    return out.astype(np.uint8)
