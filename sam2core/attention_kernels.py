"""Attention by the kernel that suits a device: torch's own, or plain products of matrices.

``scaled_dot_product_attention`` is the choice on GPUs (flash attention) and, in bfloat16, on CPUs
with AMX. Elsewhere two plain products with a softmax between them are quicker where torch's kernel
is slow in a dtype, or where values have fewer channels than keys, which it can't make use of.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from sam2core.precision import cpu_has_amx

ROWS_AT_ONCE = 512
"""Queries whose scores are computed together: of fewer, products of matrices are slower."""
SCORES_AT_ONCE = 2**24
"""Scores that are kept at once, at most: 32 MB in bfloat16."""


def attend(q: Tensor, k: Tensor, v: Tensor, counted: int = 0, offset: float = 0.0) -> Tensor:
    """Attention of (N, heads, tokens, channels). ``offset`` is added to the scores of the first
    ``counted`` keys.

    torch's, but in bfloat16 on CPUs without AMX, where its kernel is slower than in float32:
    there in pieces, in half of the time.
    """
    if q.dtype != torch.bfloat16 or not _in_pieces(q):
        bias = None
        if counted:
            bias = F.pad(q.new_full((1, 1, 1, counted), offset), (0, k.shape[2] - counted))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    found = torch.empty((q.shape[0], q.shape[2], q.shape[1], v.shape[3]), dtype=q.dtype)
    for head in range(q.shape[1]):
        found[:, :, head] = attend_in_pieces(q[:, head], k[:, head], v[:, head], counted, offset)
    return found.transpose(1, 2)


def folds_values(x: Tensor, masked: bool = False) -> bool:
    """Whether, for queries like ``x``, attention over narrow values, projected afterwards, is
    quicker than over wide ones. ``masked``: with a bias.

    On CPUs by :func:`attend_in_pieces`. Seconds of one core, 4096 queries of 256 channels and
    28,672 keys, AVX-512 without AMX: 1.27 by torch's and 0.46 in pieces over 64 channels in
    bfloat16, 1.31 and 1.0 in float32. Not where gradients are wanted, whose operators don't write
    into given memory. On GPUs where cuDNN's kernel is there (:func:`narrow_values`): 2.0 ms
    instead of 2.7 for 16 objects on an H100.
    """
    if x.device.type == "cuda":
        return not masked and narrow_values(x.device, x.dtype)
    return _in_pieces(x)


def _in_pieces(x: Tensor) -> bool:
    if x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and not cpu_has_amx())


@functools.cache
def narrow_values(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether cuDNN attends with 256 channels in keys and 64 in values; torch's flash attention
    would fill values up."""
    if not torch.cuda.is_initialized():
        return False
    q, k, v = (torch.empty(1, 1, 64, width, device=device, dtype=dtype) for width in (256, 256, 64))
    with torch.inference_mode(False), sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        asked = torch.backends.cuda.SDPAParams(q, k, v, None, 0.0, False, False)
        return bool(torch.backends.cuda.can_use_cudnn_attention(asked))


def quickest(x: Tensor) -> AbstractContextManager:
    """Within it torch's attention prefers cuDNN's kernel where :func:`narrow_values` holds."""
    if x.device.type != "cuda" or not narrow_values(x.device, x.dtype):
        return nullcontext()
    others = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
    return sdpa_kernel([SDPBackend.CUDNN_ATTENTION, *others], set_priority=True)


def attend_in_pieces(
    q: Tensor, k: Tensor, v: Tensor, counted: int = 0, offset: float = 0.0
) -> Tensor:
    """Queries (N, L, C) on keys (N, K, C) with values (N, K, D), to (N, L, D), without gradients.

    ``offset`` is added to the scores of the first ``counted`` keys.

    The scores of some hundred queries at a time go to the same memory again and again, which is
    neither got nor given back in between. They are rounded to the dtype of the queries.
    """
    count, length, channels = q.shape
    # In one piece each, or every product would copy its part of the keys and values.
    q, k, v = q * channels**-0.5, k.contiguous().transpose(1, 2), v.contiguous()
    most = max(1, min(length, ROWS_AT_ONCE, SCORES_AT_ONCE // (count * k.shape[2])))
    rows = -(-length // -(-length // most))  # alike pieces, and no small one at the end
    memory = torch.empty((count, rows, k.shape[2]), dtype=q.dtype)
    found = torch.empty((count, length, v.shape[2]), dtype=q.dtype)
    for first in range(0, length, rows):
        piece = q[:, first : first + rows]
        scores = memory[:, : piece.shape[1]]
        torch.bmm(piece, k, out=scores)
        if counted:  # softmax doesn't see what is added to all
            scores[..., counted:].sub_(offset)
        torch.softmax(scores, -1, out=scores)
        torch.bmm(scores, v, out=found[:, first : first + rows])
    return found
