"""History: all that is known of one object, by frame index."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sam2core.bank_settings import BankSettings
from sam2core.memory import Memory


@dataclass
class History:
    """The memories of one object, by frame index: of prompted frames, of tracked ones that are
    still seen, and, of those that can be encoded again, what is put ``aside`` on the host."""

    settings: BankSettings = field(default_factory=BankSettings)
    prompted: dict[int, Memory] = field(default_factory=dict)
    recent: dict[int, Memory] = field(default_factory=dict)
    aside: dict[int, Memory] = field(default_factory=dict)

    def __contains__(self, frame_index: int) -> bool:
        return self.get(frame_index) is not None

    def get(self, frame_index: int) -> Memory | None:
        return self.prompted.get(frame_index) or self.tracked(frame_index)

    def tracked(self, frame_index: int) -> Memory | None:
        """Of a frame that was tracked, corrected or not; not of a prompted one."""
        return self.recent.get(frame_index) or self.aside.get(frame_index)

    @property
    def given(self) -> list[int]:
        """The frames that were prompted or corrected."""
        tracked = (*self.recent.values(), *self.aside.values())
        return [*self.prompted, *(memory.frame_index for memory in tracked if memory.given)]

    def keeps(self, frame_index: int) -> bool:
        """Whether a prompt said what is in a frame, so that tracking leaves its answer as it is."""
        known = self.get(frame_index)
        return known is not None and (known.given or frame_index in self.prompted)

    def latest_first(
        self, now: int, reverse: bool, others: Mapping[int, Memory] | None = None
    ) -> Iterator[Memory]:
        """The tracked frames, and ``others``, that lie in the past of frame ``now`` in the
        direction of tracking, from there on backwards."""
        sign = -1 if reverse else 1
        others = others or {}

        def age(index: int) -> int:
            return sign * (now - index)

        near = sorted((i for i in (*self.recent, *others) if age(i) > 0), key=age)
        for index in heapq.merge(near, self._put_aside(now, sign), key=age):
            memory = self.tracked(index) or others.get(index)
            assert memory is not None
            yield memory

    def _put_aside(self, now: int, sign: int) -> Iterator[int]:
        """Frame by frame: mostly, few are looked at."""
        if self.aside:
            end = max(self.aside) if sign < 0 else min(self.aside)
            yield from (i for i in range(now - sign, end - sign, -sign) if i in self.aside)
