"""How well prompts give masks on still scenes with exact truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sam2core import Sam2
from sam2core.image_segmenter import ImageMasks, ImageSegmenter
from sam2core.prompt_encoder import NEGATIVE, POSITIVE
from training.sam2_prompts import Points, box_of, jitter_box, middle_point, spread_points
from training.scenes import LabelledScene

JITTER = 0.05  # of the box's side, each side on its own
CLICKS = 3
STUFF_POINTS, LEAST_STUFF = 8, 200
LOGIT_LIMIT = 32.0


def largest_error(found: np.ndarray, truth: np.ndarray) -> tuple[float, float, int]:
    """A click (x, y, label) in the middle of the largest connected error of a mask (H, W)."""
    from scipy.ndimage import label

    best: tuple[int, np.ndarray, int] | None = None
    for error, kind in ((truth & ~found, POSITIVE), (found & ~truth, NEGATIVE)):
        parts, count = label(error)
        if not count:
            continue
        sizes = np.bincount(parts.ravel())[1:]
        if best is None or sizes.max() > best[0]:
            best = int(sizes.max()), parts == sizes.argmax() + 1, kind
    if best is None:
        return (*middle_point(truth), POSITIVE)
    return (*middle_point(best[1]), best[2])


def mask_iou(found: np.ndarray, truth: np.ndarray) -> float:
    """IoU of two masks (H, W); 1 where both are empty."""
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else 1.0


def ask_points(
    segmenter: ImageSegmenter, prompts: Sequence[Points], answer: ImageMasks | None = None
) -> ImageMasks:
    """One mask a prompt, the likeliest of three for single clicks; ``answer`` is the one before
    the last click."""
    points = [[(x, y) for x, y, _ in prompt] for prompt in prompts]
    labels = [[label for *_, label in prompt] for prompt in prompts]
    if answer is None and all(len(p) == 1 for p in prompts):
        return segmenter.segment(points, labels, multimask=True).best()
    earlier = None if answer is None else answer.logits[:, 0].clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return segmenter.segment(points, labels, mask_logits=earlier)


def click_thrice(segmenter: ImageSegmenter, truths: Sequence[np.ndarray]) -> list[ImageMasks]:
    """Answers to a click in the middle of each thing, and after each further click in the middle
    of the largest error."""
    prompts: list[Points] = [[(*middle_point(truth), POSITIVE)] for truth in truths]
    answers = [ask_points(segmenter, prompts)]
    for _ in range(CLICKS - 1):
        masks = answers[-1].masks()[:, 0]
        for prompt, mask, truth in zip(prompts, masks, truths, strict=True):
            prompt.append(largest_error(mask, truth))
        answers.append(ask_points(segmenter, prompts, answers[-1]))
    return answers


def image_metrics(model: Sam2, scenes: Sequence[LabelledScene], seed: int = 0) -> dict[str, float]:
    """Mean IoU of masks from an exact box, a jittered box, one point in the middle of the thing,
    that point and two clicks in the largest error, and for stuff from eight spread points."""
    rng = np.random.default_rng(seed)
    segmenter = ImageSegmenter(model)
    found: dict[str, list[float]] = {k: [] for k in ("box", "jittered", "point", "clicks", "stuff")}

    def note(kind: str, answer: ImageMasks, truths: Sequence[np.ndarray]) -> None:
        masks = answer.masks()[:, 0]
        found[kind] += [mask_iou(mask, truth) for mask, truth in zip(masks, truths, strict=True)]

    for scene in scenes:
        segmenter.set_image(scene.image)
        things = [mask for i in scene.things if (mask := scene.ids == i).any()]
        if things:
            boxes = [box_of(thing) for thing in things]
            note("box", segmenter.segment(boxes=boxes), things)
            moved = [jitter_box(box, rng, JITTER, scene.ids.shape) for box in boxes]
            note("jittered", segmenter.segment(boxes=moved), things)
            first, *_, last = click_thrice(segmenter, things)
            note("point", first, things)
            note("clicks", last, things)
        stuff = [mask for i in scene.stuff if (mask := scene.ids == i).sum() >= LEAST_STUFF]
        if stuff:
            prompts = [spread_points(region, rng, STUFF_POINTS) for region in stuff]
            note("stuff", ask_points(segmenter, prompts), stuff)
    return {kind: float(np.mean(values)) for kind, values in found.items() if values}
