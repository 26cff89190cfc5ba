"""Options that several commands share: words, models, settings.

Each group is a dataclass; a command that has a parameter of that type has its options (see the
package's note).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option

from panoptic.commands.terminal import hide_advice
from panoptic.io.picture_settings import MAX_PIXELS
from panoptic.presets import DEFAULT_MODELS, PRESETS

WORDS, MODELS, SETTINGS = "Words", "Models", "Settings"


Overwrite = Annotated[
    bool,
    Option(
        "--overwrite",
        help="Put the new results in place of what panoptic wrote there earlier; files of others "
        "stay. Without it a folder that isn't empty is refused.",
    ),
]


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
    ] = DEFAULT_MODELS
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
            help="cpu, cuda, cuda:1, mps; if not said, a GPU if there is one. Several workers "
            "take turns with GPUs, unless one is named by its number.",
            rich_help_panel=MODELS,
        ),
    ] = None
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Option(
            metavar="TYPE",
            help="Precision: float32, bfloat16, float16, or auto, which is bfloat16 on devices "
            "made for it (CUDA from Ampere on, CPUs with AMX, with AVX-512's for models of "
            "published sizes) and float32 elsewhere.",
            rich_help_panel=MODELS,
        ),
    ] = "auto"
    quantise: Annotated[
        bool,
        Option(
            "--quantise",
            help="On a CPU, compute Grounding DINO's largest layers in 8-bit numbers: quicker, and "
            "some labels change.",
            rich_help_panel=MODELS,
        ),
    ] = False
    compile: Annotated[
        bool,
        Option(
            "--compile",
            help="Run Grounding DINO and SAM 2 through torch.compile, for GPUs: the first pictures "
            "and the first of each size take minutes.",
            rich_help_panel=MODELS,
        ),
    ] = False


@dataclass(frozen=True)
class SettingOptions:
    """How sure is sure; those that aren't given are the ones that suit the models. All but the
    first two are short forms of settings that have the key that stands here."""

    settings_file: Annotated[
        Path | None,
        Option(
            "--settings",
            metavar="FILE",
            help="YAML with settings; `panoptic settings --yaml` writes one with all of them.",
            rich_help_panel=SETTINGS,
        ),
    ] = None
    set_keys: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="KEY=VALUE",
            help="One setting by its key, such as video.cut_ratio=4; repeatable. "
            "`panoptic settings` lists them.",
            rich_help_panel=SETTINGS,
        ),
    ] = None
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
    max_pixels: Annotated[
        int | None,
        Option(
            metavar="N",
            help=f"The largest picture that is read ({MAX_PIXELS:,} pixels); labelling takes some "
            "45 bytes of memory a pixel.",
            rich_help_panel=SETTINGS,
        ),
    ] = None
    stretch: Annotated[
        str | None,
        Option(
            metavar="HOW",
            help="What becomes black and white in pictures of more than 8 bits: auto (as the "
            "values are, said where it isn't plain), full, minmax, percentiles, or LOW:HIGH.",
            rich_help_panel=SETTINGS,
        ),
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
    seed: Annotated[
        int | None, Option(help="Of the sampled points (0).", rich_help_panel=SETTINGS)
    ] = None

    def short_forms(self) -> dict[str, Any]:
        """What was given by options of their own, by key."""
        given = {
            "detector.box_threshold": self.box_threshold,
            "detector.text_threshold": self.text_threshold,
            "detector.max_boxes": self.max_boxes,
            "pictures.max_pixels": self.max_pixels,
            "pictures.stretch": self.stretch,
            "regions.background": self.background,
            "fill_unknown": self.fill_unknown or None,
            "seed": self.seed,
        }
        return {key: value for key, value in given.items() if value is not None}


def quiet() -> None:
    """Keeps libraries from writing between a command's own lines."""
    hide_advice()
    from huggingface_hub import constants
    from huggingface_hub.utils import enable_progress_bars
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()  # of weights that are read; it takes the hub's with it:
    if not constants.HF_HUB_DISABLE_PROGRESS_BARS:
        enable_progress_bars()  # what is fetched may take minutes
