"""Things that are stuff: a box of the whole picture for a word of which there is nothing.

A detector that is asked for a car where there is none may box the whole picture, and SAM 2 then
outlines what is largest in it: the road. Things come before stuff, so that the road would be a car.
But then two models name one object, and the heatmap says where it ends, too: what is outlined is
the very area in which a stuff word is the likeliest. A thing that stands before stuff isn't: its
word's area goes on around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.base import Heatmaps
from prompts import likeliest_words

_LEAST_AREA = 0.2
"""Share of the picture below which a thing is none of these: a box of all of it finds what is
largest. Smaller ones, that a wrong word covers by chance, lost 0.6 PQ of the demo models' unseen
artwork, all words asked, and nothing elsewhere."""


def named_twice(
    masks: Sequence[np.ndarray], heatmaps: Heatmaps, background: float, least_iou: float
) -> dict[int, tuple[int, float]]:
    """Which of the things' masks (H, W) bool, at the size of the heatmaps, are a stuff word's area:
    their places, with the category id of the word and the IoU.

    ``background`` is the probability below which no word is meant, ``least_iou`` the IoU from which
    on the two are one object.
    """
    large = [number for number, mask in enumerate(masks) if mask.mean() >= _LEAST_AREA]
    if not len(heatmaps) or not large:
        return {}
    words = likeliest_words(heatmaps.probabilities, background) + 1
    areas = np.bincount(words.ravel(), minlength=len(heatmaps) + 1)[1:]
    found = {}
    for number in large:
        mask = masks[number]
        shared = np.bincount(words[mask], minlength=len(heatmaps) + 1)[1:]
        ious = shared / np.maximum(areas + mask.sum() - shared, 1)
        best = int(ious.argmax())
        if ious[best] >= least_iou:
            found[number] = int(heatmaps.category_ids[best]), float(ious[best])
    return found
