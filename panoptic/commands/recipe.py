"""The pipeline that a command's options ask for, as something that workers can make too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panoptic.commands.options import ModelOptions, quiet
from panoptic.dataset.worker import Labeller
from panoptic.dataset.worker_recipe import PipelineRecipe


@dataclass(frozen=True)
class CommandRecipe(PipelineRecipe):
    """A pipeline whose libraries don't write between a command's own lines, in no process."""

    def __call__(self, device: str | None = None) -> Labeller:
        quiet()
        return super().__call__(device)


def recipe_for(models: ModelOptions, changes: Mapping[str, Any] | None = None) -> CommandRecipe:
    """What is asked for, with changes to the settings by key; a device and a dtype that are left
    open stay so."""
    arguments = {
        **{"source": models.models, "things": models.things_model, "stuff": models.stuff_model},
        **{"sam2": models.sam2, "device": models.device, "dtype": models.dtype},
        **{"quantise": models.quantise, "compile": models.compile},
        **({"settings": dict(changes)} if changes else {}),
    }
    return CommandRecipe(arguments)
