"""How a labeller is made once more, in another process or on another machine."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from panoptic.dataset.errors import DatasetError
from panoptic.dataset.work import Labeller

Recipe = Callable[[str | None], Labeller]
"""Makes a labeller on a device, or where it was. Can be pickled."""


@dataclass(frozen=True)
class PipelineRecipe:
    """A pipeline as ``from_pretrained`` made it, with the settings that it has since."""

    arguments: dict[str, Any]
    settings: Any
    parts: dict[str, Any] = field(default_factory=dict)
    """Settings of the detectors, by attribute of the pipeline."""
    quality: Any = None

    def __call__(self, device: str | None = None) -> Labeller:
        from panoptic.pipeline import PanopticPipeline

        arguments = dict(self.arguments)
        if device is not None:
            arguments["device"] = device
        pipeline = PanopticPipeline.from_pretrained(**arguments, settings=self.settings)
        for name, settings in self.parts.items():
            getattr(pipeline, name).settings = settings
        pipeline.quality = self.quality
        return pipeline


def recipe_of(labeller: Labeller) -> Recipe:
    """A recipe for a labeller; ``DatasetError`` where there is no way to make it again."""
    arguments = getattr(labeller, "loaded_with", None)
    if arguments is not None:
        parts = {
            name: part.settings
            for name in ("things", "stuff")
            if hasattr(part := getattr(labeller, name), "settings")
        }
        return PipelineRecipe(
            arguments,
            labeller.settings,  # type: ignore[attr-defined]
            parts,
            labeller.quality,  # type: ignore[attr-defined]
        )
    try:
        pickle.dumps(labeller)
    except Exception as error:
        raise DatasetError(
            f"several workers each need a {type(labeller).__name__} of their own, and this one "
            f"can neither be copied ({error}) nor loaded again: use one worker, or a pipeline "
            "from PanopticPipeline.from_pretrained"
        ) from error
    return partial(_itself, labeller)


def _itself(labeller: Labeller, device: str | None) -> Labeller:
    return labeller


def devices(workers: int) -> list[str | None]:
    """A device for each worker: the GPUs in turn, or None, which leaves it to the recipe."""
    import torch

    count = torch.cuda.device_count()
    return [f"cuda:{i % count}" if count else None for i in range(workers)]
