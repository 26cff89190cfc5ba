"""How the processes of the workers are begun, and a look at the models in one of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from panoptic.dataset.fingerprint import describe
from panoptic.dataset.worker_recipe import Recipe
from panoptic.errors import DatasetError


def processes() -> Any:
    """How processes are begun. Never as copies of this one, whose threads and GPU they'd break;
    where it can be, as copies of one that has done the slow imports and nothing else."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["panoptic.image_pipeline", "panoptic.dataset.engines.processes"]
    )
    return context


def settle(recipe: Recipe, devices: Sequence[str]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with nothing left open, and what ``describe`` tells of its labeller.

    That takes the weights, of which this process then has nothing in its memory: they are loaded
    in one that ends, on the CPU, since weights are the same on every device.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=processes()) as executor:
            return executor.submit(_settle, recipe, tuple(devices)).result()
    except BrokenProcessPool as error:
        raise DatasetError(
            "the process that was to load the models died; there may be too little memory for them"
        ) from error


def _settle(recipe: Recipe, devices: tuple[str, ...]) -> tuple[Recipe, dict[str, Any]]:
    recipe = recipe.settled(devices)
    return recipe, describe(recipe("cpu"))
