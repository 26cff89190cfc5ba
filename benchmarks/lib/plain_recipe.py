"""The plain recipe that composes the same models without care: what our pipeline is measured with.

It is the composition that was published with the idea (boxes prompt SAM, heatmaps sampled for
points prompt SAM), as its steps are usually described:

- Things are painted in the order of detection, the later over the earlier.
- Each pixel goes to the likeliest stuff word, those below 0.1 to none. Of each word's region the
  things are clipped off, and it is eroded with a fixed kernel of 20 pixels.
- A word gets one prompt of random positive points, drawn with replacement: 1,000 for the largest
  region, for others in proportion to their area.
- Its heat is the highest of the three masks' sigmoids. Each pixel that no thing has goes to the
  hottest word, those below 0.1 to none.

Models, boxes and heatmaps are exactly those that our pipeline gets.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from detectors.base import Boxes, Heatmaps
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary
from sam2core import EncodedImage, ImageSegmenter
from sam2core.layers import resize

BACKGROUND = 0.1
KERNEL = 20
POINTS = 1000


def plain_recipe(
    segmenter: ImageSegmenter,
    image: EncodedImage,
    boxes: Boxes,
    heatmaps: Heatmaps,
    vocabulary: Vocabulary,
    *,
    seed: int = 0,
    surest_last: bool = False,
) -> PanopticSegmentation:
    """Labels a picture that ``segmenter`` has encoded.

    ``boxes`` come surest first. ``surest_last`` paints them the other way round, which is kinder
    to this recipe than its description.
    """
    height, width = image.size
    ids = np.zeros((height, width), np.int32)
    segments: list[Segment] = []
    order = range(len(boxes))
    masks = segmenter.segment(boxes=boxes.xyxy, image=image).masks()[:, 0] if len(boxes) else ()
    for i in reversed(order) if surest_last else order:
        category = vocabulary.by_id(int(boxes.category_ids[i]))
        segment_id = len(segments) + 1
        ids[masks[i]] = segment_id
        segments.append(
            Segment(segment_id, category.id, category.name, True, float(boxes.scores[i]))
        )
    things = ids > 0
    regions = _regions(heatmaps.probabilities, things)
    largest = max((int(region.sum()) for region in regions), default=0)
    rng = np.random.default_rng(seed)
    words, heats = [], [np.full((height, width), BACKGROUND, np.float32)]
    for category_id, region in zip(heatmaps.category_ids, regions, strict=True):
        count = int(POINTS * region.sum() / max(largest, 1))
        if count:
            words.append(vocabulary.by_id(int(category_id)))
            heats.append(_heat(segmenter, image, region, count, rng))
    hottest = np.argmax(heats, axis=0)
    for number, category in enumerate(words, start=1):
        segment_id = len(segments) + 1
        ids[(hottest == number) & ~things] = segment_id
        segments.append(Segment(segment_id, category.id, category.name, False, 1.0))
    return PanopticSegmentation.from_ids(ids, segments)


def _regions(probabilities: np.ndarray, things: np.ndarray) -> list[np.ndarray]:
    if not len(probabilities):
        return []
    likeliest = probabilities.argmax(0)
    likeliest[probabilities.max(0) < BACKGROUND] = -1
    kernel = np.ones((KERNEL, KERNEL), bool)
    # What touches the edge of the picture is not eroded from there, as with OpenCV.
    return [
        ndimage.binary_erosion((likeliest == k) & ~things, kernel, border_value=1)
        for k in range(len(probabilities))
    ]


def _heat(
    segmenter: ImageSegmenter,
    image: EncodedImage,
    region: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    ys, xs = np.nonzero(region)
    chosen = rng.integers(0, len(ys), count)
    points = np.stack([xs[chosen], ys[chosen]], axis=1)[None].astype(np.float32)
    answer = segmenter.segment(points, np.ones((1, count), int), multimask=True, image=image)
    return resize(answer.logits, image.size)[0].sigmoid().amax(0).cpu().numpy()
