"""How a data set is labelled, and the fingerprint of what makes its labels what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal

from panoptic.dataset.sources.opening import MAX_BYTES
from panoptic.images import MAX_PIXELS
from prompts import Vocabulary

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
    """Batches that are decoded while the models work, and those that wait to be written."""
    readers: int = 2
    writers: int = 2
    """Threads that decode pictures, and that write labels, of each worker."""
    workers: int = 1
    """Processes with models of their own, on the device that was asked for; where none was, on a
    machine with GPUs, each takes one in turn."""
    engine: Engine = "local"
    max_errors: int | None = None
    """End the run when more items than this are broken; None: never."""
    max_pixels: int = MAX_PIXELS
    """Pictures with more are broken items, such as decompression bombs."""
    max_bytes: int = MAX_BYTES
    """Picture files that are larger are broken items."""
    redo: bool = False
    """Label anew what was labelled with other words, models or settings."""

    def __post_init__(self) -> None:
        for name in (
            *("batch", "chunk", "batch_pixels", "ahead", "readers", "writers", "workers"),
            *("max_pixels", "max_bytes"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.max_errors is not None and self.max_errors < 0:
            raise ValueError(f"max_errors must be 0 or more, got {self.max_errors}")
        if self.engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {self.engine!r}")


def describe(labeller: Any) -> dict[str, Any]:
    """What of a labeller decides its labels: its parts, their settings, digests of the weights.

    A labeller that isn't made of models says itself what it is, by a method ``fingerprint`` that
    gives a dictionary, or is a dataclass. The device isn't part of it, but the dtype is, as it
    came out: labels in float32 and in bfloat16 differ in some pixels.
    """
    parts = ("things", "stuff", "segmenter")
    if all(hasattr(labeller, part) for part in parts):
        told: dict[str, Any] = {part: _describe_part(getattr(labeller, part)) for part in parts}
        for name in ("settings", "video_settings"):
            if is_dataclass(value := getattr(labeller, name, None)):
                told[name] = _plain(asdict(value))  # type: ignore[arg-type]
        told["quality"] = _plain(labeller.quality.to_dict())
        return told
    return _describe_part(labeller)


def settings_hash(vocabulary: Vocabulary, described: Mapping[str, Any]) -> str:
    """One name for words, models and settings together, 128 bits in hexadecimal."""
    text = json.dumps([vocabulary.to_coco(), described], sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _describe_part(part: Any) -> dict[str, Any]:
    if hasattr(part, "fingerprint"):
        return dict(_plain(part.fingerprint()))
    told: dict[str, Any] = {"class": f"{type(part).__module__}.{type(part).__qualname__}"}
    if is_dataclass(part):
        told["fields"] = _plain(asdict(part))  # type: ignore[arg-type]
    if is_dataclass(settings := getattr(part, "settings", None)):
        told["settings"] = _plain(asdict(settings))  # type: ignore[arg-type]
    model = getattr(part, "model", None)
    if (dtype := getattr(part, "dtype", getattr(model, "compute_dtype", None))) is not None:
        told["dtype"] = str(dtype)
    if hasattr(model, "state_dict"):
        told["weights"] = _digest_of_weights(model)
    return told


def _digest_of_weights(model: Any) -> str:
    """Names, shapes and a thousand values of each tensor: enough to tell checkpoints apart."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().flatten()
        some = values[:: max(1, len(values) // 1000)].cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(some.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """The value as JSON would give it back."""
    return json.loads(json.dumps(value, default=str, ensure_ascii=True))
