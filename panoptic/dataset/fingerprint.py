"""The fingerprint of what makes labels what they are: words, models, weights, settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from panoptic.io.picture_settings import PictureSettings
from panoptic_anything import __version__
from prompts import Vocabulary


def describe(labeller: Any) -> dict[str, Any]:
    """What of a labeller decides its labels: this package's version, its parts, all settings (but
    how a data set is worked on, which decides none), digests of the weights.

    A labeller that isn't made of models says itself what it is, by a method ``fingerprint`` that
    gives a dictionary, or is a dataclass. The device isn't part of it, but the dtype is, as it
    came out: labels in float32 and in bfloat16 differ in some pixels.
    """
    version = {"version": __version__}
    parts = ("things", "stuff", "segmenter")
    if not all(hasattr(labeller, part) for part in parts):
        return version | _describe_part(labeller)
    description: dict[str, Any] = {part: _describe_part(getattr(labeller, part)) for part in parts}
    settings = _plain(asdict(labeller.settings))
    del settings["dataset"]
    if (pictures := _how_read(labeller.settings.pictures)) is not None:
        settings["pictures"] = pictures
    else:
        del settings["pictures"]
    for part, name in (("things", "detector"), ("stuff", "stuff")):
        if description[part].get("settings") == settings[name]:
            del description[part]["settings"]  # the tree has them
    quality = _plain(labeller.quality.to_dict())
    return version | description | {"settings": settings, "quality": quality}


def _how_read(pictures: PictureSettings) -> dict[str, Any] | None:
    """What of it decides labels, None where it is as ever: limits only say what is left out."""
    chosen = {"stretch": pictures.stretch, "bands": pictures.bands}
    usual = PictureSettings()
    return None if chosen == {"stretch": usual.stretch, "bands": usual.bands} else chosen


def settings_hash(vocabulary: Vocabulary, described: Mapping[str, Any]) -> str:
    """One name for words, models and settings together, 128 bits in hexadecimal."""
    text = json.dumps([vocabulary.to_coco(), described], sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _describe_part(part: Any) -> dict[str, Any]:
    if hasattr(part, "fingerprint"):
        return dict(_plain(part.fingerprint()))
    description: dict[str, Any] = {"class": f"{type(part).__module__}.{type(part).__qualname__}"}
    if is_dataclass(part):
        description["fields"] = _plain(asdict(part))  # type: ignore[arg-type]
    if is_dataclass(settings := getattr(part, "settings", None)):
        description["settings"] = _plain(asdict(settings))  # type: ignore[arg-type]
    model = getattr(part, "model", None)
    if (dtype := getattr(part, "dtype", getattr(model, "compute_dtype", None))) is not None:
        description["dtype"] = str(dtype)
    if hasattr(model, "state_dict"):
        description["weights"] = _digest_of_weights(model)
    return description


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
