"""Keys of memories in one piece for a batch, with what they have of their ages added, by one
Triton kernel on CUDA: memories lie wherever they were made, and each key is read and written once.

In plain tensors the same takes three passes (joined, ages gathered, added): see
:meth:`~sam2core.memory_tokens.MemoryTokens.keys`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

BLOCK = 4096


def joins_on(device: torch.device) -> bool:
    """Whether :class:`JoinedKeys` can be had."""
    return device.type == "cuda" and torch.cuda.is_initialized() and _triton_is_there()


class JoinedKeys:
    """The kept keys of N objects with T memories each, ``keys`` (layers, kinds, K, dim), of which
    the first kind is taken, and the ``ages`` (N, T) of these."""

    def __init__(self, keys: Sequence[Sequence[Tensor]], ages: Sequence[Sequence[int]]) -> None:
        # Held for as long as the kernel may read from them.
        self._keys = [each.contiguous() for row in keys for each in row]
        self.shape = (len(ages), len(ages[0]), *self._keys[0].shape[2:])
        device = self._keys[0].device
        self._places = _sent([each.data_ptr() for each in self._keys], torch.int64, device)
        self._ages = _sent([age for row in ages for age in row], torch.int32, device)

    def layer(self, layer: int, timed: Tensor, rest: Tensor) -> Tensor:
        """Keys (N, T*K + P, dim): those of memories, with rows of ``timed`` (A, K, dim) added by
        their ages, and then ``rest`` (N, P, dim) as they are."""
        count, slots, tokens, dim = self.shape
        found = timed.new_empty(count, slots * tokens + rest.shape[1], dim)
        found[:, slots * tokens :] = rest
        size, kinds = tokens * dim, self._keys[0].shape[1]
        grid = (count * slots, -(-size // BLOCK))
        with torch.cuda.device(found.device):  # Triton starts kernels on the current one
            _kernel()[grid](
                self._places,
                self._ages,
                timed.contiguous(),
                found,
                layer * kinds * size,
                slots,
                size,
                found.stride(0),
                BLOCK=BLOCK,
            )
        return found


def _sent(values: list[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """On the device, without waiting for it."""
    there = torch.tensor(values, dtype=dtype)
    if device.type != "cuda":
        return there.to(device)
    return there.pin_memory().to(device, non_blocking=True)


@functools.cache
def _triton_is_there() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _kernel() -> Any:
    from sam2core.joined_keys_kernel import join

    return join
