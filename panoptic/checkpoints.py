"""What is known of the checkpoints that presets are made of, and whether they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from panoptic.presets import PRESETS

T = TypeVar("T")


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
_AUTHORS = "ShilongLiu/GroundingDINO"
_MM_GROUNDING_DINO = "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"
OTHER_DETECTORS: tuple[tuple[str, str, str], ...] = (
    (f"{_AUTHORS}/groundingdino_swint_ogc.pth", "Grounding DINO, authors' file", "Apache-2.0"),
    (f"{_AUTHORS}/groundingdino_swinb_cogcoor.pth", "Grounding DINO, authors' file", "Apache-2.0"),
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


def is_here(source: str | Path) -> bool:
    """Whether a checkpoint is a path on this machine, or in the hub's cache."""
    if Path(source).exists():
        return True
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repository, names = str(source), ["config.json", "model.safetensors"]
    if repository.endswith(".pth"):  # a file of a repository, by default of the authors' own
        owner, _, file = repository.rpartition("/")
        repository, names = owner or _AUTHORS, [file]
    try:
        found = [try_to_load_from_cache(repository, name) for name in names]
    except HFValidationError:
        return False
    return all(isinstance(path, str) for path in found)


def load_part(source: str, load: Callable[[], T]) -> T:
    """What ``load`` gives; a ``ValueError`` that says what to do if the checkpoint isn't at hand.

    Loaders report a missing network in many ways, at length and after minutes of trying; here it
    is found out first, and said in a sentence.
    """
    if is_here(source):
        return load()
    if Path(source).is_absolute() or source.startswith("."):
        raise ValueError(f"{source}: there is no such checkpoint on this machine")
    reason = _hub_trouble()
    if reason is None:
        try:
            return load()
        except (OSError, ValueError) as error:
            if is_here(source):
                raise
            reason = " ".join(str(error).split())
    raise ValueError(
        f"{source} is not on this machine, and could not be fetched from the Hugging Face hub "
        f"({reason[:200]}); --models demo (in Python: from_pretrained('demo')) needs no network, "
        "and `panoptic models` lists what there is"
    )


def _hub_trouble() -> str | None:
    """Why the hub can't be reached; None if it can."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception as error:  # of whichever HTTP library, or because offline mode is set
        return " ".join(str(error).split()) or type(error).__name__
    return None
