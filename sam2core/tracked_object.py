"""TrackedObject: what a tracker keeps of one object, and that as plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sam2core.bank_settings import BankSettings
from sam2core.clicks import Click
from sam2core.errors import PromptError, UnknownObjectError
from sam2core.memory import Memory, Selection
from sam2core.memory_bank import MemoryBank


@dataclass
class TrackedObject:
    """The memories of an object, and the points and boxes it was given, for refinement."""

    bank: MemoryBank
    clicks: dict[int, list[Click]] = field(default_factory=dict)
    """By frame."""

    def copy(self) -> TrackedObject:
        """Another one with the same memories, which can be given others."""
        clicks = {frame: list(given) for frame, given in self.clicks.items()}
        return TrackedObject(self.bank.copy(), clicks)

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

    def to_track(self, frame_index: int) -> list[int]:
        """Those whose answer in a frame was not given."""
        return [i for i, tracked in self.items() if not tracked.bank.keeps(frame_index)]

    def cohorts(
        self,
        frame_index: int,
        select: Callable[[MemoryBank], Selection],
        most: int,
        without: Collection[int] = (),
    ) -> Iterator[list[int]]:
        """Those to track in a frame, in batches of the same memory extent and ``most`` objects."""
        cohorts: dict[tuple, list[int]] = {}
        for object_id in self.to_track(frame_index):
            if object_id in without:
                continue
            cohorts.setdefault(select(self[object_id].bank).extent, []).append(object_id)
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


def _bank_state(bank: MemoryBank) -> dict[str, Any]:
    """The memories of one object: numbers, and tensors on the CPU in the precision they have."""
    return {
        kind: [memory.state() for memory in getattr(bank, kind).values()]
        for kind in ("prompted", "recent", "aside")
    }


def _load_bank(
    state: Mapping[str, Any], settings: BankSettings, device: torch.device
) -> MemoryBank:
    """The bank that :func:`_bank_state` was taken of. ``ValueError`` for anything else."""
    bank = MemoryBank(settings)
    for kind in ("prompted", "recent", "aside"):
        if kind not in state:
            raise ValueError(
                f"the state of a memory bank has 'prompted' and 'recent' memories and those put "
                f"'aside', got {[*state]}"
            )
        where = torch.device("cpu") if kind == "aside" else device
        for fields in state[kind]:
            memory = Memory.from_state(fields, where)
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


def _plain(value: np.ndarray | None) -> Any:
    return None if value is None else value.tolist()
