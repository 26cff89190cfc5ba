"""Endless batches of samples, made on the fly by worker processes from a seed and a step.

Nothing here has a state that a checkpoint would have to keep: what a batch holds follows from
the run's seed and the step's number alone, so a resumed run goes on exactly where it stopped, and
the number of workers changes the speed, never the data.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

# Steps between two uses of one group of samples. Divisible by most numbers of workers, so that a
# later use falls to the worker that still holds the group; another number only costs time.
REUSE_STRIDE = 24


@dataclass(frozen=True)
class Recipe:
    """How batches are made.

    ``draw`` makes one sample from a seed; ``collate`` turns a list of samples into a batch with a
    generator of its own (augmentation, choice of words) and the step's number. Both run in worker
    processes. Each sample is used ``reuse`` times, spread over ``reuse * REUSE_STRIDE`` steps and
    augmented anew each time: worth it where drawing costs as much as a training step.
    """

    draw: Callable[[int], Any]
    collate: Callable[[list[Any], np.random.Generator, int], dict[str, Any]]
    batch_size: int
    reuse: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.reuse < 1 or self.batch_size % self.reuse:
            raise ValueError(
                "expected a batch size of 1 or more that reuse divides, "
                f"got batch_size={self.batch_size}, reuse={self.reuse}"
            )


def sample_seeds(recipe: Recipe, step: int) -> list[int]:
    """Seeds of the samples of a step's batch: ``batch_size`` numbers in [0, 2**63).

    The batch is made of ``reuse`` groups: one that is new, and those of earlier steps.
    """
    size = recipe.batch_size // recipe.reuse
    seeds: list[int] = []
    for age in range(recipe.reuse):
        group = step - age * REUSE_STRIDE
        # Groups "before the first step" stand in until there are enough earlier ones.
        key = [recipe.seed, 0, group] if group >= 0 else [recipe.seed, 1, -group]
        state = np.random.SeedSequence(key).generate_state(size, np.uint64)
        seeds += [int(value >> np.uint64(1)) for value in state]
    return seeds


class _Batches(IterableDataset):
    def __init__(self, recipe: Recipe, start: int) -> None:
        self.recipe = recipe
        self.start = start

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        first, stride = (0, 1) if info is None else (info.id, info.num_workers)
        if info is not None:
            torch.set_num_threads(1)
        recipe = self.recipe
        kept: OrderedDict[int, Any] = OrderedDict()
        room = recipe.batch_size * REUSE_STRIDE if recipe.reuse > 1 else 0
        step = self.start + first
        while True:
            samples = [self._sample(seed, kept) for seed in sample_seeds(recipe, step)]
            while len(kept) > room:
                kept.popitem(last=False)
            rng = np.random.default_rng([recipe.seed, 2, step])
            yield recipe.collate(samples, rng, step)
            step += stride

    def _sample(self, seed: int, kept: OrderedDict[int, Any]) -> Any:
        if seed in kept:
            kept.move_to_end(seed)
            return kept[seed]
        kept[seed] = self.recipe.draw(seed)
        return kept[seed]


def batches(recipe: Recipe, start: int = 0, workers: int = 1) -> Iterator[dict[str, Any]]:
    """Batches of the steps from ``start`` on, in order, without end.

    ``workers`` is the number of processes; 0 makes the batches in this one.
    """
    loader = DataLoader(
        _Batches(recipe, start),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else it would draw a number from the one that is resumed
    )
    return iter(loader)


def to_device(batch: Any, device: torch.device) -> Any:
    """The same nest of dicts, lists and tuples with its tensors on ``device``."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device) for value in batch)
    return batch
