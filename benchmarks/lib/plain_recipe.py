"""Plain ways to compose the same models, each at its best: what our pipeline is measured with.

All of them paint the things one over the other, each with SAM 2's mask of its box, and give the
pixels that no thing has to stuff. They differ in the stuff, and in the order of painting:

- *plain recipe*, the composition that was published with the idea. Each pixel goes to the likeliest
  word. Of each word's region the things are clipped off, and it is eroded. A word gets one prompt
  of random points, drawn with replacement, in proportion to its region's area. Its heat is the
  highest of the three masks' sigmoids; each pixel goes to the hottest word. Things are painted in
  the order of detection, the surest first.
- *boxes painted surest last*: the same, the other way round.
- *one prompt a word*: the same number of random points for every word, and SAM 2's one mask.
- *heatmap alone*: each pixel to the likeliest word; SAM 2 isn't asked about stuff.

As published, the recipe takes 1,000 points and a kernel of 20 pixels, which are for photographs:
on pictures of 192 pixels they leave next to nothing of its stuff. So lengths are relative to the
picture here, and every level is the best of a sweep (``python -m benchmarks.tune --plain``), on
scenes of which nothing is measured. Models, boxes and heatmaps are exactly those that our pipeline
gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from detectors.base import Boxes, Heatmaps
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Prompt, Vocabulary
from sam2core import Segmenter
from sam2core.layers import resize


@dataclass(frozen=True)
class PlainWay:
    """One plain way, with its levels."""

    stuff: Literal["three masks", "one mask", "heat"] = "three masks"
    """What decides among the words: the highest of SAM 2's three masks for points in proportion to
    the region; its one mask for as many points each; or the heatmap itself."""
    surest_last: bool = False
    """Paint the surest box last, over the others."""
    min_score: float = 0.0
    """Boxes with a lower score are left out."""
    points: int = 25
    """Of the largest region, or of each."""
    kernel: float = 0.036
    """Side of the square that regions are eroded with, as a part of sqrt(height x width)."""
    background: float = 0.1
    """Heat below which a pixel is no word's."""
    floor: float = 0.3
    """Probability of SAM 2's masks below which a pixel is no word's."""
    min_area: float = 0.0
    """Stuff segments smaller than this part of the picture are left out."""


PLAIN = "plain recipe"
PLAIN_WAYS: Mapping[str, PlainWay] = {
    PLAIN: PlainWay(),
    "boxes painted surest last": PlainWay(surest_last=True),
    "one prompt a word": PlainWay("one mask", True, kernel=0.1, floor=0.1),
    "heatmap alone": PlainWay("heat", True, min_area=0.01),
}
"""With what the sweep found on 48 scenes, mean PQ of few and all words:

- ``points``: 66.3 with 3, 67.4 with 6, 68.1 with 12, 68.2 with 25, 67.4 with 50, 52.0 with 1,000.
- ``kernel``: within 0.1 from none to 0.1, so it is the published one, 20 pixels of 640 x 480, by
  size; with one mask 68.7 without and 68.9 at 0.1.
- ``background``: within 0.1 from 0.1 to 0.5, so it is the published level.
- ``floor``: 68.2 at 0.1, 68.2 at 0.3, 68.1 at 0.7; with one mask 68.9 at 0.1, 68.0 at 0.7.
- ``min_area``: moves nothing but the heatmap alone, 67.7 with none and 67.9 with 0.01.
- The surest last: 69.0 where the order of detection has 68.2.
- ``min_score`` is the detector's, not a way's: see ``benchmarks.quality``.
"""


def plain_recipe(
    segmenter: Segmenter,
    image: Any,
    boxes: Boxes,
    heatmaps: Heatmaps,
    vocabulary: Vocabulary,
    way: PlainWay = PLAIN_WAYS[PLAIN],
    *,
    seed: int = 0,
) -> PanopticSegmentation:
    """Labels a picture that ``segmenter`` has encoded as ``image``, in one plain way.

    ``boxes`` come surest first; heatmaps may be smaller than the picture.
    """
    return plain_ways(segmenter, image, boxes, heatmaps, vocabulary, {PLAIN: way}, seed=seed)[PLAIN]


def plain_ways(
    segmenter: Segmenter,
    image: Any,
    boxes: Boxes,
    heatmaps: Heatmaps,
    vocabulary: Vocabulary,
    ways: Mapping[str, PlainWay] = PLAIN_WAYS,
    *,
    seed: int = 0,
) -> dict[str, PanopticSegmentation]:
    """As :func:`plain_recipe`, in each of the plain ways; boxes are asked about once."""
    masks = segmenter.segment(boxes=boxes.xyxy, image=image).masks()[:, 0] if len(boxes) else ()
    heat = _resized(heatmaps.probabilities, image.size)
    found = {}
    for name, way in ways.items():
        ids = np.zeros(image.size, np.int32)
        segments: list[Segment] = []
        order = np.flatnonzero(boxes.scores >= way.min_score).tolist()
        for i in reversed(order) if way.surest_last else order:
            category = vocabulary.by_id(int(boxes.category_ids[i]))
            ids[masks[i]] = len(segments) + 1
            score = float(boxes.scores[i])
            segments.append(Segment(len(segments) + 1, category.id, category.name, True, score))
        for index, mask in _stuff(segmenter, image, heat, ids > 0, way, seed):
            if mask.sum() < max(way.min_area * mask.size, 1):
                continue
            category = vocabulary.by_id(int(heatmaps.category_ids[index]))
            ids[mask] = len(segments) + 1
            segments.append(Segment(len(segments) + 1, category.id, category.name, False, 1.0))
        found[name] = PanopticSegmentation.from_ids(ids, segments)
    return found


def _stuff(
    segmenter: Segmenter,
    image: Any,
    heat: np.ndarray,
    covered: np.ndarray,
    way: PlainWay,
    seed: int,
) -> list[tuple[int, np.ndarray]]:
    """Words by their places in ``heat`` (K, H, W), each with its pixels."""
    if not len(heat):
        return []
    likeliest = heat.argmax(0)
    likeliest[(heat.max(0) < way.background) | covered] = -1
    if way.stuff == "heat":
        return [(k, likeliest == k) for k in range(len(heat))]
    side = round(way.kernel * np.sqrt(covered.size))
    regions = [_eroded(likeliest == k, side) for k in range(len(heat))]
    largest = max(int(region.sum()) for region in regions)
    rng = np.random.default_rng(seed)
    words, points = [], []
    for k, region in enumerate(regions):
        count = way.points if region.any() else 0
        if way.stuff == "three masks":
            count = int(count * region.sum() / max(largest, 1))
        if count:
            ys, xs = np.nonzero(region)
            chosen = rng.integers(0, len(ys), count)
            words.append(k)
            points.append(np.stack([xs[chosen], ys[chosen]], axis=1))
    if not words:
        return []
    prompt = Prompt.from_points(points)
    three = way.stuff == "three masks"
    answers = segmenter.segment(prompt.points_nk2, prompt.labels_nk, multimask=three, image=image)
    heats = resize(answers.logits, image.size).sigmoid().amax(1).cpu().numpy()
    hottest = heats.argmax(0)
    hottest[(heats.max(0) < way.floor) | covered] = -1
    return [(k, hottest == number) for number, k in enumerate(words)]


def _eroded(mask: np.ndarray, side: int) -> np.ndarray:
    """What touches the edge of the picture is not eroded from there, as with OpenCV."""
    return ndimage.minimum_filter(mask, side, mode="constant", cval=1) if side > 1 else mask


def _resized(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Heatmaps (K, h, w) at the picture's size."""
    import torch

    if not len(maps) or maps.shape[1:] == size:
        return maps
    return resize(torch.from_numpy(maps)[:, None], size)[:, 0].numpy()
