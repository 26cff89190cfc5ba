"""What is known of the checkpoints that presets are made of: sizes, licences, notes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from panoptic.presets import PRESETS

AUTHORS = "ShilongLiu/GroundingDINO"
"""Where Grounding DINO's authors publish their files."""


@dataclass(frozen=True)
class About:
    """``megabytes`` are those of the float32 weights that are fetched (or, of what lies in this
    package, of the files)."""

    name: str
    megabytes: int
    licence: str
    note: str = ""


_CLIPSEG_NOTE = (
    "CLIPSeg: its authors put their code under MIT, expressly without the weights, and state no "
    "licence for those; the copy on the hub, made for transformers, is labelled Apache-2.0. It "
    "builds on OpenAI's CLIP, whose model card rules out untested and surveillance uses."
)
_MM_GROUNDING_DINO = "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"
OTHER_DETECTORS: tuple[tuple[str, str, str], ...] = (
    (f"{AUTHORS}/groundingdino_swint_ogc.pth", "Grounding DINO, authors' file", "Apache-2.0"),
    (f"{AUTHORS}/groundingdino_swinb_cogcoor.pth", "Grounding DINO, authors' file", "Apache-2.0"),
    (_MM_GROUNDING_DINO, "MM Grounding DINO", "Apache-2.0"),
    ("google/owlv2-base-patch16-ensemble", "OWLv2", "Apache-2.0"),
    ("omlab/omdet-turbo-swin-tiny-hf", "OmDet-Turbo", "Apache-2.0"),
    ("facebook/sam3", "SAM 3, masks as well", "SAM License, gated"),
)
"""Detectors of things that no preset has: what ``--detector`` takes, what that is, its licence as
the hub's model card states it."""
SAM3_NOTE = (
    "SAM 3: its weights are gated, under Meta's own SAM License, which is not an open-source "
    "licence and restricts some uses; read and accept it on the hub, then log in there with "
    "`hf auth login`."
)
_DEMO_NOTE = (
    "demo: trained from scratch by this project, with drawings of Twemoji (CC-BY-4.0), Noto and "
    "Firefox OS (Apache-2.0) and Emoji One (CC-BY-4.0); see training/."
)


def about(source: str) -> About:
    """What is known of a preset's part; ``KeyError`` for others."""
    if source in _HUB:
        name, megabytes, licence, note = source, *_HUB[source]
        return About(name, megabytes, licence, note)
    demo = PRESETS["demo"]
    if source not in (demo.things, demo.stuff, demo.sam2):
        raise KeyError(source)
    size = sum(path.stat().st_size for path in Path(source).rglob("*") if path.is_file())
    return About("in this package", round(size / 1e6), "Apache-2.0", _DEMO_NOTE)


# Megabytes are parameters x 4 bytes. Licences as the hub's model cards state them.
_HUB: dict[str, tuple[int, str, str]] = {
    "IDEA-Research/grounding-dino-tiny": (689, "Apache-2.0", ""),
    "IDEA-Research/grounding-dino-base": (929, "Apache-2.0", ""),
    "CIDAS/clipseg-rd64-refined": (603, "see below", _CLIPSEG_NOTE),
    "facebook/sam2.1-hiera-tiny": (156, "Apache-2.0", ""),
    "facebook/sam2.1-hiera-small": (184, "Apache-2.0", ""),
    "facebook/sam2.1-hiera-base-plus": (323, "Apache-2.0", ""),
    "facebook/sam2.1-hiera-large": (898, "Apache-2.0", ""),
}
