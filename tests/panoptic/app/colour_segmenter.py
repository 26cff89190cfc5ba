"""A segmenter that is quick and exact: what has one colour and hangs together is an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from detectors.base import Boxes, Heatmaps
from panoptic.image_pipeline import ImagePipeline
from sam2core import ImageMasks


@dataclass(frozen=True)
class _Encoded:
    image: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]


class ColourSegmenter:
    """Answers points and boxes by the colours that they are on. The side of its logits is a
    multiple of the pictures', so that masks come back as they were."""

    prompts_per_batch = 64
    mask_size = 96

    def __init__(self) -> None:
        self.encodings = 0

    def encode(self, image: Any) -> _Encoded:
        self.encodings += 1
        return _Encoded(np.asarray(image))

    def segment(
        self, points=None, labels=None, boxes=None, mask_logits=None, multimask=False, *, image=None
    ) -> ImageMasks:
        mask = np.zeros(image.size, bool)
        if mask_logits is not None:
            mask |= self._at_size(np.asarray(mask_logits)[0] > 0, image.size)
        for (x, y), positive in (
            zip(points[0], labels[0], strict=True) if points is not None else ()
        ):
            piece = _piece(image.image, int(x), int(y))
            mask = mask | piece if positive else mask & ~piece
        for x0, y0, x1, y1 in np.asarray(boxes, int) if boxes is not None else ():
            inside = np.zeros(image.size, bool)
            inside[y0:y1, x0:x1] = True
            mask |= _piece(image.image, (x0 + x1) // 2, (y0 + y1) // 2) & inside
        big = self._at_size(mask, (self.mask_size, self.mask_size))
        logits = torch.from_numpy(np.where(big, 10.0, -10.0).astype(np.float32))[None, None]
        one = torch.ones(1, 1)
        return ImageMasks(logits, one, one[0], image.size)

    @staticmethod
    def _at_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        rows = (np.arange(size[0]) + 0.5) * mask.shape[0] / size[0]
        columns = (np.arange(size[1]) + 0.5) * mask.shape[1] / size[1]
        return mask[rows.astype(int)[:, None], columns.astype(int)]


class Nothing:
    """A detector that finds nothing."""

    def detect_batch(self, images, vocabulary):
        return [Boxes.empty() for _ in images]

    def heatmaps_batch(self, images, vocabulary, sizes=None):
        return [Heatmaps.empty(*image.shape[:2]) for image in images]


def colour_pipeline() -> ImagePipeline:
    return ImagePipeline(Nothing(), Nothing(), ColourSegmenter())


def _piece(image: np.ndarray, x: int, y: int) -> np.ndarray:
    same = (image == image[y, x]).all(-1)
    return ndimage.label(same)[0] == ndimage.label(same)[0][y, x]
