"""The machine that a benchmark runs on: what it is, and how much memory this process takes."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sam2core.precision import cpu_flags, cpu_has_amx

# What decides how quick a dtype is, as Linux names it.
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")


def describe(device: str = "cpu") -> str:
    """The machine in words, with what else was going on there."""
    name = f"{os.cpu_count()}-core {platform.machine()} CPU"
    if device.startswith("cuda"):
        name = f"{torch.cuda.get_device_name(device)}, {name}"
    elif device != "cpu":
        name = f"{device}, {name}"
    busy = os.getloadavg()[1]
    return (
        f"{name} ({cpu_features()}; load average {busy:.1f}), {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def cpu_features() -> str:
    """What of the processor's instructions decides how quick a dtype is."""
    flags = cpu_flags()
    if not flags:
        return "AMX" if cpu_has_amx() else "no AMX"
    return ", ".join(name if name in flags else f"no {name}" for name in _FEATURES)


def clock(device: Any) -> Callable[[], float]:
    """Seconds of the processor, where it does the work, else of the clock when the device is
    done with what it was given."""
    device = torch.device(device)
    if device.type == "cpu":
        return time.process_time
    wait = (
        torch.mps.synchronize if device.type == "mps" else partial(torch.cuda.synchronize, device)
    )

    def now() -> float:
        wait()
        return time.perf_counter()

    return now


def resident_bytes() -> int:
    """Resident memory of this process now. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    # Of a process that another one started, getrusage tells that one's peak where it is higher.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
