"""Options that several commands share, and what they stand for: words, models, settings.

Each group is a dataclass; a command that has a parameter of that type has its options (see the
package's note).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from panoptic.commands.terminal import hide_advice
from panoptic.presets import PRESETS

if TYPE_CHECKING:
    from panoptic.pipeline import PanopticPipeline
    from prompts import Vocabulary

WORDS, MODELS, SETTINGS = "Words", "Models", "Settings"


@dataclass(frozen=True)
class WordOptions:
    """What to look for."""

    things: Annotated[
        str | None,
        Option(metavar="NAMES", help='What can be counted: "car, person".', rich_help_panel=WORDS),
    ] = None
    stuff: Annotated[
        str | None, Option(metavar="NAMES", help='What cannot: "road, sky".', rich_help_panel=WORDS)
    ] = None
    vocabulary: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="YAML or JSON with the keys things, stuff and synonyms, or COCO categories.",
            rich_help_panel=WORDS,
        ),
    ] = None


@dataclass(frozen=True)
class ModelOptions:
    """Which models, and where they run."""

    models: Annotated[
        str,
        Option(
            metavar="NAME",
            help=f"{', '.join(PRESETS)} (see `panoptic models`), or a folder with "
            "grounding_dino/, clipseg/ and sam2/.",
            rich_help_panel=MODELS,
        ),
    ] = "tiny"
    things_model: Annotated[
        str | None,
        Option(
            "--detector",
            "--things-model",
            metavar="ID",
            help="Another detector of things: a hub id, a folder or a .pth file of Grounding DINO, "
            "MM Grounding DINO, OWLv2, OmDet-Turbo or SAM 3; with groundingdino-py: before a "
            ".pth file, by that package.",
            rich_help_panel=MODELS,
        ),
    ] = None
    stuff_model: Annotated[
        str | None,
        Option(
            metavar="ID",
            help="Another CLIPSeg: a hub id, or a folder on this machine.",
            rich_help_panel=MODELS,
        ),
    ] = None
    sam2: Annotated[
        str | None,
        Option(
            metavar="ID",
            help="Another SAM 2: a hub id, or a folder on this machine.",
            rich_help_panel=MODELS,
        ),
    ] = None
    device: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="cpu, cuda, cuda:1, mps; if not said, a GPU if there is one.",
            rich_help_panel=MODELS,
        ),
    ] = None
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"],
        Option(
            metavar="TYPE", help="Precision: float32, bfloat16, float16.", rich_help_panel=MODELS
        ),
    ] = "float32"


@dataclass(frozen=True)
class SettingOptions:
    """How sure is sure; those that aren't given are the ones that suit the models."""

    box_threshold: Annotated[
        float | None,
        Option(metavar="P", help="Least probability of a box's word.", rich_help_panel=SETTINGS),
    ] = None
    text_threshold: Annotated[
        float | None,
        Option(metavar="P", help="Least mean over the words of a name.", rich_help_panel=SETTINGS),
    ] = None
    max_boxes: Annotated[
        int | None,
        Option(metavar="N", help="The most things of a picture.", rich_help_panel=SETTINGS),
    ] = None
    background: Annotated[
        float | None,
        Option(
            metavar="P", help="Least probability of stuff at a pixel.", rich_help_panel=SETTINGS
        ),
    ] = None
    fill_unknown: Annotated[
        bool,
        Option(
            "--fill-unknown",
            help='Segments called "unknown" where no word fits (slow: it asks a whole grid of '
            "points).",
            rich_help_panel=SETTINGS,
        ),
    ] = False
    seed: Annotated[int, Option(help="Of the sampled points.", rich_help_panel=SETTINGS)] = 0


def read_words(words: WordOptions, models: ModelOptions | None = None) -> Vocabulary:
    """The vocabulary asked for; with ``models``, checked for words that these cannot know.

    Raises ``ValueError``.
    """
    from prompts import Vocabulary

    if words.vocabulary is not None:
        if words.things is not None or words.stuff is not None:
            raise ValueError("give the words either in a --vocabulary file or as --things, --stuff")
        vocabulary = Vocabulary.from_file(words.vocabulary)
    else:
        if not (words.things or words.stuff):
            raise ValueError(
                'say what to look for: --things "car, person" --stuff "road, sky", '
                "or --vocabulary FILE"
            )
        for name in ("things", "stuff"):
            if ";" in (getattr(words, name) or ""):
                raise ValueError(f"--{name} takes names with commas between them, and no ';'")
        vocabulary = Vocabulary.parse(f"{words.things or ''}; {words.stuff or ''}")
    if (
        models is not None
        and models.models == "demo"
        and not (models.things_model or models.stuff_model)
    ):
        _check_demo_words(vocabulary)
    return vocabulary


def _check_demo_words(vocabulary: Vocabulary) -> None:
    from panoptic.demo.artwork import THING_NAMES
    from panoptic.demo.textures import STUFF_NAMES

    for categories, names in ((vocabulary.things, THING_NAMES), (vocabulary.stuff, STUFF_NAMES)):
        known = {word for name in names for word in name.split()}
        for phrase in (phrase for category in categories for phrase in category.phrases):
            if not known.issuperset(phrase.split()):
                raise ValueError(
                    f"the demo models have no word for {phrase!r}; they know {', '.join(names)}. "
                    "For photographs: --models tiny, small, base or large"
                )


def load_pipeline(models: ModelOptions, settings: SettingOptions | None = None) -> PanopticPipeline:
    """The pipeline that the options ask for; options that aren't given leave its settings."""
    quiet()
    import torch

    from panoptic.pipeline import PanopticPipeline

    pipeline = PanopticPipeline.from_pretrained(
        models.models,
        things=models.things_model,
        stuff=models.stuff_model,
        sam2=models.sam2,
        device=choose_device(models.device),
        dtype=getattr(torch, models.dtype),
    )
    if settings is None:
        return pipeline
    given = {
        name: value
        for name in ("box_threshold", "text_threshold", "max_boxes")
        if (value := getattr(settings, name)) is not None
    }
    if given:
        pipeline.things.settings = replace(pipeline.things.settings, **given)  # type: ignore[attr-defined]
    regions = pipeline.settings.regions
    if settings.background is not None:
        regions = replace(regions, background=settings.background)
    pipeline.settings = replace(
        pipeline.settings, regions=regions, seed=settings.seed, fill_unknown=settings.fill_unknown
    )
    return pipeline


def choose_device(name: str | None) -> str:
    """The device asked for, checked, or the best there is."""
    import torch

    available = ["cpu"]
    if torch.cuda.is_available():
        available = [f"cuda:{i}" for i in range(torch.cuda.device_count())] + available
    if torch.backends.mps.is_available():
        available = ["mps", *available]
    if name is None:
        return available[0]
    if name not in available and f"{name}:0" not in available:
        raise ValueError(f"there is no device {name!r}; there are {', '.join(available)}")
    return name


def quiet() -> None:
    """Keeps libraries from writing between a command's own lines."""
    hide_advice()
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
