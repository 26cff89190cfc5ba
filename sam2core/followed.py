"""What was answered for the objects of the frame at hand and isn't in their memories yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sam2core.arrays import as_array, as_id, masks_by_id
from sam2core.clicks import square_masks
from sam2core.errors import PromptError
from sam2core.holes import fill_holes
from sam2core.memory import Memory
from sam2core.model import MASK_BIAS, Sam2
from sam2core.rivals import areas_of


@dataclass(frozen=True)
class Followed:
    """One object in the frame at hand.

    ``answer`` is a memory that still lacks its features; ``logits`` (S/4, S/4) the mask that these
    are encoded from, before its holes are filled. What was followed in one ``batch`` is remembered
    in one.
    """

    answer: Memory
    logits: Tensor
    batch: int


@dataclass
class FollowedFrame:
    """The objects of the frame at hand that are in no memory yet, by id."""

    objects: dict[int, Followed] = field(default_factory=dict)
    waiting: bool = False
    """Whether the frame was followed, and is to be remembered."""

    def add(self, ids: Sequence[int], answers: Sequence[Memory], logits: Tensor) -> None:
        """The answers for a batch of objects, and the masks (N, S/4, S/4) to remember of them."""
        batch = 1 + max((f.batch for f in self.objects.values()), default=-1)
        for id, answer, row in zip(ids, answers, logits, strict=True):
            self.objects[id] = Followed(answer, row, batch)

    def batches(self) -> Iterator[tuple[list[int], list[Followed]]]:
        """Ids and objects, in the batches in which they were followed."""
        for batch in sorted({f.batch for f in self.objects.values()}):
            chosen = {i: f for i, f in self.objects.items() if f.batch == batch}
            yield list(chosen), list(chosen.values())

    def renumber(self, object_id: int, new_id: int) -> None:
        self.objects = {new_id if i == object_id else i: f for i, f in self.objects.items()}

    def copy(self) -> FollowedFrame:
        return FollowedFrame(dict(self.objects), self.waiting)

    def decide(
        self,
        model: Sam2,
        size: tuple[int, int],
        masks: Mapping[int, Any],
        logits: Mapping[int, Any],
        without: Collection[int],
        fill_hole_area: int,
    ) -> FollowedFrame:
        """What to remember where the caller has its say: see ``VideoTracker.remember``."""
        ids = [as_id(i) for given in (masks, logits, without) for i in given]
        if len(set(ids)) < len(ids):
            raise PromptError(f"an object id stands twice in {ids}")
        if wrong := [i for i in ids if i not in self.objects]:
            raise PromptError(
                f"object {wrong[0]} was not followed into this frame, or was prompted in it, which "
                f"is remembered as it is; followed were {list(self.objects)}"
            )
        other = {i: as_logits(model, i, given) for i, given in logits.items()}
        for i, mask in masks_by_id(masks, size).items():
            square = square_masks(torch.from_numpy(mask)[None], model.config.image_size)
            other[i] = model.logits_of(square.to(model.device))[0, 0]
        kept = {i: f for i, f in self.objects.items() if i not in without}
        for i, given in other.items():
            kept[i] = _decided(model, i, kept[i], given, fill_hole_area)
        return FollowedFrame({i: kept[i] for i in self.objects if i in kept}, self.waiting)

    def state(self) -> list[dict[str, Any]]:
        """Numbers and CPU tensors, for :meth:`from_state`."""
        return [
            {
                "id": i,
                "batch": f.batch,
                "logits": f.logits.detach().cpu().clone(),
                "answer": f.answer.state(),
            }
            for i, f in self.objects.items()
        ]

    @classmethod
    def from_state(
        cls, state: Sequence[Mapping[str, Any]], waiting: bool, device: torch.device
    ) -> FollowedFrame:
        objects = {
            int(s["id"]): Followed(
                Memory.from_state(s["answer"], device), s["logits"].to(device), int(s["batch"])
            )
            for s in state
        }
        return cls(objects, waiting)


def as_logits(model: Sam2, object_id: int, given: Any) -> Tensor:
    """Logits that a caller hands over, as the model has them."""
    side = model.config.mask_size
    logits = given if isinstance(given, Tensor) else torch.from_numpy(as_array(given))
    if logits.shape != (side, side) or not logits.is_floating_point() or logits.isnan().any():
        raise PromptError(
            f"logits of object {object_id} must be numbers ({side}, {side}), as TrackedFrame has "
            f"them, got {logits.dtype} {tuple(logits.shape)}; what is at the frame's size and of 0 "
            f"and 1 goes into masks"
        )
    return logits.to(model.device, torch.float32)


def _decided(
    model: Sam2, object_id: int, followed: Followed, logits: Tensor, fill_hole_area: int
) -> Followed:
    """Another mask in place of the one that was found; an empty one says that it isn't there."""
    answer = followed.answer
    if not bool((logits > 0).any()):
        # As of an empty mask that is prompted.
        answer = replace(answer, pointer=model.no_pointer.float()[0], presence=MASK_BIAS)
    elif answer.presence <= 0:
        raise PromptError(
            f"object {object_id} was not found in this frame, so it has no pointer to a mask: "
            f"prompt_masks([{object_id}], …) says where it is"
        )
    shown = fill_holes(logits[None], fill_hole_area)
    if answer.area is not None:
        answer = replace(answer, area=areas_of(shown)[0], rival=None)
    return Followed(replace(answer, logits=shown[0]), logits, followed.batch)
