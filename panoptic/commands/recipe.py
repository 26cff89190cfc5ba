"""The pipeline that a command's options ask for, as something that workers can make too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from panoptic.commands.options import ModelOptions, SettingOptions, quiet
from panoptic.dataset.worker import Labeller
from panoptic.dataset.worker_recipe import PipelineRecipe


@dataclass(frozen=True)
class CommandRecipe(PipelineRecipe):
    """A pipeline whose libraries don't write between a command's own lines, in no process."""

    def __call__(self, device: str | None = None) -> Labeller:
        quiet()
        return super().__call__(device)


def recipe_for(models: ModelOptions, settings: SettingOptions | None = None) -> CommandRecipe:
    """What is asked for; a device and a dtype that are left open stay so."""
    arguments = {
        **{"source": models.models, "things": models.things_model, "stuff": models.stuff_model},
        **{"sam2": models.sam2, "device": models.device, "dtype": models.dtype},
    }
    return CommandRecipe(arguments, None if settings is None else partial(_adjust, settings))


def _adjust(settings: SettingOptions, pipeline: Any) -> None:
    """Sets what was given; other settings are those that suit the models."""
    given = {
        name: value
        for name in ("box_threshold", "text_threshold", "max_boxes")
        if (value := getattr(settings, name)) is not None
    }
    if given:
        pipeline.things.settings = replace(pipeline.things.settings, **given)
    regions = pipeline.settings.regions
    if settings.background is not None:
        regions = replace(regions, background=settings.background)
    pipeline.settings = replace(
        pipeline.settings, regions=regions, seed=settings.seed, fill_unknown=settings.fill_unknown
    )
