"""Whatever holds numbers, as a numpy array: the one door for what callers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2core.errors import PromptError


def as_array(values: Any, dtype: np.dtype | type | None = None) -> np.ndarray:
    """Arrays, tensors on any device, numbers, and lists of all these, as one numpy array.

    Tensors may need gradients and may be bfloat16, which numpy doesn't have and gets as float32.
    Nothing is copied that needn't be. Raises what numpy raises for ragged lists and for what
    holds no numbers (``ValueError``, ``TypeError``).
    """
    if isinstance(values, Tensor):
        tensor = values.detach().cpu()
        values = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    elif isinstance(values, (list, tuple)):
        values = [as_array(v) if isinstance(v, (Tensor, list, tuple)) else v for v in values]
    return np.asarray(values, dtype)


def as_numbers(values: Any, name: str) -> np.ndarray:
    """As :func:`as_array`, with ``PromptError`` for what holds no numbers, and for ragged lists."""
    try:
        array = as_array(values)
    except (TypeError, ValueError) as error:
        raise PromptError(f"{name} must be an array of numbers, got {values!r:.120}") from error
    if array.dtype.kind not in "buif":
        raise PromptError(f"{name} must be an array of numbers, got {values!r:.120}")
    return array
