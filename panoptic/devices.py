"""Which device the models run on: the one asked for, or the best that a machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """What a machine has besides its processor."""

    gpus: int = 0
    """CUDA devices (or AMD's, which torch calls by that name too)."""
    mps: bool = False
    """Apple's."""

    @classmethod
    def here(cls) -> Machine:
        """This one. Nothing is set up on its devices, so asking takes none of their memory."""
        import torch

        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return cls(gpus, torch.backends.mps.is_available())

    @property
    def devices(self) -> list[str]:
        """The names of all its devices, the best first."""
        apple = ["mps"] if self.mps else []
        return [*apple, *(f"cuda:{i}" for i in range(self.gpus)), "cpu"]


def choose_devices(asked: str | None, workers: int, machine: Machine | None = None) -> list[str]:
    """A device for each worker, by its full name: "cpu", "mps", "cuda:0", ...

    A device that is asked for is the device of all; "cuda" stands for all GPUs, which are taken in
    turn, and None for the best that ``machine`` (by default this one) has. Raises ``ValueError``
    for a device that isn't there.
    """
    machine = machine or Machine.here()
    there = machine.devices
    gpus = [name for name in there if name.startswith("cuda:")]
    if asked is None:
        chosen = gpus if there[0] in gpus else there[:1]
    elif asked == "cuda":
        chosen = gpus
    else:
        chosen = [name for name in there if asked in (name, f"{name}:0")]
    if not chosen:
        raise ValueError(f"there is no device {asked!r}; there are {', '.join(there)}")
    return [chosen[i % len(chosen)] for i in range(workers)]


def choose_device(asked: str | None, machine: Machine | None = None) -> str:
    """The device for one: see :func:`choose_devices`."""
    return choose_devices(asked, 1, machine)[0]


def in_words(devices: Sequence[str], dtype: str | None = None) -> str:
    """For people: "on cpu in float32", "2 workers on cuda:0, cuda:1 in bfloat16"."""
    workers = f"{len(devices)} workers " if len(devices) > 1 else ""
    precision = f" in {dtype}" if dtype else ""
    return f"{workers}on {', '.join(dict.fromkeys(devices))}{precision}"
