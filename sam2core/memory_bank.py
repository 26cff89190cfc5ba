"""Memory bank: what is kept of one object.

SAM 2 paper (arXiv 2408.00714), section 4: a FIFO of recent memories, the memories of prompted
frames, and object pointers. Memories are looked up by their frame's index, so a frame that was
skipped leaves a gap and does not make the others look younger. What of it a frame sees is said by
one of the :mod:`~sam2core.memory_policies`.
"""

from __future__ import annotations

from dataclasses import replace

from sam2core.bank_settings import BankSettings
from sam2core.memory import Memory, Selection
from sam2core.memory_history import History
from sam2core.memory_policies import POLICIES, Policy

__all__ = ["BankSettings", "Memory", "MemoryBank", "Selection"]


class MemoryBank(History):
    """The memories of one object, which forgets what no frame will see."""

    def add(self, memory: Memory, prompted: bool = False) -> None:
        """Keep a memory, in place of an earlier one of the same frame, and forget old ones."""
        self.aside.pop(memory.frame_index, None)
        if prompted:
            self.recent.pop(memory.frame_index, None)
            self.prompted[memory.frame_index] = memory
            self._forget_prompted()
        else:
            self.prompted.pop(memory.frame_index, None)
            if self._policy.is_anchor(self, memory):
                memory = replace(memory, anchor=True)
            self.recent[memory.frame_index] = memory
            self._forget_recent(memory.frame_index, bool(memory.reverse))

    def bring_back(self, memory: Memory) -> None:
        """A memory that was put aside has its features again."""
        self.aside.pop(memory.frame_index, None)
        self.recent[memory.frame_index] = memory

    def tidy(self, now: int, reverse: bool) -> None:
        """Put aside what frames around ``now`` don't see, where much was brought back."""
        full = sum(memory.features is not None for memory in self.recent.values())
        if full > 2 * self.settings.spatial_reach:
            self._forget_recent(now, reverse)

    def forget(self, frame_index: int) -> None:
        """Drop what is kept of one frame, if anything."""
        for kept in (self.prompted, self.recent, self.aside):
            kept.pop(frame_index, None)

    def copy(self) -> MemoryBank:
        """Another one of the same memories, which can be given others."""
        kept = dict(self.prompted), dict(self.recent), dict(self.aside)
        return MemoryBank(self.settings, *kept)

    def _forget_prompted(self) -> None:
        limit = self.settings.keep_prompted
        while limit is not None and len(self.prompted) > limit:
            in_order = sorted(self.prompted)
            # The first prompt says best what was meant; of the others the latest matter.
            del self.prompted[in_order[1] if limit > 1 else in_order[0]]

    def _forget_recent(self, now: int, reverse: bool) -> None:
        """Forget what neither a correction of frame ``now`` sees nor any frame after it."""
        if self.settings.keep_all:
            return
        spatial, pointers = self._policy.kept(self, now, reverse)
        for index, memory in list(self.recent.items()):
            if index in spatial or index == now:
                continue
            if index not in pointers:
                del self.recent[index]
                if memory.encoded is not None:
                    self.aside[index] = memory.aside()
            elif memory.features is not None:
                self.recent[index] = memory.pointer_only()

    def select(
        self, frame_index: int, reverse: bool = False, num_frames: int | None = None
    ) -> Selection:
        """What the frame ``frame_index`` sees when tracking forward (or in ``reverse``).

        Prompted memories that are not selected count like those of tracked frames.

        ``num_frames`` is the length of the video where it is known: distances in time of
        pointers are scaled by it in the reference implementations, up to ``max_pointers``.
        """
        if not self.prompted:
            raise ValueError(
                "nothing is known of this object yet: it needs a prompt on some frame first"
            )
        return self._policy.select(self, frame_index, reverse, num_frames)

    @property
    def _policy(self) -> Policy:
        return POLICIES[self.settings.policy]
