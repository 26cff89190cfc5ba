"""Single tensors of a checkpoint's files, without reading the rest."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from detectors.checkpoint_parts import find_file

_WHOLE = ("model.safetensors", "pytorch_model.bin")


class StoredWeights:
    """What a folder, or a repository in the hub's cache, holds under which name.

    Files are found in the order in which transformers takes them: safetensors before ``.bin``,
    one file before shards. Raises ``ValueError`` where there are none.
    """

    def __init__(self, source: str | Path) -> None:
        self._source = source
        self._files = _find(source)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all tensors."""
        return frozenset(self._file_of)

    def equal(self, one: str, other: str) -> bool:
        """Whether two tensors have the same shape and values."""
        if {one, other} - self.names:
            return False
        return torch.equal(self._read(one), self._read(other))

    @cached_property
    def _file_of(self) -> dict[str, Path]:
        return {name: path for path in self._files for name in self._names_in(path)}

    @cached_property
    def _loaded(self) -> dict[Path, dict[str, Any]]:
        return {}

    def _names_in(self, path: Path) -> list[str]:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                return list(file.keys())
        if path not in self._loaded:
            try:  # mapped into memory, not read
                content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError:  # torch's format before 1.6 can't be mapped
                content = torch.load(path, map_location="cpu", weights_only=True)
            self._loaded[path] = content
        return list(self._loaded[path])

    def _read(self, name: str) -> torch.Tensor:
        path = self._file_of[name]
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                return file.get_tensor(name)
        return self._loaded[path][name]


def _find(source: str | Path) -> list[Path]:
    from sam2core.weight_files import check_weights

    def at_hand(name: str) -> Path | None:
        return find_file(source, name)

    for name in _WHOLE:
        if path := at_hand(name):
            check_weights(path)
            return [path]
        if index := at_hand(name + ".index.json"):
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            paths = {shard: at_hand(shard) for shard in sorted(shards)}
            if gone := [shard for shard, path in paths.items() if path is None]:
                raise ValueError(f"{source}: {index.name} names {gone[0]}, which is not there")
            check_weights(index)
            return [path for path in paths.values() if path is not None]
    raise ValueError(
        f"{source}: found no weights; expected {', '.join(_WHOLE)} or an index of parts of them"
    )
