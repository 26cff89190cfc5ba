"""Objects that are hidden, which compact looks for in some frames only."""

from __future__ import annotations

from dataclasses import replace

from sam2core.memory import Memory
from sam2core.memory_bank import MemoryBank

HIDDEN_FOR = 2
"""Frames in which an object wasn't there, after which it is hidden."""
LOOK_EVERY = 2
"""Of so many frames one is looked at for a hidden object, each object having its turn."""


def still_hidden(
    bank: MemoryBank, object_id: int, frame_index: int, reverse: bool
) -> Memory | None:
    """What is said, without a look, of an object that is hidden: what was said in the frame before.

    None where it is to be looked for. Goes by what is remembered alone, so a tracker that goes on
    from another one's state rests where that one would have.
    """
    if (frame_index + object_id) % LOOK_EVERY == 0:
        return None
    step = 1 if reverse else -1
    before = [bank.get(frame_index + step * (i + 1)) for i in range(HIDDEN_FOR)]
    if any(memory is None or memory.presence > 0 for memory in before):
        return None
    last = before[0]
    if last is None or last.logits is None:
        return None
    return replace(
        last, frame_index=frame_index, features=None, encoded=None, given=False, reverse=reverse,
        anchor=False,
    )  # fmt: skip
