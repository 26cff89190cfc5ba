"""Named sets of models: which checkpoints a pipeline is made of, and at which levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

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
    box_threshold: float = 0.35
    """Of the detector's settings, as is the next: the recipe's published levels, for published
    models. Models trained otherwise need levels of their own."""
    text_threshold: float = 0.25
    background: float = 0.1
    """Of the regions' settings: the recipe's level."""
    quality: Path | None = None
    """Fitted weights of the quality score, see ``panoptic.compose.quality``; without that file,
    those set by hand are used."""


_STUFF = "CIDAS/clipseg-rd64-refined"
_TINY, _BASE = "IDEA-Research/grounding-dino-tiny", "IDEA-Research/grounding-dino-base"

PRESETS: dict[str, Preset] = {
    "demo": Preset(
        str(DEMO_WEIGHTS / "grounding_dino"),
        str(DEMO_WEIGHTS / "clipseg"),
        str(DEMO_WEIGHTS / "sam2"),
        "in this package; knows the emoji world of panoptic.demo and nothing else",
        box_threshold=0.2,  # this level and the next: python -m benchmarks.tune
        text_threshold=0.2,
        quality=DEMO_WEIGHTS / "quality.json",
    ),
    "tiny": Preset(_TINY, _STUFF, "facebook/sam2.1-hiera-tiny", "for a CPU, or to try things"),
    "small": Preset(_TINY, _STUFF, "facebook/sam2.1-hiera-small", "a good first choice on a GPU"),
    "base": Preset(_BASE, _STUFF, "facebook/sam2.1-hiera-base-plus", "better words and masks"),
    "large": Preset(_BASE, _STUFF, "facebook/sam2.1-hiera-large", "the best masks"),
}


def find_preset(
    source: str | Path,
    *,
    things: str | None = None,
    stuff: str | None = None,
    sam2: str | None = None,
) -> Preset:
    """A preset by name, or a folder with ``grounding_dino/``, ``clipseg/`` and ``sam2/`` in it.

    ``things``, ``stuff`` and ``sam2`` take the place of its parts. Raises ``ValueError``.
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
    return replace(
        preset,
        things=things or preset.things,
        stuff=stuff or preset.stuff,
        sam2=sam2 or preset.sam2,
    )
