"""A picture drawn by hand for stand-ins, and a clip of it in which things move."""

import numpy as np

from benchmarks.standins.truth import TrueFrame, Truths
from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation

HEIGHT, WIDTH = 96, 128
CAT, OTHER_CAT, DOG, SKY, GRASS = 1, 2, 3, 4, 5
NAMES = {
    CAT: (1, "cat", True),
    OTHER_CAT: (1, "cat", True),
    DOG: (2, "dog", True),
    SKY: (7, "sky", False),
    GRASS: (8, "grass", False),
}
CAT_BOX, OTHER_BOX, DOG_BOX = (20, 40, 44, 72), (44, 44, 64, 72), (90, 30, 110, 90)
"""Two cats that touch, and a dog that stands before the edge of sky and grass."""


def drawn(boxes, index=0, clip="drawn", cat_hidden=False):
    """Sky above grass, an unlabelled pole through the sky at x = 80 to 84, and things."""
    ids = np.full((HEIGHT, WIDTH), GRASS)
    ids[:56] = SKY
    ids[:56, 80:84] = 0
    for id, (x0, y0, x1, y1) in boxes.items():
        if not (cat_hidden and id == CAT):
            ids[y0:y1, x0:x1] = id
    segments = [Segment(i, *NAMES[i], 1.0) for i in np.unique(ids).tolist() if i]
    rng = np.random.default_rng(7)
    paint = rng.integers(0, 255, (6, 3))
    image = (paint[ids] // 2 + rng.integers(0, 60, (HEIGHT, WIDTH, 1))).astype(np.uint8)
    image[0, 0] = index % 256, index // 256, 0  # no two frames are the same
    return TrueFrame(image, PanopticSegmentation.from_ids(ids, segments), clip, index)


def still():
    return drawn({CAT: CAT_BOX, OTHER_CAT: OTHER_BOX, DOG: DOG_BOX})


def clip(frames=12, hidden=range(0)):
    """The cat walks left to right before the other one, the dog stands; the cat isn't seen in the
    frames ``hidden``."""
    return [
        drawn(
            {
                **{OTHER_CAT: (54, 44, 74, 72), DOG: DOG_BOX},
                CAT: (10 + 2 * t, 40, 34 + 2 * t, 72),
            },
            t,
            "walk",
            t in hidden,
        )
        for t in range(frames)
    ]


def truths(frames):
    return Truths(frames)


def overlap(mask, truth, *ids):
    """IoU of a mask with segments of a truth."""
    true = np.isin(truth.ids, ids)
    return (mask & true).sum() / (mask | true).sum()
