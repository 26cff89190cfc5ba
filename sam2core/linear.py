"""A linear layer, and what comes right after it, as one operator of oneDNN on x86 processors.

torch's own first fills the result with the bias and adds the product to it, and an activation reads
and writes all of it again. In float32 torch leaves the product to MKL, which is a seventh slower
than oneDNN on the AMD processor that was measured. Answers are the same but for rounding.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.precision import cpu_has_amx, cpu_has_avx512_bfloat16

Activation = Literal["none", "relu", "gelu"]


class Linear(nn.Linear):
    """``nn.Linear`` and an activation: by one operator where there is one and no gradient is
    wanted."""

    def forward(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """(..., in) to (..., out)."""
        dtype = _dtype_of(x)
        if not _is_fused(x, dtype):
            y = super().forward(x)
            return y if activation == "none" else getattr(F, activation)(y)
        weight, bias = self.weight.to(dtype), None if self.bias is None else self.bias.to(dtype)
        return product(x.to(dtype), weight, bias, activation)


def product(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation = "none"
) -> Tensor:
    """``x`` (..., in), weight (out, in) and bias (out,), all of one dtype, by oneDNN."""
    kind = "none" if activation == "gelu" else ""  # by the error function, not by tanh
    return torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, activation, [], kind)


def multiplies(x: Tensor) -> bool:
    """Whether :func:`product` is there for tensors like ``x``."""
    return _is_fused(x, x.dtype)


def _dtype_of(x: Tensor) -> torch.dtype:
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return x.dtype


def _is_fused(x: Tensor, dtype: torch.dtype) -> bool:
    if x.device.type != "cpu" or not x.numel() or torch.is_grad_enabled():
        return False
    return not torch.compiler.is_compiling() and dtype in _dtypes()


@cache
def _dtypes() -> frozenset[torch.dtype]:
    """What oneDNN multiplies here at full speed."""
    here = platform.machine().lower() in ("x86_64", "amd64")
    if not (here and torch.backends.mkldnn.is_available()):
        return frozenset()
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return frozenset()
    half = cpu_has_amx() or cpu_has_avx512_bfloat16()
    return frozenset({torch.float32, torch.bfloat16} if half else {torch.float32})
