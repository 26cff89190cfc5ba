"""TrackedFrame: what the tracker says of all objects in one frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2core.errors import UnknownObjectError
from sam2core.memory import Memory
from sam2core.transforms import to_masks


@dataclass(frozen=True)
class TrackedFrame:
    """N objects in one frame, in the order of ``object_ids``.

    ``logits`` (N, h, w), float32, at a quarter of the model's resolution; ``iou`` (N,) the
    model's estimate of each mask's IoU; ``presence`` (N,) logits, above 0 where the object is
    in the picture; the mask of an absent object is empty. All three are on the model's device.
    ``size`` is the (height, width) of the frame.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    logits: Tensor
    iou: Tensor
    presence: Tensor
    size: tuple[int, int]

    @classmethod
    def of(
        cls,
        frame_index: int,
        object_ids: Sequence[int],
        memories: Sequence[Memory | None],
        size: tuple[int, int],
        side: int,
        device: torch.device,
    ) -> TrackedFrame:
        """What is remembered of each object in this frame, with logits (side, side), on ``device``.

        ``ValueError`` where nothing is remembered of an object in this frame.
        """
        known = [m for m in memories if m is not None and m.logits is not None]
        if len(known) < len(object_ids):
            raise ValueError(f"not every object of {list(object_ids)} is in frame {frame_index}")
        logits = [m.logits.to(device).float() for m in known if m.logits is not None]
        return cls(
            frame_index,
            tuple(object_ids),
            torch.stack(logits) if logits else torch.zeros(0, side, side, device=device),
            torch.tensor([m.iou for m in known], device=device),
            torch.tensor([m.presence for m in known], device=device),
            size,
        )

    def __len__(self) -> int:
        return len(self.object_ids)

    def masks(self) -> np.ndarray:
        """All masks at the frame's size, bool (N, H, W)."""
        return np.stack(list(self)) if len(self) else np.zeros((0, *self.size), dtype=bool)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The masks one at a time, bool (H, W)."""
        for logits in self.logits:
            yield to_masks(logits[None, None], *self.size)[0, 0].cpu().numpy()

    def mask(self, object_id: int) -> np.ndarray:
        """The mask of one object, bool (H, W)."""
        if object_id not in self.object_ids:
            raise UnknownObjectError(
                f"no object {object_id} in frame {self.frame_index}; there are {self.object_ids}"
            )
        logits = self.logits[self.object_ids.index(object_id)]
        return to_masks(logits[None, None], *self.size)[0, 0].cpu().numpy()
