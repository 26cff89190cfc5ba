"""Detectors that know the truth: they look up which frame it is that they are shown."""

from collections.abc import Sequence

import numpy as np

from detectors.base import Boxes, Heatmaps, ThingMasks
from panoptic.results.segmentation import PanopticSegmentation


class Oracle:
    """A ThingSegmenter and a StuffDetector of known frames; what isn't known has nothing in it.

    Things and stuff of the truth whose words are in the vocabulary are found exactly, things of
    at least ``least`` pixels with ``score``.
    """

    def __init__(
        self,
        frames: Sequence[np.ndarray],
        truth: Sequence[PanopticSegmentation],
        score: float = 0.9,
        least: int = 12,
    ):
        self.truth = {f.tobytes(): t for f, t in zip(frames, truth, strict=True)}
        self.score = score
        self.least = least
        self.looks = 0

    def segment(self, image, vocabulary):
        return self.segment_batch([image], vocabulary)[0]

    def segment_batch(self, images, vocabulary):
        self.looks += len(images)
        return [self._things(image, vocabulary) for image in images]

    def detect(self, image, vocabulary):
        return self.segment(image, vocabulary).boxes

    def detect_batch(self, images, vocabulary):
        return [self.detect(image, vocabulary) for image in images]

    def heatmaps(self, image, vocabulary):
        words = vocabulary.stuff
        maps = np.full((len(words), *image.shape[:2]), 0.01, np.float32)
        truth = self.truth.get(image.tobytes())
        for heat, word in zip(maps, words, strict=True):
            for s in truth or ():
                if s.category == word.name:
                    heat[truth.ids == s.id] = 0.95
        return Heatmaps(maps, np.array([w.id for w in words], np.int64))

    def heatmaps_batch(self, images, vocabulary, sizes=None):
        assert sizes is None or list(sizes) == [image.shape[:2] for image in images]
        return [self.heatmaps(image, vocabulary) for image in images]

    def _things(self, image, vocabulary):
        truth = self.truth.get(image.tobytes())
        ids = {c.name: c.id for c in vocabulary.things}
        found = [s for s in truth or () if s.category in ids and s.area >= self.least]
        if not found:
            return ThingMasks.empty()
        boxes = Boxes(
            np.array([s.box for s in found]),
            np.array([ids[s.category] for s in found]),
            np.full(len(found), self.score),
        )
        return ThingMasks(boxes, np.stack([np.where(truth.ids == s.id, 9.0, -9.0) for s in found]))
