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
    *,
    quantise: bool = False,
    compile: bool = False,
) -> ThingDetector:
    """A detector of things by its checkpoint, a folder or a name on the hub.

    Which architecture it is, its configuration says: Grounding DINO and MM Grounding DINO, OWLv2,
    OmDet-Turbo, SAM 3. Grounding DINO's original checkpoints end in ``.pth``; with
    ``groundingdino-py:`` before the name the authors' package runs them. Without ``settings``
    they are those of :func:`default_settings`. ``dtype`` is a ``torch.dtype``, by default
    float32. ``quantise`` and ``compile`` are Grounding DINO's (``GroundingDino.from_pretrained``).
    Raises ``ValueError`` for other architectures, and for what a detector can't do.
    """
    import torch

    dtype = dtype or torch.float32
    name = str(source)
    if name.startswith(PACKAGE):
        from detectors.groundingdino_py import GroundingDinoPy

        return GroundingDinoPy.from_pretrained(
            name[len(PACKAGE) :], device, dtype, settings, quantise=quantise, compile=compile
        )
    from detectors.grounding_dino import GroundingDino

    def grounding_dino() -> GroundingDino:
        return GroundingDino.from_pretrained(
            source, device, dtype, settings, quantise=quantise, compile=compile
        )

    if name.endswith(".pth"):
        return grounding_dino()
    from detectors.pretrained import read_config
    from detectors.sam3 import Sam3
    from detectors.zero_shot import FAMILIES, ZeroShotDetector

    kind = read_config(source).model_type
    if kind in ("grounding-dino", "mm-grounding-dino"):
        return grounding_dino()
    if quantise or compile:
        raise ValueError(
            f"{'8 bits' if quantise else 'torch.compile'} are for Grounding DINO, and {source} is "
            f"a {kind!r}: leave {'quantise' if quantise else 'compile'} out"
        )
    if kind in FAMILIES:
        return ZeroShotDetector.from_pretrained(source, device, dtype, settings)
    if kind in ("sam3", "sam3_video"):
        return Sam3.from_pretrained(source, device, dtype, settings)
    known = ", ".join(["grounding-dino", "mm-grounding-dino", *FAMILIES, "sam3"])
    raise ValueError(f"{source} is a {kind!r}; detectors of things are {known}")


def compiles(source: str | Path) -> bool:
    """Whether :func:`load_thing_detector` takes ``compile`` for a checkpoint."""
    name = str(source)
    if name.startswith(PACKAGE) or name.endswith(".pth"):
        return not name.startswith(PACKAGE)
    from detectors.pretrained import read_config

    return read_config(source).model_type in ("grounding-dino", "mm-grounding-dino")


def default_settings(source: str | Path) -> ThingSettings:
    """The levels that suit a checkpoint's architecture, whose configuration is all that is read.

    Scores of different architectures mean different things. Raises as :func:`load_thing_detector`
    where there is no configuration.
    """
    name = str(source)
    if name.startswith(PACKAGE) or name.endswith(".pth"):
        return ThingSettings()
    from detectors.pretrained import read_config
    from detectors.sam3 import SETTINGS
    from detectors.zero_shot import FAMILIES

    kind = read_config(source).model_type
    if kind in FAMILIES:
        return FAMILIES[kind].settings
    return SETTINGS if kind in ("sam3", "sam3_video") else ThingSettings()
