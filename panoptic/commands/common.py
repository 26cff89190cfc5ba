"""What several commands need: the options for models, and quiet libraries."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from panoptic.presets import PRESETS

if TYPE_CHECKING:
    from panoptic.pipeline import PanopticPipeline

DTYPES = ("float32", "bfloat16", "float16")


def add_model_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    group = parser.add_argument_group("models")
    group.add_argument(
        "--models",
        default=default,
        metavar="NAME",
        help=f"{', '.join(PRESETS)} (see `panoptic models`), or a folder with grounding_dino/, "
        "clipseg/ and sam2/ (default: %(default)s)",
    )
    group.add_argument(
        "--detector",
        "--things-model",
        dest="things_model",
        metavar="ID",
        help="another detector of things: a hub id, a folder or a .pth file of Grounding DINO, "
        "MM Grounding DINO, OWLv2, OmDet-Turbo or SAM 3; with groundingdino-py: before a .pth "
        "file, by that package",
    )
    for option, kind in (
        ("--stuff-model", "CLIPSeg"),
        ("--sam2", "SAM 2"),
    ):
        group.add_argument(
            option, metavar="ID", help=f"another {kind}: a hub id, or a folder on this machine"
        )
    group.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: a GPU if there is one)")
    group.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="precision (default: %(default)s)"
    )


def add_setting_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("settings", "without them, those that suit the models")
    group.add_argument(
        "--box-threshold", type=float, metavar="P", help="least probability of a box's word"
    )
    group.add_argument(
        "--text-threshold", type=float, metavar="P", help="least mean over the words of a name"
    )
    group.add_argument(
        "--background", type=float, metavar="P", help="least probability of stuff at a pixel"
    )
    group.add_argument(
        "--fill-unknown",
        action="store_true",
        help='segments called "unknown" where no word fits (slow: it asks a whole grid of points)',
    )
    group.add_argument("--seed", type=int, default=0, help="of the sampled points (default: 0)")


def load_pipeline(arguments: argparse.Namespace) -> PanopticPipeline:
    """The pipeline that the options ask for; options that aren't given leave its settings."""
    quiet()
    import torch

    from panoptic.pipeline import PanopticPipeline

    pipeline = PanopticPipeline.from_pretrained(
        arguments.models,
        things=arguments.things_model,
        stuff=arguments.stuff_model,
        sam2=arguments.sam2,
        device=choose_device(arguments.device),
        dtype=getattr(torch, arguments.dtype),
    )
    given = {
        name: value
        for name in ("box_threshold", "text_threshold")
        if (value := getattr(arguments, name, None)) is not None
    }
    if given:
        pipeline.things.settings = replace(pipeline.things.settings, **given)  # type: ignore[attr-defined]
    settings = pipeline.settings
    if getattr(arguments, "background", None) is not None:
        settings = replace(
            settings, regions=replace(settings.regions, background=arguments.background)
        )
    pipeline.settings = replace(
        settings,
        seed=getattr(arguments, "seed", settings.seed),
        fill_unknown=getattr(arguments, "fill_unknown", settings.fill_unknown),
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
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="OpenCV .* is not installed", category=UserWarning)
    warnings.filterwarnings("ignore", message="You'd better set embed_dim", category=UserWarning)
