"""Linear layers in whole numbers of 8 bits, for CPUs: dynamic quantisation.

Weights are rounded once, each output channel to a scale of its own; what comes in is rounded at
every call, each row to its own (Jacob et al., arXiv 1712.05877, section 2; rows as in LLM.int8(),
arXiv 2208.07339, section 2). On processors with AVX-512 VNNI or AMX a layer is three times as quick
as in float32, without them it isn't. It is an approximation: ``python -m benchmarks.int8`` measures
its loss.

torch's own modules for it (``torch.ao.quantization``) are deprecated together with its quantised
tensors, and slower here: they round a whole input to one scale.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

ROWS_AT_ONCE = 512
"""Rows that are multiplied together: their products stay in the cache until they are scaled."""


class Int8Linear(nn.Module):
    """In the place of a linear layer, for inference. float32 in and out, whatever autocast says.

    Raises ``ValueError`` for a layer that isn't on a CPU in float32.
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach()
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            raise ValueError(
                "8-bit layers are made of float32 layers on a CPU, this one is of "
                f"{weight.dtype} on {weight.device}"
            )
        scales = _scales(weight)
        self.register_buffer("weight", (weight / scales).round().to(torch.int8))
        self.register_buffer("scales", scales[:, 0].contiguous())
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        rows = x.float().reshape(-1, x.shape[-1])
        found = torch.cat([self._multiply(piece) for piece in rows.split(ROWS_AT_ONCE)])
        return found.view(*x.shape[:-1], -1)

    def _multiply(self, rows: Tensor) -> Tensor:
        scales = _scales(rows)
        whole = (rows / scales).round_().to(torch.int8)
        found = torch._int_mm(whole, self.weight.T).float()
        found = found.mul_(self.scales).mul_(scales)
        return found if self.bias is None else found.add_(self.bias)


def _scales(rows: Tensor) -> Tensor:
    """(N, 1): what 1 stands for in each row, so that 127 is its largest value."""
    return rows.abs().amax(dim=1, keepdim=True).div_(127).clamp_min_(1e-30)


def quantise(modules: Iterable[nn.Module], exact: Iterable[nn.Module] = ()) -> None:
    """Replace the linear layers within modules, but for those that are to stay ``exact``."""
    kept = {id(module) for module in exact}
    for module in modules:
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear and id(child) not in kept:
                    setattr(parent, name, Int8Linear(child))
