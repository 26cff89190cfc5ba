"""Memory bank: what is kept of one object, and what of it a frame may see.

SAM 2 paper (arXiv 2408.00714), section 4: a FIFO of recent memories, the memories of prompted
frames, and object pointers. Memories are looked up by their frame's index, so a frame that was
skipped leaves a gap and does not make the others look younger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

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

    def pointer_only(self) -> Memory:
        return replace(self, features=None, logits=None)


@dataclass(frozen=True)
class BankSettings:
    """How much is kept and seen. The defaults are those of the public checkpoints."""

    recent: int = 6
    """Spatial memories of tracked frames that a frame sees (at most num_memories - 1)."""
    stride: int = 1
    """Of the tracked frames, the last and then every stride-th one is seen."""
    max_prompted: int | None = None
    """Prompted memories that a frame sees at once, the closest ones; None: all of them."""
    keep_prompted: int | None = None
    """Prompted memories that are kept at all (the first and the latest ones); None: all."""
    max_pointers: int = 16
    keep_all: bool = False
    """Keep every tracked frame's memory, as the reference implementations do. Only needed to
    continue far from where tracking stopped; memory then grows with the video."""

    def __post_init__(self) -> None:
        if self.recent < 0 or self.stride < 1 or self.max_pointers < 2:
            raise ValueError(
                f"recent must be >= 0, stride >= 1 and max_pointers >= 2; got recent="
                f"{self.recent}, stride={self.stride}, max_pointers={self.max_pointers}"
            )
        for name in ("max_prompted", "keep_prompted"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, or None for no limit; got {value}")

    @property
    def spatial_reach(self) -> int:
        """Frames from the current one to the oldest spatial memory that may be seen."""
        return 1 + self.recent * self.stride

    @property
    def reach(self) -> int:
        return max(self.spatial_reach, self.max_pointers - 1)


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


@dataclass
class MemoryBank:
    """The memories of one object, by frame index."""

    settings: BankSettings = field(default_factory=BankSettings)
    prompted: dict[int, Memory] = field(default_factory=dict)
    recent: dict[int, Memory] = field(default_factory=dict)

    def __contains__(self, frame_index: int) -> bool:
        return frame_index in self.prompted or frame_index in self.recent

    def get(self, frame_index: int) -> Memory | None:
        return self.prompted.get(frame_index, self.recent.get(frame_index))

    def add(self, memory: Memory, prompted: bool = False) -> None:
        """Keep a memory, in place of an earlier one of the same frame, and forget old ones."""
        if prompted:
            self.recent.pop(memory.frame_index, None)
            self.prompted[memory.frame_index] = memory
            self._forget_prompted()
        else:
            self.prompted.pop(memory.frame_index, None)
            self.recent[memory.frame_index] = memory
            self._forget_recent(memory.frame_index)

    def forget(self, frame_index: int) -> None:
        """Drop what is kept of one frame, if anything."""
        self.prompted.pop(frame_index, None)
        self.recent.pop(frame_index, None)

    def _forget_prompted(self) -> None:
        limit = self.settings.keep_prompted
        while limit is not None and len(self.prompted) > limit:
            in_order = sorted(self.prompted)
            # The first prompt says best what was meant; of the others the latest matter.
            del self.prompted[in_order[1] if limit > 1 else in_order[0]]

    def _forget_recent(self, now: int) -> None:
        if self.settings.keep_all:
            return
        for index in list(self.recent):
            distance = abs(now - index)
            if distance >= self.settings.reach:
                del self.recent[index]
            elif (
                distance >= self.settings.spatial_reach and self.recent[index].features is not None
            ):
                self.recent[index] = self.recent[index].pointer_only()

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
        selected, unselected = self._closest_prompted(frame_index)
        spatial = [(memory, 0) for memory in selected.values()]
        for age, index in self._recent_indices(frame_index, reverse):
            memory = self.recent.get(index, unselected.get(index))
            if memory is not None and memory.features is not None:
                spatial.append((memory, age))

        max_pointers = self.settings.max_pointers
        if num_frames is not None:
            max_pointers = min(num_frames, max_pointers)
        sign = -1 if reverse else 1
        pointers = [
            (memory, sign * (frame_index - index))
            for index, memory in selected.items()
            if sign * (frame_index - index) >= 0  # only the past, in the direction of tracking
        ]
        for distance in range(1, max_pointers):
            index = frame_index - sign * distance
            memory = self.recent.get(index, unselected.get(index))
            if memory is not None:
                pointers.append((memory, distance))
        return Selection(tuple(spatial), tuple(pointers), max(max_pointers - 1, 1))

    def _closest_prompted(self, frame_index: int) -> tuple[dict[int, Memory], dict[int, Memory]]:
        """Split the prompted memories into those seen, the closest in time, and the rest."""
        limit = self.settings.max_prompted
        if limit is None or len(self.prompted) <= limit:
            return self.prompted, {}
        before = max((t for t in self.prompted if t < frame_index), default=None)
        after = min((t for t in self.prompted if t >= frame_index), default=None)
        chosen = [t for t in (before, after) if t is not None]
        rest = sorted(
            (t for t in self.prompted if t not in chosen), key=lambda t: abs(t - frame_index)
        )
        chosen += rest[: max(limit - len(chosen), 0)]
        selected = {t: self.prompted[t] for t in chosen}
        return selected, {t: m for t, m in self.prompted.items() if t not in selected}

    def _recent_indices(self, frame_index: int, reverse: bool) -> Iterator[tuple[int, int]]:
        """(age, frame index) of the recent frames that are seen, oldest first.

        The frame just before comes first whatever the stride; before it, the frames whose
        index is a multiple of the stride, so that the same ones are seen for a while.
        """
        stride, sign = self.settings.stride, -1 if reverse else 1
        for age in range(self.settings.recent, 0, -1):
            if age == 1:
                yield age, frame_index - sign
                continue
            # Round away from the current frame: down when going forward, up in reverse.
            nearest = sign * ((sign * frame_index - 2) // stride) * stride
            yield age, nearest - sign * (age - 2) * stride
