"""The Triton kernel of :mod:`sam2core.joined_keys`; torch's builds for CUDA bring Triton along."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def join(
    places,
    ages,
    timed,
    found,
    skipped,
    slots,
    size,
    stride,
    BLOCK: tl.constexpr,
):
    """Program (m, b): numbers b*BLOCK and up of the m-th memory's keys, those of its age added.

    ``places`` are addresses of memories, of which ``skipped`` numbers are passed over and ``size``
    are taken; each of ``slots`` memories of an object goes to its place among the object's
    ``stride`` numbers of ``found``.
    """
    memory = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    kept = tl.load(places + memory).to(found.dtype) + skipped
    own = tl.load(kept + at, mask=inside)
    age = tl.load(ages + memory).to(tl.int64)
    added = tl.load(timed + age * size + at, mask=inside)
    total = own.to(tl.float32) + added.to(tl.float32)
    first = (memory // slots).to(tl.int64) * stride + (memory % slots) * size
    tl.store(found + first + at, total.to(found.dtype.element_ty), mask=inside)
