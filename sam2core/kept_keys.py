"""KeptKeys: what memory attention makes of a memory alone, kept for as long as the memory is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from sam2core.memory_tokens import ProjectedMemory


class KeptKeys:
    """Projected keys (and values, where they aren't folded out) beside the features of memories.

    They go with the features that they were made of: nothing else has to forget them. What goes
    beyond ``most_bytes`` is made anew whenever it is asked for; the answers are the same.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self.most_bytes = most_bytes
        self._kept = WeakTensorKeyDictionary()
        self._timed: Tensor | None = None

    def __len__(self) -> int:
        """Memories of which there are keys."""
        return len(self._kept)

    def of(
        self,
        features: Sequence[Tensor],
        like: Tensor,
        project: Callable[[Tensor], list[ProjectedMemory]],
    ) -> list[ProjectedMemory]:
        """What ``project`` makes of features (M, h*w, memory_dim), for each; in the dtype and on
        the device of ``like``."""
        found: dict[int, ProjectedMemory] = {}
        for i, each in enumerate(features):
            kept = self._kept.get(each) if self.most_bytes else None
            if kept is not None and _alike(kept.keys, like):
                found[i] = kept
        lacking = [i for i in range(len(features)) if i not in found]
        # One by one on CPUs, so that bits don't depend on what else is asked for.
        step = 1 if like.device.type == "cpu" and not torch.is_grad_enabled() else len(lacking)
        for first in range(0, len(lacking), step or 1):
            some = lacking[first : first + step]
            rows = torch.stack([features[i].to(like.device, like.dtype) for i in some])
            for i, made in zip(some, project(rows), strict=True):
                found[i] = self._keep(features[i], made)
        return [found[i] for i in range(len(features))]

    def timed(self, like: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        """What keys have of ages alone: one table for all memories."""
        if self._timed is None or not _alike(self._timed, like):
            made = compute()
            if not self.most_bytes:
                return made
            self._timed = made
        return self._timed

    def _keep(self, features: Tensor, made: ProjectedMemory) -> ProjectedMemory:
        size = made.keys.numel() * made.keys.element_size()
        others = 0 if self._timed is None else self._timed.numel() * self._timed.element_size()
        if others + (len(self._kept) + 1) * size <= self.most_bytes:
            if made.keys.untyped_storage().nbytes() > size:
                # Not a part of what was made of several: it would hold all of that.
                made = replace(made, keys=made.keys.clone())
            self._kept[features] = made
        return made


def _alike(kept: Tensor, like: Tensor) -> bool:
    return kept.dtype == like.dtype and kept.device == like.device
