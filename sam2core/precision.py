"""What is computed in: float32, or half precision under autocast where a machine is made for it.

Meta's predictors and notebooks run SAM 2 under bfloat16 autocast; weights stay float32 there and
here. On a processor without instructions for it bfloat16 is several times slower than float32,
which is the choice there. float32 leaves TF32 as torch has it: off in matrix products, on in
cuDNN's convolutions, unless the caller says otherwise.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
AUTO = "auto"
LARGE = 10_000_000
"""Parameters from which on a model counts as large. SAM 2's smallest has 39 million."""
_FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability of NVIDIA's Ampere


def choose_dtype(
    device: str | torch.device | Iterable[str | torch.device],
    dtype: torch.dtype | str | None = AUTO,
    large: bool = False,
) -> torch.dtype:
    """What to compute in on a device, or on several that are to compute alike.

    ``dtype`` is a ``torch.dtype``, its name, or "auto" (or None): bfloat16 where it is quick on
    every one of the devices, and float32 elsewhere, Apple's MPS included. It is quick on CUDA from
    compute capability 8.0 on, on CPUs with AMX, and for models that are ``large``, as published
    ones are (``LARGE``), on CPUs with bfloat16 in AVX-512: a picture takes them two thirds of
    float32's time there (benchmarks/results/full_size.md), and small models gain nothing
    (benchmarks/results/precision.md).

    Raises ``ValueError`` for anything but float32, bfloat16, float16 and "auto".
    """
    if dtype is None or dtype == AUTO:
        devices = [device] if isinstance(device, (str, torch.device)) else list(device)
        quick = all(is_quick_in_bfloat16(each, large) for each in devices)
        return torch.bfloat16 if quick else torch.float32
    chosen = DTYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if not isinstance(chosen, torch.dtype) or chosen not in DTYPES.values():
        raise ValueError(
            f"dtype must be one of {AUTO}, {', '.join(DTYPES)} (or the torch.dtype), got {dtype!r}"
        )
    return chosen


def name_of(dtype: torch.dtype) -> str:
    """ "bfloat16" for ``torch.bfloat16``."""
    return str(dtype).removeprefix("torch.")


def is_quick_in_bfloat16(device: str | torch.device, large: bool = False) -> bool:
    """Whether a device has instructions for products of bfloat16 matrices, not an emulation, by
    which a model gains that is ``large`` or not."""
    device = torch.device(device)
    if device.type == "cuda":
        # torch.cuda.is_bf16_supported asks the current device, which need not be this one.
        if torch.version.hip:
            return True
        return torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16
    return device.type == "cpu" and (cpu_has_amx() or (large and cpu_has_avx512_bfloat16()))


@cache
def cpu_has_amx() -> bool:
    """Whether this processor multiplies bfloat16 in tiles (AMX), and torch makes use of it.

    AVX-512's bfloat16 alone doesn't count: what it gains depends on the size of the model.
    """
    return has_amx(_flags_in_use())


@cache
def cpu_has_avx512_bfloat16() -> bool:
    """Whether this processor has products of bfloat16 in AVX-512, and torch makes use of them."""
    return "avx512_bf16" in _flags_in_use()


def _flags_in_use() -> frozenset[str]:
    if not torch.backends.mkldnn.is_available():
        return frozenset()
    if (capabilities := getattr(torch.cpu, "get_capabilities", None)) is not None:
        return frozenset(name for name, there in capabilities().items() if there is True)
    return cpu_flags()  # before torch 2.10


def has_amx(flags: Iterable[str]) -> bool:
    """Whether flags of a processor, as torch or Linux names them, have bfloat16 in tiles."""
    return {"amx_tile", "amx_bf16"} <= set(flags)


def cpu_flags(cpuinfo: str | None = None) -> frozenset[str]:
    """The flags of /proc/cpuinfo, by default this machine's; empty where there is none."""
    if cpuinfo is None:
        path = Path("/proc/cpuinfo")
        if platform.system() != "Linux" or not path.exists():
            return frozenset()
        cpuinfo = path.read_text(encoding="utf-8", errors="replace")
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
