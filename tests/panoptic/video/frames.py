"""Tiny videos written by hand."""

import numpy as np

from panoptic.results.segment import Segment
from panoptic.results.segmentation import PanopticSegmentation

NAMES = {1: ("cat", True), 2: ("dog", True), 7: ("grass", False), 8: ("sky", False)}


def frame(rows, categories, crowd=()):
    """An id map written as rows of digits; ``categories`` says what each digit is."""
    ids = np.array([[int(c) for c in row] for row in rows.split()])
    segments = [Segment(i, c, *NAMES[c], 1.0, is_crowd=i in crowd) for i, c in categories.items()]
    return PanopticSegmentation.from_ids(ids, segments)


def random_video(seed, frames=7, size=(24, 32), void=True):
    """Truth and prediction of a video of moving rectangles, with faults of every kind."""
    rng = np.random.default_rng(seed)
    categories = {i: int(rng.choice(list(NAMES))) for i in range(1, 6)}
    wrong = {
        **categories,
        **{i + 10: c for i, c in categories.items()},
        1: int(rng.choice(list(NAMES))),
    }
    start, step = rng.integers(0, 16, (6, 2)), rng.integers(-2, 3, (6, 2))
    change = rng.integers(1, 2 * frames, 6)
    truth, prediction = [], []
    for t in range(frames):
        true = np.zeros(size, int) if void else np.full(size, 5)
        for i in range(1, 6):
            y, x = np.maximum(start[i] + t * step[i], 0)
            if rng.random() > 0.1:
                true[y : y + 9, x : x + 8] = i
        found = np.roll(true, rng.integers(-1, 2, 2), (0, 1))
        found = np.where((found > 0) & (t >= change[found]), found + 10, found)
        found[found == 4] = 0
        truth.append(_frame(true, categories, crowd=(2,)))
        prediction.append(_frame(found, wrong))
    return prediction, truth


def _frame(ids, categories, crowd=()):
    segments = [Segment(i, c, *NAMES[c], 1.0, is_crowd=i in crowd) for i, c in categories.items()]
    return PanopticSegmentation.from_ids(ids, segments)
