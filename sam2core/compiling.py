"""torch.compile for SAM 2: which parts are handed to it, and what they are captured for.

The four parts that have the work of a frame are one graph each (``fullgraph``): the image encoder's
backbone, a layer of memory attention (one graph for all layers) with the projection of new
memories, the mask decoder, and the memory encoder. What is between them stays as it is: it moves
memories about, by lists whose lengths change, and looks at prompts.

Nothing is padded. Numbers of objects, of their memories and of their pointers, and of points of a
prompt are symbols in the graphs, so that objects that come and go, and memories that fill up,
compile nothing anew; of one object alone there are graphs of its own.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from sam2core.hiera import Hiera
from sam2core.mask_decoder import MaskDecoder
from sam2core.memory_attention import MemoryAttention, MemoryAttentionLayer, Rope
from sam2core.memory_encoder import MemoryEncoder
from sam2core.memory_tokens import MemoryBatch
from sam2core.model import Sam2

log = logging.getLogger("sam2core.compiling")
GRAPHS = 64
Counted = Sequence[tuple[Tensor | None, int]]
"""Tensors, and dimensions of theirs whose sizes change from call to call."""


def compile_model(model: Sam2, backend: str = "inductor") -> None:
    """From now on run a model through ``torch.compile``.

    Each part is compiled when it is first used, which takes from seconds to minutes, and is said in
    the log before and after. ``backend`` is one of ``torch.compiler.list_backends()``. Raises the
    number of graphs that ``torch.compile`` has of one function at most, if it is below ``GRAPHS``.
    """
    # Of the decoder there are some for every kind of prompt, of one model or several.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, GRAPHS)
    _install(model.image_encoder.trunk, "encode", _ENCODER, backend)
    _install(model.mask_decoder, "forward", _DECODER, backend)
    if not model.config.tracks:
        return
    attention = model.memory_attention
    attention.compiled = True
    _install(attention, "keys_of", _KEYS, backend)
    for layer in attention.layers:
        _install(layer, "forward", _LAYER, backend)
    _install(model.memory_encoder, "forward", _MEMORY, backend)


@dataclass(frozen=True)
class _Part:
    """``compute`` is a method, and ``counted`` says of its arguments what changes in size."""

    name: str
    compute: Callable[..., Any]
    counted: Callable[..., Counted]


def _none(pixels: Tensor, positions: Tensor) -> Counted:
    return ()


def _of_keys(features: Tensor, rope: Any, values: bool) -> Counted:
    return ((features, 0),)


def _of_layer(x: Tensor, memory: MemoryBatch, rope: Rope, merged: int) -> Counted:
    batch = (memory.keys, memory.values)
    turned = ((each, 0) for each in rope if each.ndim == 3)  # each object by places of its own
    return ((x, 0), *((each, i) for each in batch for i in range(2)), (memory.bias, 3), *turned)


def _of_decoder(
    features: Tensor,
    fine: tuple[Tensor, Tensor],
    position: Tensor,
    tokens: Tensor,
    visible: Tensor | None,
    dense: Tensor,
) -> Counted:
    objects = ((each, 0) for each in (features, *fine, tokens, visible, dense))
    return (*objects, (tokens, 1), (visible, 1))


def _of_memory(features: Tensor, masks: Tensor) -> Counted:
    return ((features, 0), (masks, 0))


_ENCODER = _Part("the image encoder", Hiera.encode, _none)
_KEYS = _Part("the projection of memories", MemoryAttention.keys_of, _of_keys)
_LAYER = _Part("a layer of memory attention", MemoryAttentionLayer.forward, _of_layer)
_DECODER = _Part("the mask decoder", MaskDecoder.forward, _of_decoder)
_MEMORY = _Part("the memory encoder", MemoryEncoder.forward, _of_memory)


def _install(module: nn.Module, method: str, part: _Part, backend: str) -> None:
    compiled = _compiled(part, backend)

    def compute(module: nn.Module, *arguments: Any) -> Any:
        for tensor, dimension in part.counted(*arguments):
            # Sizes of 1 are never symbols: they broadcast.
            if tensor is not None and tensor.shape[dimension] > 1:
                torch._dynamo.mark_dynamic(tensor, dimension)
        return compiled(module, *arguments)

    setattr(module, method, MethodType(compute, module))  # which goes along with deep copies


@functools.cache
def _compiled(part: _Part, backend: str) -> Callable[..., Any]:
    """One for all layers and models: what fits is taken from what was compiled before."""

    def said(graph: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        log.warning("torch.compile: compiling %s, which may take minutes", part.name)
        start = time.perf_counter()
        found = torch._dynamo.lookup_backend(backend)(graph, inputs)
        spent = time.perf_counter() - start
        log.warning("torch.compile: %s is compiled, after %.0f s", part.name, spent)
        return found

    return torch.compile(part.compute, fullgraph=True, dynamic=False, backend=said)
