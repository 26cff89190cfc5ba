"""How much memory of a device one batch may work in."""

from __future__ import annotations

import torch

CPU_MB = 2048
"""On the CPU a fixed amount, 7 objects at 1024 pixels: batches are the same whatever else runs on
a machine, and so are results, to the last bit."""
SHARE = 0.5
"""Of what a GPU has free. The rest is for what the estimate of a batch leaves out, for memories
that are kept, for the detectors, and for other programs."""
MOST_MB = 16384
"""Of any GPU: 59 objects at 1024 pixels. Their largest tensor has 5e8 numbers; not all kernels
can count beyond 2e9, and what isn't needed is left to others."""


def working_memory_mb(device: torch.device) -> int:
    """A part of what ``device`` has free, in MB, at least 1; on a CPU always the same.

    On CUDA that counts what other programs leave and what torch's allocator holds unused, on
    Apple's GPU what the system recommends to use at most, without what is used.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    else:
        return CPU_MB
    return max(1, min(MOST_MB, int(SHARE * free) // 2**20))
