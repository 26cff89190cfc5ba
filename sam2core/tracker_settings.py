"""TrackerSettings: how a tracker works, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from sam2core.bank_settings import BankSettings
from sam2core.config import Sam2Config
from sam2core.device_memory import working_memory_mb

Mode = Literal["exact", "compact"]


@dataclass(frozen=True)
class TrackerSettings:
    """How a tracker works. The defaults give what the public checkpoints were made for."""

    bank: BankSettings = field(default_factory=BankSettings)
    memory_budget_mb: int | None = None
    """Working memory of one batch; more objects than fit are run in several batches. None: from
    what the device has free when the first objects come, see
    :func:`~sam2core.device_memory.working_memory_mb`. Masks don't depend on it, but for the last
    bits on a GPU: set a number where these matter. On a CPU None always is the same number."""
    keys_budget_mb: int | None = None
    """Memory for the keys of memories, which are projected once and kept as long as the memories
    are. An object with a full bank takes 56 MB in bfloat16 at 1024 pixels and 112 MB in float32;
    twice that where values are kept too (on CPUs with AMX in bfloat16, and on GPUs but for
    bfloat16 where cuDNN attends over narrow values); the ages take as much once. What doesn't fit
    is projected in every frame. Masks are the same either way; 0 keeps nothing, for a fifth more
    time of the memory side. None: 2048 on a CPU, else half of what a batch may work in
    (:func:`~sam2core.device_memory.working_memory_mb`)."""
    fill_hole_area: int = 8
    """Holes of up to so many cells (of 4 x 4 model pixels) are filled in every answer: in what is
    shown, what later clicks refine and what is remembered of a prompt. What is remembered of a
    tracked frame is encoded before. 0 fills nothing."""
    corrections_are_prompts: bool = False
    """Remember a corrected frame like a prompted one, which all frames see at any distance, not
    like a tracked one, which the next few see (as Meta's predictor does). It keeps its answer
    either way. On 12 demo clips of 40 frames, all things corrected in two of them, J was 82.9
    before, 84.1 with corrections as tracked frames, and 85.3 as prompts."""
    keep_on_host: bool = True
    """With ``frames``, keep on the host what each frame's memory can be encoded from again, a mask
    for each object: any frame that is gone back to is answered as if all had been kept. Going once
    through a long video doesn't need it."""
    memory_dtype: torch.dtype = torch.bfloat16
    """What memories are kept in. The reference implementations keep bfloat16 as well."""
    decode_ahead: int = 4
    """Frames that are read and resized ahead of the model."""
    mode: Mode = "exact"
    """``compact``: memories are seen with seven sixteenths of their tokens, pooled where neighbours
    are alike (:mod:`~sam2core.pooled_memory`); so much less are the keys that are kept. A frame is
    seen with five eighths of its tokens, merged where it is even and far from the object
    (:mod:`~sam2core.merged_frame`). What is hidden is looked for in every second frame
    (:mod:`~sam2core.hidden_objects`). What is remembered is of the same kind, and either mode can
    go on where the other has been."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {get_args(Mode)}, got {self.mode!r}")
        budget = 1 if self.memory_budget_mb is None else self.memory_budget_mb
        least = min(self.fill_hole_area, self.keys_budget_mb or 0)
        if budget < 1 or least < 0 or self.decode_ahead < 1:
            raise ValueError(
                f"memory_budget_mb and decode_ahead must be at least 1, keys_budget_mb and "
                f"fill_hole_area at least 0; got {self.memory_budget_mb}, {self.decode_ahead}, "
                f"{self.keys_budget_mb} and {self.fill_hole_area}"
            )

    def keys_bytes(self, device: torch.device) -> int:
        """How much may be taken by keys that are kept."""
        budget = self.keys_budget_mb
        if budget is None:
            budget = working_memory_mb(device)
            budget = budget if device.type == "cpu" else budget // 2
        return budget * 2**20

    def objects_per_batch(self, config: Sam2Config, device: torch.device) -> int:
        """How many objects fit the memory budget, from the sizes of the largest tensors."""
        budget = self.memory_budget_mb
        if budget is None:
            budget = working_memory_mb(device)
        cells = config.embedding_size**2
        memories = self.bank.recent + (self.bank.max_prompted or 1)
        keys = cells * memories * (3 * config.memory_dim + 4 * config.dim)
        queries = cells * (config.memory_mlp_dim + 8 * config.dim)
        decoder = config.mask_size**2 * config.dim  # maps of dim/8, and of dim/4 at half the size
        memory = config.image_size**2 * 4  # the mask, and the first map of the downsampler
        # Apple's attention keeps all scores, before and after the softmax; the others never do.
        scores = 2 * cells**2 * memories if device.type == "mps" else 0
        per_object = 4 * (keys + queries + decoder + memory + scores)
        return max(1, budget * 2**20 // per_object)
