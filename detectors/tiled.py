"""Small things in large images: the detector on overlapping tiles as well as on the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detectors.base import Boxes, ThingDetector, ThingSettings, check_image
from detectors.suppression import suppress
from prompts.vocabulary import Vocabulary

if TYPE_CHECKING:
    import supervision as sv

# A box that ends this close to its tile's edge, in pixels, is taken for cut off there.
_TOUCH = 2.0


@dataclass(frozen=True)
class TilingSettings:
    """How the image is cut up."""

    tile: int = 800
    """Width and height of a tile in pixels. Grounding DINO sees 800 pixels' height without
    resizing, so things keep all their pixels."""
    overlap: int = 200
    """How far tiles overlap. Things up to this size are whole in at least one tile."""

    def __post_init__(self) -> None:
        if self.tile < 1 or not 0 <= self.overlap < self.tile:
            raise ValueError(
                f"expected 0 <= overlap < tile, got overlap {self.overlap}, tile {self.tile}"
            )


class Tiled:
    """A ``ThingDetector`` that runs another on the whole image and on tiles of it.

    Boxes that a tile's edge cuts off are dropped, unless the image ends there too: small things
    are whole in the next tile, large ones in the whole image. What remains is suppressed together
    by ``suppression`` (its two IoU levels and ``max_boxes``), by default the detector's own
    settings. Images that fit into one tile are passed through.
    """

    def __init__(
        self,
        detector: ThingDetector,
        tiling: TilingSettings | None = None,
        suppression: ThingSettings | None = None,
    ) -> None:
        self.detector = detector
        self.tiling = tiling or TilingSettings()
        self._suppression = suppression

    @property
    def suppression(self) -> ThingSettings:
        own = getattr(self.detector, "settings", None)
        return self._suppression or (own if isinstance(own, ThingSettings) else ThingSettings())

    def detect(self, image: np.ndarray, vocabulary: Vocabulary) -> Boxes:
        """As ``ThingDetector.detect``."""
        import supervision as sv

        height, width = check_image(image).shape[:2]
        whole = self.detector.detect(image, vocabulary)
        if max(height, width) <= self.tiling.tile:
            return whole
        slicer = sv.InferenceSlicer(
            callback=lambda tile: self._in_tile(tile, vocabulary),
            slice_wh=(self.tiling.tile, self.tiling.tile),
            overlap_wh=(self.tiling.overlap, self.tiling.overlap),
            overlap_filter=sv.OverlapFilter.NONE,
        )
        parts = _uncut(slicer(image), height, width)
        return suppress(Boxes.concatenate([whole, parts]), self.suppression)

    def detect_batch(self, images: Sequence[np.ndarray], vocabulary: Vocabulary) -> list[Boxes]:
        """As ``detect`` for each image, one after the other: tiles fill the machine already."""
        return [self.detect(image, vocabulary) for image in images]

    def _in_tile(self, tile: np.ndarray, vocabulary: Vocabulary) -> sv.Detections:
        import supervision as sv

        boxes = self.detector.detect(tile, vocabulary)
        height, width = tile.shape[:2]
        touches = np.concatenate(
            [boxes.xyxy[:, :2] <= _TOUCH, boxes.xyxy[:, 2:] >= np.array([width, height]) - _TOUCH],
            axis=1,
        )
        return sv.Detections(
            xyxy=boxes.xyxy,
            confidence=boxes.scores,
            class_id=boxes.category_ids,
            data={
                "touches": touches,  # left, top, right, bottom edge of the tile
                "confidences": boxes.confidences,
                "margins": boxes.margins,
            },
        )


def _uncut(detections: sv.Detections, height: int, width: int) -> Boxes:
    """The boxes, now in pixels of the image, that touch no edge but the image's own."""
    if not len(detections):
        return Boxes.empty()
    xyxy = detections.xyxy
    at_image_edge = np.concatenate(
        [xyxy[:, :2] <= _TOUCH, xyxy[:, 2:] >= np.array([width, height]) - _TOUCH], axis=1
    )
    kept = ~(np.asarray(detections.data["touches"], dtype=bool) & ~at_image_edge).any(axis=1)
    assert detections.class_id is not None
    assert detections.confidence is not None
    more = (np.asarray(detections.data[name]) for name in ("confidences", "margins"))
    return Boxes(xyxy, detections.class_id, detections.confidence, *more)[kept]
