"""TrackedObject: what a tracker keeps of one object, and that as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.clicks import Click
from sam2core.errors import PromptError, UnknownObjectError
from sam2core.mask_decoder import MaskPrediction
from sam2core.memory_bank import BankSettings, Memory, MemoryBank, Selection

_FIELDS = ("frame_index", "pointer", "presence", "iou", "features", "logits")


@dataclass
class TrackedObject:
    """The memories of an object, and the points and boxes it was given, for refinement."""

    bank: MemoryBank
    clicks: dict[int, list[Click]] = field(default_factory=dict)
    """By frame."""

    def copy(self) -> TrackedObject:
        """Another one with the same memories, which can be given others."""
        bank = MemoryBank(self.bank.settings, dict(self.bank.prompted), dict(self.bank.recent))
        return TrackedObject(bank, {frame: list(given) for frame, given in self.clicks.items()})

    def state(self) -> dict[str, Any]:
        """Numbers, lists and CPU tensors, from which :meth:`from_state` makes the same again."""
        return {"clicks": _clicks_state(self.clicks), **_bank_state(self.bank)}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], settings: BankSettings, device: torch.device
    ) -> TrackedObject:
        return cls(_load_bank(state, settings, device), _load_clicks(state["clicks"]))


class TrackedObjects(dict[int, TrackedObject]):
    """The objects of a tracker, by id, in the order in which they came."""

    def require(self, object_id: int) -> TrackedObject:
        """The object of this id; ``UnknownObjectError``."""
        if object_id not in self:
            raise UnknownObjectError(f"no object {object_id} is tracked; there are {list(self)}")
        return self[object_id]

    def renumbered(self, object_id: int, new_id: int) -> TrackedObjects:
        """The same with another id for one of them; ``PromptError`` if that is taken."""
        self.require(object_id)
        if new_id in self:
            raise PromptError(f"an object {new_id} is tracked already; there are {tuple(self)}")
        return TrackedObjects((new_id if i == object_id else i, t) for i, t in self.items())

    def cohorts(
        self, frame_index: int, select: Callable[[TrackedObject], Selection], most: int
    ) -> Iterator[list[int]]:
        """Those to track in a frame, in batches of the same memory extent and ``most`` objects."""
        cohorts: dict[tuple, list[int]] = {}
        for object_id, tracked in self.items():
            if frame_index not in tracked.bank.prompted:
                cohorts.setdefault(select(tracked).extent, []).append(object_id)
        for ids in cohorts.values():
            for i in range(0, len(ids), most):
                yield ids[i : i + most]

    def copy(self) -> TrackedObjects:
        """Copies of all; memories are shared."""
        return TrackedObjects((i, tracked.copy()) for i, tracked in self.items())

    def state(self) -> list[dict[str, Any]]:
        """As :meth:`TrackedObject.state`, with the ids."""
        return [{"id": i, **tracked.state()} for i, tracked in self.items()]

    @classmethod
    def from_state(
        cls, state: Iterable[Mapping[str, Any]], settings: BankSettings, device: torch.device
    ) -> TrackedObjects:
        return cls((int(o["id"]), TrackedObject.from_state(o, settings, device)) for o in state)


def memories_of(
    frame_index: int,
    prediction: MaskPrediction,
    features: Tensor,
    shown: Tensor,
    dtype: torch.dtype,
) -> Iterator[Memory]:
    """What enters the bank of each object of a batch: its row of everything, copied."""
    presence, iou = prediction.presence[:, 0].tolist(), prediction.iou[:, 0].tolist()
    for i in range(len(features)):
        kept = features[i].to(dtype, copy=True)
        pointer = prediction.pointer[i, 0].clone()
        yield Memory(frame_index, pointer, presence[i], iou[i], kept, shown[i].clone())


def _bank_state(bank: MemoryBank) -> dict[str, Any]:
    """The memories of one object: numbers, and tensors on the CPU in the precision they have."""
    return {
        kind: [_memory_state(memory) for memory in getattr(bank, kind).values()]
        for kind in ("prompted", "recent")
    }


def _load_bank(
    state: Mapping[str, Any], settings: BankSettings, device: torch.device
) -> MemoryBank:
    """The bank that :func:`_bank_state` was taken of. ``ValueError`` for anything else."""
    bank = MemoryBank(settings)
    for kind in ("prompted", "recent"):
        if kind not in state:
            raise ValueError(
                f"the state of a memory bank has 'prompted' and 'recent', got {[*state]}"
            )
        for fields in state[kind]:
            memory = _load_memory(fields, device)
            getattr(bank, kind)[memory.frame_index] = memory
    return bank


def _clicks_state(clicks: Mapping[int, list[Click]]) -> list[dict[str, Any]]:
    """Clicks by frame, as lists of numbers."""
    return [
        {"frame_index": frame, **{n: _plain(getattr(c, n)) for n in ("points", "labels", "box")}}
        for frame, given in clicks.items()
        for c in given
    ]


def _load_clicks(state: list[Mapping[str, Any]]) -> dict[int, list[Click]]:
    """The clicks that :func:`_clicks_state` was taken of."""
    clicks: dict[int, list[Click]] = {}
    for c in state:
        clicks.setdefault(int(c["frame_index"]), []).append(
            Click(c["points"], c["labels"], c["box"])
        )
    return clicks


def _memory_state(memory: Memory) -> dict[str, Any]:
    values = {name: getattr(memory, name) for name in _FIELDS}
    return {n: v.detach().cpu() if isinstance(v, Tensor) else v for n, v in values.items()}


def _load_memory(fields: Mapping[str, Any], device: torch.device) -> Memory:
    if set(fields) != set(_FIELDS):
        raise ValueError(f"a memory has the fields {sorted(_FIELDS)}, got {sorted(fields)}")
    values: dict[str, Any] = {
        n: v.to(device) if isinstance(v, Tensor) else v for n, v in fields.items()
    }
    return Memory(**values)


def _plain(value: np.ndarray | None) -> Any:
    return None if value is None else value.tolist()
