"""Settings: every level and switch of labelling, from the detector to the data set, in one tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detectors.base import ThingSettings
from detectors.clipseg import StuffSettings
from panoptic.io.files import write_text
from panoptic.io.picture_settings import PictureSettings
from panoptic.settings.compose import MergeSettings, StuffMaskSettings
from panoptic.settings.dataset import DatasetSettings
from panoptic.settings.keys import changed, checked, keys_of, values_of
from panoptic.settings.video import VideoSettings
from panoptic.settings.yaml_files import read_changes, to_yaml
from prompts.regions import RegionSettings
from prompts.sampling import SamplingSettings
from sam2core.automatic import AutomaticSettings


@dataclass(frozen=True)
class Settings:
    """All settings. Below each stands what it means and the reason for its default.

    By key, with dots between the names: ``settings.changed({"video.detect_every": 0.5})``.
    """

    pictures: PictureSettings = field(default_factory=PictureSettings)
    """How pictures and frames are read: how large they may be, how more than 8 bits become 8."""
    detector: ThingSettings = field(default_factory=ThingSettings)
    """The detector of things: which of its boxes are kept. The defaults are Grounding DINO's; a
    preset and another detector bring their own."""
    stuff: StuffSettings = field(default_factory=StuffSettings)
    """The detector of stuff: how words are asked."""
    regions: RegionSettings = field(default_factory=RegionSettings)
    """How heatmaps of stuff become regions."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """How many points of a region SAM 2 is asked with, and where they are."""
    stuff_masks: StuffMaskSettings = field(default_factory=StuffMaskSettings)
    """When SAM 2's answer for a region is believed, and how far."""
    merge: MergeSettings = field(default_factory=MergeSettings)
    """How masks become one map. Areas are shares of the picture, lengths shares of its
    sqrt(height x width), so that they mean the same at any size."""
    seed: int = 0
    """Of the sampled points, the only thing that is random."""
    region_side: int = 768
    """Longer side, in pixels, at which regions are worked out. CLIPSeg itself sees the picture at
    352, so a larger one costs memory (one map a word) and tells nothing more."""
    fill_unknown: bool = False
    """Fill what no word names with class-agnostic segments from automatic masks. Off, as it asks a
    whole grid of points."""
    automatic: AutomaticSettings = field(
        default_factory=lambda: AutomaticSettings(max_coverage=0.95)
    )
    """Which masks those are. One of the whole picture would tell nothing from anything."""
    video: VideoSettings = field(default_factory=VideoSettings)
    """How a video is followed. Shares and scores are in [0, 1], counts in frames."""
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    """How a data set is worked on. Which labels come out depends on none of it."""

    def __post_init__(self) -> None:
        if self.region_side < 32:
            raise ValueError(f"region_side must be at least 32 pixels, got {self.region_side}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")

    def changed(self, changes: Mapping[str, Any], source: str = "settings") -> Settings:
        """The settings with some of them changed, by keys: with dots, or nested as in a file.

        ``source`` says in errors where the changes are from. ``ValueError`` for a key that isn't
        there (it names those that are near), a value of a wrong type, and one out of range.
        """
        return changed(self, changes, source)

    def values(self) -> dict[str, Any]:
        """The value of every key."""
        return values_of(self)

    @classmethod
    def load(cls, path: str | Path) -> Settings:
        """The defaults with what a YAML file changes. ``ValueError`` as for :meth:`changed`."""
        return cls().changed(read_changes(path), str(path))

    def save(self, path: str | Path) -> Path:
        """Writes all settings as YAML, each with its reason; :meth:`load` gives them back."""
        path = Path(path)
        write_text(path, to_yaml(self))
        return path


SettingsLike = Settings | Mapping[str, Any] | str | Path
"""Settings as they may be given: a whole tree is taken as it is; a mapping of keys, or a YAML file,
changes what it names and leaves the rest to what suits the models."""


@dataclass(frozen=True)
class Resolved:
    """Settings, and for every key where its value is from ("default" where nobody said)."""

    settings: Settings
    origin: Mapping[str, str]


def resolve(layers: Iterable[tuple[str, Mapping[str, Any]]]) -> Resolved:
    """The defaults, changed by one source after the other: (its name, its changes).

    ``ValueError`` as for ``Settings.changed``, with the name of the source.
    """
    settings = Settings()
    origin = dict.fromkeys(keys_of(Settings), "default")
    for source, changes in layers:
        flat = checked(Settings, changes, source)
        settings = settings.changed(flat, source)
        origin |= dict.fromkeys(flat, source)
    return Resolved(settings, origin)


def layer_of(given: SettingsLike) -> tuple[str, Mapping[str, Any]]:
    """Settings as they were given, as a layer for :func:`resolve`."""
    if isinstance(given, Settings):
        return "settings", given.values()
    if isinstance(given, Mapping):
        return "settings", given
    if isinstance(given, (str, Path)):
        return str(given), read_changes(given)
    raise ValueError(
        "expected Settings, a mapping of keys such as {'video.detect_every': 1}, or the path of a "
        f"YAML file, got {type(given).__name__}"
    )
