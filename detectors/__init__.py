"""Detectors: where the words are in the picture, as boxes (things) and heatmaps (stuff).

The backends are modules of their own, since they import torch: ``detectors.grounding_dino``,
``detectors.groundingdino_py`` (the authors' package), ``detectors.zero_shot`` (OWLv2,
OmDet-Turbo), ``detectors.sam3``, ``detectors.clipseg``, and ``detectors.tiled`` for small things
in large images. ``detectors.load`` finds the one that a checkpoint is for.

Part of panoptic-anything.
"""

from detectors.base import (
    Boxes,
    Heatmaps,
    StuffDetector,
    ThingDetector,
    ThingMasks,
    ThingSegmenter,
    ThingSettings,
)

__all__ = [
    "Boxes",
    "Heatmaps",
    "StuffDetector",
    "ThingDetector",
    "ThingMasks",
    "ThingSegmenter",
    "ThingSettings",
]
