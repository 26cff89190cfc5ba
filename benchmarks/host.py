"""The machine that a benchmark runs on: what it is, and how much memory this process takes."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

import torch


def describe(device: str = "cpu") -> str:
    """The machine in words, with what else was going on there."""
    name = f"{os.cpu_count()}-core {platform.machine()} CPU"
    if device != "cpu":
        name = f"{torch.cuda.get_device_name(device)}, {name}"
    busy = os.getloadavg()[1]
    return (
        f"{name} (load average {busy:.1f}), {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def resident_bytes() -> int:
    """Resident memory of this process now. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
