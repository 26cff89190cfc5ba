"""TrackerSettings: how a tracker works, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from sam2core.config import Sam2Config
from sam2core.memory_bank import BankSettings


@dataclass(frozen=True)
class TrackerSettings:
    """How a tracker works. The defaults give what the public checkpoints were made for."""

    bank: BankSettings = field(default_factory=BankSettings)
    memory_budget_mb: int = 2048
    """Working memory of one batch; more objects than fit are run in several batches."""
    fill_hole_area: int = 8
    """Holes of up to so many cells (of 4 x 4 model pixels) are filled in what is shown."""
    corrections_are_prompts: bool = False
    """Keep a corrected frame like a prompted one, not like a recent one that is soon forgotten."""
    memory_dtype: torch.dtype = torch.bfloat16
    """What memories are kept in. The reference implementations keep bfloat16 as well."""
    decode_ahead: int = 4
    """Frames that are read and resized ahead of the model."""

    def __post_init__(self) -> None:
        if self.memory_budget_mb < 1 or self.fill_hole_area < 0 or self.decode_ahead < 1:
            raise ValueError(
                f"memory_budget_mb and decode_ahead must be at least 1 and fill_hole_area at "
                f"least 0; got {self.memory_budget_mb}, {self.decode_ahead} and "
                f"{self.fill_hole_area}"
            )

    def objects_per_batch(self, config: Sam2Config) -> int:
        """How many objects fit the memory budget, from the sizes of the largest tensors."""
        cells = config.embedding_size**2
        memories = self.bank.recent + (self.bank.max_prompted or 1)
        keys = cells * memories * (3 * config.memory_dim + 4 * config.dim)
        queries = cells * (config.memory_mlp_dim + 8 * config.dim)
        decoder = config.mask_size**2 * config.dim  # maps of dim/8, and of dim/4 at half the size
        memory = config.image_size**2 * 4  # the mask, and the first map of the downsampler
        per_object = 4 * (keys + queries + decoder + memory)
        return max(1, self.memory_budget_mb * 2**20 // per_object)
