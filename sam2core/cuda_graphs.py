"""CUDA graphs: the kernels of a computation recorded once, and then started all together.

A frame with one object is more than a thousand small kernels, and starting them one by one takes a
processor longer than a GPU needs for all. What is recorded reads from and writes to memory of its
own; arguments are copied there, and results out of it.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

log = logging.getLogger("sam2core.cuda_graphs")
Found = TypeVar("Found", Tensor, tuple[Tensor, ...])
MET_BEFORE = 2
"""How often arguments of some sizes have to come before they are worth a recording. By then kernels
were chosen, and compiled parts are compiled."""
MOST, MOST_BYTES = 32, 2**29
"""Recordings that are kept, and the memory for their arguments and results; of more, those that
weren't used for longest are given up."""


class CudaGraphs:
    """Runs functions of tensors, by recordings where these are to be had.

    There is one for each function and each set of sizes that comes again and again. Elsewhere than
    on CUDA, where gradients are wanted, while something is compiled or recorded, and on other
    streams than the default one, functions are just called. Results are the same. Any number of
    threads may ask.

    ``enabled`` switches it off. Recordings hold on to where weights lie: :meth:`forget` them before
    weights move.
    """

    def __init__(self, enabled: bool = True, record: Callable[..., Any] | None = None) -> None:
        self.enabled = enabled
        self._record = record or Recording
        self._known: OrderedDict[Any, int | Recording | None] = OrderedDict()
        self._lock = threading.RLock()
        self._pool: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> CudaGraphs:
        return CudaGraphs(self.enabled, self._record)

    def __reduce__(self) -> tuple[Any, ...]:
        return CudaGraphs, (self.enabled,)

    def __len__(self) -> int:
        """Recordings that there are."""
        return sum(
            known is not None and not isinstance(known, int) for known in self._known.values()
        )

    def forget(self) -> None:
        with self._lock:
            self._known.clear()
            self._pool = None

    def run(self, compute: Callable[..., Found], *given: Tensor | None) -> Found:
        """``compute(*given)``, which depends on nothing else that changes, and changes nothing. It
        is known by its name, of a ``partial`` with the arguments it has."""
        tensors = [each for each in given if each is not None]
        if not (self.enabled and self._suits(tensors)):
            return compute(*given)
        key = (_name(compute), _ways(), tuple(map(_form, given)))
        with self._lock:
            known = self._known.pop(key, 0)
            if isinstance(known, int) and known >= MET_BEFORE:
                known = self._recorded(compute, given, key[0])
            self._known[key] = known + 1 if isinstance(known, int) else known
            self._give_up()
            if known is not None and not isinstance(known, int):
                with _on(tensors):
                    return known.replay(given)
        return compute(*given)

    def _give_up(self) -> None:
        """Those that were used last are kept, and the very last one in any case."""
        taken = 0
        for later, key in enumerate(reversed(list(self._known))):
            known = self._known[key]
            taken += 0 if known is None or isinstance(known, int) else known.size
            if later and (later >= MOST or taken > MOST_BYTES):
                del self._known[key]

    def _suits(self, tensors: Sequence[Tensor]) -> bool:
        if self._record is not Recording:
            return True
        first = tensors[0].device
        if first.type != "cuda" or any(each.device != first for each in tensors):
            return False
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        if not torch.cuda.is_initialized() or torch.cuda.is_current_stream_capturing():
            return False
        return torch.cuda.current_stream(first) == torch.cuda.default_stream(first)

    def _recorded(
        self, compute: Callable[..., Any], given: Sequence[Tensor | None], name: str
    ) -> Any:
        try:
            if self._pool is None and self._record is Recording:
                # One for all: each copies its results out before another one starts.
                self._pool = torch.cuda.graph_pool_handle()
            with _on([each for each in given if each is not None]):
                return self._record(compute, given, self._pool)
        except RuntimeError as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.warning("%s can't be recorded as a CUDA graph, and runs without: %s", name, told)
            return None


class Recording:
    """A function of tensors as one CUDA graph, for arguments of the sizes of ``given``."""

    def __init__(
        self,
        compute: Callable[..., Tensor | tuple[Tensor, ...]],
        given: Sequence[Tensor | None],
        pool: Any = None,
    ) -> None:
        self._given = [None if each is None else _room(each) for each in given]
        self._copy(given)
        compute(*self._given)  # What is compiled may be compiled anew for these.
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may get pinned memory meanwhile.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            found = compute(*self._given)
        self._alone = isinstance(found, Tensor)
        self._found = (found,) if isinstance(found, Tensor) else tuple(found)
        held = [each for each in (*self._given, *self._found) if each is not None]
        self.size = sum(each.numel() * each.element_size() for each in held)

    def replay(self, given: Sequence[Tensor | None]) -> Any:
        self._copy(given)
        self._graph.replay()
        copies = tuple(each.clone() for each in self._found)
        return copies[0] if self._alone else copies

    def _copy(self, given: Sequence[Tensor | None]) -> None:
        for own, each in zip(self._given, given, strict=True):
            if own is not None and each is not None:
                own.copy_(each)


def _on(tensors: Sequence[Tensor]) -> AbstractContextManager:
    """Graphs are recorded and started on torch's current device, wherever their tensors are."""
    first = tensors[0].device
    return torch.cuda.device(first) if first.type == "cuda" else nullcontext()


def _room(like: Tensor) -> Tensor:
    """Memory in the layout of a tensor. What repeats along a dimension of stride 0 does so there,
    too."""
    if 0 in like.stride() and like.numel():
        once = like[tuple(slice(0, 1) if s == 0 else slice(None) for s in like.stride())]
        return torch.empty_like(once).expand(like.shape).clone()
    return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype, device=like.device)


def _form(each: Tensor | None) -> Any:
    return each if each is None else (tuple(each.shape), each.stride(), each.dtype, each.device)


def _name(compute: Callable[..., Any]) -> str:
    if isinstance(compute, functools.partial):
        return f"{_name(compute.func)} {compute.args} {compute.keywords}"
    return compute.__qualname__


def _ways() -> tuple[Any, ...]:
    """What else decides which kernels there are."""
    autocast = torch.is_autocast_enabled("cuda")
    return (
        torch.is_inference_mode_enabled(),
        torch.get_autocast_dtype("cuda") if autocast else None,
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
    )
