"""BankSettings: how much is remembered of an object, and which of it a frame sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

PolicyName = Literal["sam2", "filtered", "distractor_aware"]


@dataclass(frozen=True)
class BankSettings:
    """How much is kept and seen. The defaults are those of the public checkpoints."""

    policy: PolicyName = "sam2"
    """Which memories of tracked frames a frame sees; each is told in
    :mod:`~sam2core.memory_policies`. ``sam2``: those of the frames just before it, whatever they
    show. ``filtered``: the latest that show the object well; what is hidden for long isn't
    forgotten. ``distractor_aware``: fewer of these, and some in which the object was told from a
    look-alike."""
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
    """Keep every tracked frame's memory on the device, as the reference implementations do; memory
    then grows with the video. A tracker with ``frames`` gives the same answers without, wherever it
    goes: it keeps on the host what memories can be encoded from again."""

    def __post_init__(self) -> None:
        if self.recent < 0 or self.stride < 1 or self.max_pointers < 2:
            raise ValueError(
                f"recent must be >= 0, stride >= 1 and max_pointers >= 2; got recent="
                f"{self.recent}, stride={self.stride}, max_pointers={self.max_pointers}"
            )
        if self.policy not in get_args(PolicyName):
            raise ValueError(f"policy must be one of {get_args(PolicyName)}, got {self.policy!r}")
        if self.stride != 1 and self.policy != "sam2":
            raise ValueError(
                f"stride is one of the policy 'sam2', {self.policy!r} chooses by what memories "
                f"show; got stride={self.stride}"
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
