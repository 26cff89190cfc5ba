"""Models that answer a question once: a sweep over rules asks them the same again and again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch

from detectors.base import Boxes, Heatmaps, StuffDetector, ThingDetector, ThingSettings
from prompts import Vocabulary
from sam2core import ImageMasks, Segmenter, Tracker, TrackerSettings


class RememberingThings:
    """A detector of things whose boxes depend on picture, words and ``settings`` alone."""

    def __init__(self, detector: Any) -> None:
        self._detector: ThingDetector = detector
        self._known: dict[Hashable, Boxes] = {}
        self.settings: ThingSettings = detector.settings

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        key = (image.tobytes(), vocabulary, self.settings)
        if key not in self._known:
            self._detector.settings = self.settings  # type: ignore[attr-defined]
            self._known[key] = self._detector.detect(image, vocabulary)
        return self._known[key]

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        return [self.detect(image, vocabulary) for image in images]


class RememberingStuff:
    """A detector of stuff whose heatmaps depend on picture, words and their size alone."""

    def __init__(self, detector: StuffDetector) -> None:
        self._detector = detector
        self._known: dict[Hashable, Heatmaps] = {}

    def heatmaps(self, image: np.ndarray, vocabulary: Vocabulary) -> Heatmaps:
        return self.heatmaps_batch([image], vocabulary)[0]

    def heatmaps_batch(
        self,
        images: Sequence[np.ndarray],
        vocabulary: Vocabulary,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Heatmaps]:
        found = []
        for image, size in zip(images, sizes or [None] * len(images), strict=True):
            key = (image.tobytes(), vocabulary, size)
            if key not in self._known:
                wanted = None if size is None else [size]
                self._known[key] = self._detector.heatmaps_batch([image], vocabulary, wanted)[0]
            found.append(self._known[key])
        return found


class RememberingSegmenter:
    """A segmenter whose masks depend on picture and prompt alone."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._encoded: dict[bytes, Any] = {}
        self._known: dict[Hashable, ImageMasks] = {}
        self.prompts_per_batch = segmenter.prompts_per_batch
        self.mask_size = segmenter.mask_size

    def encode(self, image: Any) -> Any:
        key = np.asarray(image).tobytes()
        if key not in self._encoded:
            self._encoded[key] = self._segmenter.encode(image)
        return self._encoded[key]

    def segment(
        self,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        mask_logits: Any = None,
        multimask: bool = False,
        *,
        image: Any = None,
    ) -> ImageMasks:
        prompt = (points, labels, boxes, mask_logits)
        alone = boxes is not None and points is None and mask_logits is None
        if alone and np.ndim(boxes) == 2 and len(boxes) > 1:
            # One by one: of boxes from a higher level on, all were asked about before.
            each = [self.segment(boxes=box[None], multimask=multimask, image=image)
                    for box in np.asarray(boxes)]  # fmt: skip
            return ImageMasks(
                torch.cat([found.logits for found in each]),
                torch.cat([found.iou for found in each]),
                torch.cat([found.presence for found in each]),
                each[0].size,
            )
        key = (id(image), multimask, *(None if p is None else _bytes(p) for p in prompt))
        if key not in self._known:
            self._known[key] = self._segmenter.segment(*prompt, multimask, image=image)
        return self._known[key]

    def tracker(self, settings: TrackerSettings | None = None) -> Tracker:
        return self._segmenter.tracker(settings)


def _bytes(values: Any) -> tuple[tuple[int, ...], bytes]:
    array = np.asarray(values)
    return array.shape, array.tobytes()
