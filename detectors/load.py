"""The detector that a checkpoint is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detectors.base import ThingDetector, ThingSettings

PACKAGE = "groundingdino-py:"
"""Before the name of a ``.pth`` checkpoint: run it with the authors' package."""


def load_thing_detector(
    source: str | Path,
    device: str = "cpu",
    dtype: Any = None,
    settings: ThingSettings | None = None,
) -> ThingDetector:
    """A detector of things by its checkpoint, a folder or a name on the hub.

    Which architecture it is, its configuration says: Grounding DINO and MM Grounding DINO, OWLv2,
    OmDet-Turbo, SAM 3. Grounding DINO's original checkpoints end in ``.pth``; with
    ``groundingdino-py:`` before the name the authors' package runs them. ``settings`` are those
    of Grounding DINO's levels; the other families have their own. ``dtype`` is a ``torch.dtype``,
    by default float32. Raises ``ValueError`` for other architectures.
    """
    import torch

    dtype = dtype or torch.float32
    name = str(source)
    if name.startswith(PACKAGE):
        from detectors.groundingdino_py import GroundingDinoPy

        return GroundingDinoPy.from_pretrained(name[len(PACKAGE) :], device, dtype, settings)
    from detectors.grounding_dino import GroundingDino

    if name.endswith(".pth"):
        return GroundingDino.from_pretrained(source, device, dtype, settings)
    from detectors.pretrained import read_config
    from detectors.sam3 import Sam3
    from detectors.zero_shot import FAMILIES, ZeroShotDetector

    kind = read_config(source).model_type
    if kind in FAMILIES:
        return ZeroShotDetector.from_pretrained(source, device, dtype)
    if kind in ("sam3", "sam3_video"):
        return Sam3.from_pretrained(source, device, dtype)
    if kind in ("grounding-dino", "mm-grounding-dino"):
        return GroundingDino.from_pretrained(source, device, dtype, settings)
    known = ", ".join(["grounding-dino", "mm-grounding-dino", *FAMILIES, "sam3"])
    raise ValueError(f"{source} is a {kind!r}; detectors of things are {known}")
