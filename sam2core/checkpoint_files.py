"""The files of a checkpoint of SAM 2, found in a folder or on the hub, and read.

Published repositories hold the same weights several times: as ``model.safetensors`` and as Meta's
``.pt``. The first of :data:`sam2core.weight_files.LAYOUTS` counts, then a single ``.pt``.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sam2core.errors import WeightsError
from sam2core.weight_files import (
    LAYOUTS,
    SAFETENSORS,
    advice,
    check_shard,
    check_weights,
    first_layout,
    real,
    shards_of,
    weight_files,
)

BESIDE = (
    "config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
)
"""What is read of a checkpoint besides its weights, where it is there."""


@dataclass(frozen=True)
class CheckpointFiles:
    """Tensors by name, and the folder whose ``config.json`` and processor files are theirs.

    ``folder`` is None where files beside the weights may be anybody's: Meta's ``.pt``, or a file
    of a name of its own.
    """

    state: dict[str, Tensor]
    folder: Path | None


def read_checkpoint(source: str | os.PathLike, revision: str | None = None) -> CheckpointFiles:
    """The weights of a file, a folder, or a repository of the hub.

    What is in the hub's cache is taken from there, without asking the hub. Raises
    :class:`WeightsError` for what isn't there, is damaged, or holds other things than tensors.
    """
    try:
        path = Path(source)
        if not path.exists():
            path = _fetch(str(source), revision)
        first = _first_file(path) if path.is_dir() else path
        if first is None:
            raise WeightsError(
                f"{source}: expected a folder with {SAFETENSORS} (and config.json), "
                "pytorch_model.bin, an index of either, or one .pt file, found "
                f"{sorted(p.name for p in path.iterdir())[:10]}"
            )
        check_weights(first)
        state: dict[str, Tensor] = {}
        for file in weight_files(first):
            tensors = _read_file(file)
            if file != first:
                check_shard(first, file.name, shards_of(first)[file.name], set(tensors))
            state |= tensors
    except WeightsError:
        raise
    except ValueError as error:
        raise WeightsError(str(error)) from error
    return CheckpointFiles(state, first.parent if first.name in LAYOUTS else None)


def _first_file(folder: Path) -> Path | None:
    """What a folder's weights begin with; None if there is none, or no single ``.pt``."""
    if (first := first_layout(folder)) is not None:
        return first
    checkpoints = list(folder.glob("*.pt"))
    return checkpoints[0] if len(checkpoints) == 1 else None


def _fetch(source: str, revision: str | None) -> Path:
    """The folder of a repository in the hub's cache, with what is needed of it fetched."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise WeightsError(
            f"{source}: no such file or folder, and not a hub id of the form 'owner/name' either"
        )
    from huggingface_hub import HfApi, hf_hub_download

    cached = _cached(source, revision)
    if cached is not None and _whole(cached):
        return cached
    try:
        names = HfApi().list_repo_files(source, revision=revision)
        first = _choose(names)
        if first is None:
            raise FileNotFoundError(f"of weights it has none, but {sorted(names)[:10]}")
        beside = [name for name in BESIDE if name in names]
        paths = [Path(hf_hub_download(source, n, revision=revision)) for n in (*beside, first)]
        for file in weight_files(paths[-1]):
            if file != paths[-1]:
                hf_hub_download(source, file.name, revision=revision)
    except Exception as error:  # of the hub's package, and of whichever HTTP library is under it
        reason = (str(error).splitlines() or [""])[0]
        raise WeightsError(
            f"{source}: not on this machine as a path, and not to be had from the Hugging Face "
            f"hub or its cache ({type(error).__name__}: {reason}). Check the name and the "
            f"network, or download the model and give its folder."
        ) from error
    return paths[-1].parent


def _cached(source: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        # The pattern is what must be there: which weights, the hub's package couldn't know.
        folder = snapshot_download(
            source, revision=revision, local_files_only=True, allow_patterns="config.json"
        )
    except (OSError, ValueError):
        return None
    return Path(folder)


def _whole(folder: Path) -> bool:
    first = _first_file(folder)
    return first is not None and all(path.is_file() for path in weight_files(first))


def _choose(names: Sequence[str]) -> str | None:
    """Which of a repository's files its weights begin with."""
    checkpoints = [name for name in names if name.endswith(".pt") and "/" not in name]
    alone = checkpoints if len(checkpoints) == 1 else []
    return next((name for name in (*LAYOUTS, *alone) if name in names), None)


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except (SafetensorError, OSError) as error:
            raise WeightsError(_unreadable(path, "a safetensors file", error)) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise WeightsError(_unreadable(path, "a PyTorch checkpoint", error)) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()
    ):
        raise WeightsError(
            f"{path}: expected a checkpoint of SAM 2, a mapping from names to tensors (under "
            f"'model' or on its own), found {type(content).__name__}"
        )
    return dict(content)


def _unreadable(path: Path, kind: str, error: Exception) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"{real(path)}: can't be read as {kind} ({path.stat().st_size:,} bytes; {reason}). It may "
        f"be cut off, or of another kind. {advice(path)}"
    )
