"""Named sets of models: which checkpoints a pipeline is made of, and at which levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectors.base import ThingSettings

DEMO_WEIGHTS = Path(__file__).parent / "demo" / "weights"


@dataclass(frozen=True)
class Preset:
    """Where the three models of a pipeline come from: hub ids, or folders on this machine."""

    things: str
    """Grounding DINO, or another detector that ``detectors.load`` knows."""
    stuff: str
    """CLIPSeg."""
    sam2: str
    """SAM 2 or 2.1, in Hugging Face's layout or as Meta's ``.pt``."""
    about: str = ""
    levels: Mapping[str, Any] = field(default_factory=dict)
    """Settings that suit these models, by key ("detector.box_threshold"), where they aren't the
    defaults. Those are for published models; models trained otherwise need levels of their own."""
    quality: Path | None = None
    """Weights of the quality score that were fitted to these models; without that file the
    packaged ones are used, see ``panoptic.compose.quality``."""


_STUFF = "CIDAS/clipseg-rd64-refined"
_TINY, _BASE = "IDEA-Research/grounding-dino-tiny", "IDEA-Research/grounding-dino-base"

PRESETS: dict[str, Preset] = {
    "demo": Preset(
        str(DEMO_WEIGHTS / "grounding_dino"),
        str(DEMO_WEIGHTS / "clipseg"),
        str(DEMO_WEIGHTS / "sam2"),
        "in this package; knows the emoji world of panoptic.demo and nothing else",
        {"detector.box_threshold": 0.2, "detector.text_threshold": 0.2},  # benchmarks.tune
        quality=DEMO_WEIGHTS / "quality.json",
    ),
    "tiny": Preset(_TINY, _STUFF, "facebook/sam2.1-hiera-tiny", "for a CPU, or to try things"),
    "small": Preset(_TINY, _STUFF, "facebook/sam2.1-hiera-small", "a good first choice on a GPU"),
    "base": Preset(_BASE, _STUFF, "facebook/sam2.1-hiera-base-plus", "better words and masks"),
    "large": Preset(_BASE, _STUFF, "facebook/sam2.1-hiera-large", "the best masks"),
}

DEFAULT_MODELS = "tiny"
"""The preset that is used where none is named, by the command line and by Python."""


def find_preset(
    source: str | Path,
    *,
    things: str | None = None,
    stuff: str | None = None,
    sam2: str | None = None,
) -> Preset:
    """A preset by name, or a folder with ``grounding_dino/``, ``clipseg/`` and ``sam2/`` in it.

    ``things``, ``stuff`` and ``sam2`` take the place of its parts; the levels that suited a
    detector go with it. Raises ``ValueError``.
    """
    preset = PRESETS.get(str(source))
    folder = Path(source)
    if preset is None and folder.is_dir():
        parts = {name: folder / name for name in ("grounding_dino", "clipseg", "sam2")}
        given = {"grounding_dino": things, "clipseg": stuff, "sam2": sam2}
        missing = [n for n, path in parts.items() if not path.exists() and given[n] is None]
        if missing:
            raise ValueError(
                f"{source}: expected a folder with grounding_dino/, clipseg/ and sam2/, each a "
                f"checkpoint; {', '.join(missing)} is not there"
            )
        paths = [str(path) for path in parts.values()]
        preset = Preset(paths[0], paths[1], paths[2], quality=folder / "quality.json")
    if preset is None:
        raise ValueError(
            f"{str(source)!r} is neither a preset ({', '.join(PRESETS)}) nor a folder of models"
        )
    gone = ("detector.",) * (things is not None) + ("stuff.", "regions.") * (stuff is not None)
    return replace(
        preset,
        levels={key: level for key, level in preset.levels.items() if not key.startswith(gone)},
        things=things or preset.things,
        stuff=stuff or preset.stuff,
        sam2=sam2 or preset.sam2,
    )


def levels_of(
    preset: Preset, own: ThingSettings, name: str | Path
) -> list[tuple[str, Mapping[str, Any]]]:
    """What suits a preset's models, as layers for ``panoptic.settings.tree.resolve``: the
    ``own`` levels of its detector's architecture, then those of the preset, called ``name``."""
    from panoptic.settings.keys import values_of

    default = values_of(type(own)())
    brought = {f"detector.{k}": v for k, v in values_of(own).items() if v != default[k]}
    return [(f"detector {preset.things}", brought), (f"preset {name}", preset.levels)]


_SMALL_BYTES = 64 * 2**20  # of weights; the published ones have 150 MB and more a part
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth"}


def is_large(preset: Preset) -> bool:
    """Whether its models are of the sizes that are published: those on the hub are, and folders
    and files here with 64 MiB of weights or more."""
    held = 0
    for part in (preset.things, preset.stuff, preset.sam2):
        place = Path(part)
        if not place.exists():
            return True
        files = place.rglob("*") if place.is_dir() else [place]
        held += sum(file.stat().st_size for file in files if file.suffix in _WEIGHTS)
    return held >= _SMALL_BYTES
