"""Random weights under which a detector's mistakes show.

Initialised as for training, box heads and gates are zero and much is alike, so that almost any
code would agree with another. SAM 2 has its own, in ``benchmarks.parity.weights``.
"""

from __future__ import annotations

import torch


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Give a model's parameters values of about unit gain, in place, by name and seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            flat = weight.ndim < 2
            noise = torch.randn(weight.shape, generator=generator)
            noise *= 0.1 if flat else 0.7 / weight[0].numel() ** 0.5
            is_norm = flat and name.endswith("weight")
            weight.copy_(noise + 1 if is_norm else noise)
