"""The parts of ``python -m benchmarks.demo_models``, one module for each demo model.

A part is a module with ``measure(context) -> list[Figure]`` and, if there is something to see,
``picture(context) -> PIL.Image.Image``, a sheet of predictions beside the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from panoptic.demo.artwork import TRAINING_VENDORS


@dataclass(frozen=True)
class Context:
    """What is measured: the folder of a model, on how many held-out scenes and clips.

    ``seen`` are the vendors of the artwork that goes by this name.
    """

    weights: Path
    scenes: int
    clips: int
    seen: tuple[str, ...] = TRAINING_VENDORS


@dataclass(frozen=True)
class Figure:
    """One number. ``artwork`` is "seen" or "unseen" (a vendor that was never trained on);
    ``least`` and ``goal`` are what issue and design ask for, None where it is only told."""

    name: str
    artwork: str
    value: float
    least: float | None = None
    goal: float | None = None
