"""How a data set is worked on. Which labels come out depends on none of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Engine = Literal["local", "ray"]
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class DatasetSettings:
    """How the work is done. Which labels come out depends on none of it."""

    batch: int = 4
    """Pictures that go through the models together; those of like sizes are."""
    chunk: int = 32
    """Pictures, one after the other by name, among which those of like sizes are found. More find
    better company, and more has to be read again after a crash."""
    batch_pixels: int = 50_000_000
    """The most pixels of a batch; a larger picture goes alone."""
    ahead: int = 2
    """Batches that are decoded while the models work, and those that wait to be written. Two keep
    a GPU busy where files differ in size; more only take memory."""
    readers: int = 2
    """Threads of each worker that decode pictures: a picture takes less time to decode than to
    label, so that two are ahead of the models."""
    writers: int = 2
    """Threads of each worker that write labels: PNGs are packed by one core each."""
    workers: int = 1
    """Processes with models of their own, on the device that was asked for; where none was, on a
    machine with GPUs, each takes one in turn."""
    engine: Engine = "local"
    """What runs the workers: processes of this machine, or a Ray cluster."""
    max_errors: int | None = None
    """End the run when more items than this are broken; None: never."""
    redo: bool = False
    """Label anew what was labelled with other words, models or settings."""

    def __post_init__(self) -> None:
        for name in ("batch", "chunk", "batch_pixels", "ahead", "readers", "writers", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.max_errors is not None and self.max_errors < 0:
            raise ValueError(f"max_errors must be 0 or more, got {self.max_errors}")
        if self.engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {self.engine!r}")
