"""Levels of labelling a picture."""

from __future__ import annotations

from dataclasses import dataclass, field

from panoptic.settings.compose import MergeSettings, StuffMaskSettings
from prompts.regions import RegionSettings
from prompts.sampling import SamplingSettings
from sam2core.automatic import AutomaticSettings


@dataclass(frozen=True)
class PipelineSettings:
    """The settings of all stages but the detectors, which have their own."""

    regions: RegionSettings = field(default_factory=RegionSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    stuff_masks: StuffMaskSettings = field(default_factory=StuffMaskSettings)
    merge: MergeSettings = field(default_factory=MergeSettings)
    seed: int = 0
    """Of the sampled points, the only thing that is random."""
    region_side: int = 768
    """Longer side, in pixels, at which regions are worked out. CLIPSeg itself sees the picture at
    352, so a larger one costs memory (one map a word) and tells nothing more."""
    fill_unknown: bool = False
    """Fill what no word names with class-agnostic segments from automatic masks."""
    automatic: AutomaticSettings = field(
        default_factory=lambda: AutomaticSettings(max_coverage=0.95)
    )
    """Which masks those are. One of the whole picture would tell nothing from anything."""

    def __post_init__(self) -> None:
        if self.region_side < 32:
            raise ValueError(f"region_side must be at least 32 pixels, got {self.region_side}")
