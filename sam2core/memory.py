"""Memory: what is remembered of one object in one frame; Selection: what a frame sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """What is remembered of one object in one frame.

    ``features`` (h*w, memory_dim), or None where only the pointer is still needed; ``pointer``
    (dim,); ``presence`` the logit of being in the picture; ``iou`` the predicted IoU of the
    mask; ``logits`` (S/4, S/4) the mask, kept for refinement and for showing it again.
    """

    frame_index: int
    pointer: Tensor
    presence: float
    iou: float
    features: Tensor | None = None
    logits: Tensor | None = None
    given: bool = False
    """Whether a prompt said what the mask is. Tracking doesn't go over it."""
    reverse: bool | None = None
    """The direction in which its frame was tracked; None where it was prompted without that."""
    encoded: Tensor | None = None
    """(S/4, S/4), on the CPU: the mask that ``features`` were encoded from, and can be again, where
    the frame can be read again. None: what is forgotten is gone."""

    area: float | None = None
    """Share of the picture that its mask covers; None where the policy doesn't ask."""
    rival: float | None = None
    """How much of it another answer of the decoder would have: the least IoU of the mask's box with
    that of the mask joined to one of the others. None where the policy doesn't ask."""
    anchor: bool = False
    """Whether the policy holds on to it."""

    @property
    def is_spatial(self) -> bool:
        """Whether it has features, or can have them again."""
        return self.features is not None or self.encoded is not None

    def pointer_only(self) -> Memory:
        return replace(self, features=None, logits=None)

    def aside(self) -> Memory:
        """Nothing of it on the device."""
        return replace(self, features=None, logits=None, pointer=self.pointer.cpu())

    def state(self) -> dict[str, Any]:
        """Numbers, and tensors on the CPU in the precision they have."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {n: _alone(v) if isinstance(v, Tensor) else v for n, v in values.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: torch.device) -> Memory:
        """What :meth:`state` was taken of. ``ValueError`` for anything else."""
        names = {f.name for f in fields(cls)}
        if set(state) != names:
            raise ValueError(f"a memory has the fields {sorted(names)}, got {sorted(state)}")
        values: dict[str, Any] = {
            n: v.to(device) if isinstance(v, Tensor) and n != "encoded" else v
            for n, v in state.items()
        }
        return cls(**values)


def _alone(tensor: Tensor) -> Tensor:
    """On the CPU, and not a part of something larger, which would be saved with it."""
    tensor = tensor.detach().cpu()
    size = tensor.numel() * tensor.element_size()
    return tensor.clone() if tensor.untyped_storage().nbytes() > size else tensor


@dataclass(frozen=True)
class Selection:
    """What one frame sees of one object.

    ``spatial`` pairs a memory with its age: 0 for prompted ones, 1 (the last frame) and up for
    recent ones. ``pointers`` pairs a memory with its distance in frames, positive in the past
    (with respect to the direction of tracking). ``pointer_scale`` is what distances are
    divided by.
    """

    spatial: tuple[tuple[Memory, int], ...]
    pointers: tuple[tuple[Memory, int], ...]
    pointer_scale: int

    @property
    def extent(self) -> tuple:
        """Objects of equal extent, as many memories of each kind, can be conditioned as one batch,
        whatever the ages of these."""
        return len(self.spatial), len(self.pointers), self.pointer_scale

    def without(self, frame_index: int) -> Selection:
        """The same but for the memory of one frame."""
        spatial = tuple(pair for pair in self.spatial if pair[0].frame_index != frame_index)
        pointers = tuple(pair for pair in self.pointers if pair[0].frame_index != frame_index)
        return Selection(spatial, pointers, self.pointer_scale)
