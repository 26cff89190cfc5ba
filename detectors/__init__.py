"""Detectors: where the words are in the picture, as boxes (things) and heatmaps (stuff).

The backends are modules of their own, since they import torch: ``detectors.grounding_dino``,
``detectors.clipseg``, and ``detectors.tiled`` for small things in large images.
"""

from detectors.base import Boxes, Heatmaps, StuffDetector, ThingDetector, ThingSettings

__all__ = ["Boxes", "Heatmaps", "StuffDetector", "ThingDetector", "ThingSettings"]
