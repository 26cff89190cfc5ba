"""How a labeller is made, in another process or on another machine as well as here."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from panoptic.dataset.worker import Labeller
from panoptic.errors import DatasetError
from panoptic.settings.dataset import DatasetSettings


class Recipe(Protocol):
    """Makes a labeller wherever it is called. Can be pickled."""

    @property
    def device(self) -> str | None:
        """The device that was asked for; None where that was left open."""

    @property
    def dtype(self) -> str | None:
        """The name of what it computes in, where that is settled."""

    def settled(self, devices: Sequence[str]) -> Recipe:
        """The same with nothing left open that decides labels, for workers on these devices."""

    def __call__(self, device: str | None = None) -> Labeller:
        """The labeller, on a device; by default on that which was asked for."""


@dataclass(frozen=True)
class PipelineRecipe:
    """A pipeline, by what ``PanopticPipeline.from_pretrained`` is called with.

    Given to ``label_dataset`` instead of a pipeline, models are loaded by the workers alone, and
    a ``dtype`` of "auto" is chosen as suits all their devices.
    """

    arguments: dict[str, Any]
    adjust: Callable[[Any], None] | None = None
    """What is done to the pipeline then; can be pickled."""

    @property
    def device(self) -> str | None:
        device = self.arguments.get("device")
        return None if device is None else str(device)

    def __call__(self, device: str | None = None) -> Labeller:
        from panoptic.image_pipeline import ImagePipeline

        arguments = self.arguments if device is None else {**self.arguments, "device": device}
        pipeline = ImagePipeline.from_pretrained(**arguments)
        if self.adjust is not None:
            self.adjust(pipeline)
        return pipeline

    @property
    def dtype(self) -> str | None:
        from sam2core.precision import AUTO, choose_dtype, name_of

        dtype = self.arguments.get("dtype")
        return None if dtype in (None, AUTO) else name_of(choose_dtype((), dtype))

    def settled(self, devices: Sequence[str]) -> PipelineRecipe:
        from panoptic.presets import DEFAULT_MODELS, find_preset, is_large
        from sam2core.precision import choose_dtype

        parts = {name: self.arguments.get(name) for name in ("things", "stuff", "sam2")}
        preset = find_preset(self.arguments.get("source") or DEFAULT_MODELS, **parts)
        dtype = choose_dtype(devices, self.arguments.get("dtype"), is_large(preset))
        return replace(self, arguments={**self.arguments, "dtype": dtype})


@dataclass(frozen=True)
class _AsItIs:
    """Gives a pipeline the settings that another has."""

    settings: Any
    quality: Any

    @classmethod
    def of(cls, pipeline: Any) -> _AsItIs:
        return cls(pipeline.settings, pipeline.quality)

    def __call__(self, pipeline: Any) -> None:
        pipeline.settings = self.settings
        pipeline.quality = self.quality


@dataclass(frozen=True)
class _Copy:
    """A labeller that goes to the workers as it is, with its models wherever they are."""

    labeller: Labeller
    device: str | None = None
    dtype: str | None = None

    def settled(self, devices: Sequence[str]) -> _Copy:
        return self

    def __call__(self, device: str | None = None) -> Labeller:
        return self.labeller


def settings_of_run(given: Labeller | Recipe) -> DatasetSettings:
    """How a pipeline, or a recipe for one, asks for the work to be done; else the defaults."""
    from panoptic.settings.tree import Settings, layer_of, resolve

    if isinstance(given, PipelineRecipe) and given.arguments.get("settings") is not None:
        return resolve([layer_of(given.arguments["settings"])]).settings.dataset
    own = getattr(given, "settings", None)
    return own.dataset if isinstance(own, Settings) else DatasetSettings()


def as_recipe(given: Labeller | Recipe) -> Recipe | None:
    """What was given, if it is a recipe."""
    return None if hasattr(given, "segment_batch") else given  # type: ignore[return-value]


def recipe_of(given: Labeller | Recipe) -> Recipe:
    """A recipe for a labeller; ``DatasetError`` where there is no way to make it again."""
    if (recipe := as_recipe(given)) is not None:
        return recipe
    arguments = getattr(given, "loaded_with", None)
    if arguments is not None:
        return PipelineRecipe(arguments, _AsItIs.of(given))
    try:
        pickle.dumps(given)
    except Exception as error:
        raise DatasetError(
            f"several workers each need a {type(given).__name__} of their own, and this one "
            f"can neither be copied ({error}) nor loaded again: use one worker, or a pipeline "
            "from PanopticPipeline.from_pretrained"
        ) from error
    return _Copy(given)  # type: ignore[arg-type]
