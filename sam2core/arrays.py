"""Whatever holds numbers, as a numpy array: the one door for what callers give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def as_mask(values: Any, name: str) -> np.ndarray:
    """What is inside, as a bool array: of booleans, of 0 and 1, or of 0 and 255 as pictures have.

    Raises ``PromptError`` for anything else: what of probabilities, logits or a map of ids is
    inside, only the caller can say.
    """
    array = as_numbers(values, name)
    if array.dtype.kind == "b":
        return array
    inside = array != 0
    if any(((array == value) == inside).all() for value in (1, 255)):
        return inside
    found = np.unique(array[inside])
    if np.isnan(found).any():
        kind, todo = "values that are not numbers (nan)", "look where they come from"
    elif (found < 0).any():
        kind, todo = "negative values, as logits have", f"give {name} > 0"
    elif array.dtype.kind == "f" and (found < 1).any():
        kind, todo = "values between 0 and 1, as probabilities have", f"give {name} > 0.5"
    else:
        kind, todo = "several values, as a map of ids has", f"give {name} == ID"
    shown = ", ".join(f"{value:g}" for value in found[:3])
    raise PromptError(f"{name} must be of 0 and 1, or of booleans; it has {kind} ({shown}): {todo}")


def as_id(value: Any, name: str = "an object id") -> int:
    """A whole number, of Python or numpy; ``PromptError`` for others, ``True`` and 1.0 included."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        return int(value)
    raise PromptError(f"{name} must be a whole number, got {value!r:.80} ({type(value).__name__})")


def as_index(value: Any, name: str) -> int | None:
    """As :func:`as_id`, of something that may be left open."""
    return None if value is None else as_id(value, name)


def masks_by_id(masks: Mapping[Any, Any], size: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Masks of one frame's size, by id: as :func:`as_mask` and :func:`as_id` take them."""
    given = {as_id(i): as_mask(mask, f"mask {i}") for i, mask in masks.items()}
    if wrong := [mask.shape for mask in given.values() if mask.shape != size]:
        raise PromptError(f"masks must have the frame's size {size}, got {wrong[0]}")
    return given


def masks_of(object_ids: Sequence[int], masks: Any, size: tuple[int, int]) -> np.ndarray:
    """Masks (N, H, W), one of the frame's size for each of the objects, no two of one id; else
    ``PromptError``."""
    masks = as_mask(masks, "masks")
    if masks.ndim != 3 or len(masks) != len(object_ids):
        raise PromptError(f"masks must be (N, H, W) with N = {len(object_ids)}, got {masks.shape}")
    if masks.shape[1:] != size:
        raise PromptError(f"masks must have the frame's size {size}, got {masks.shape[1:]}")
    if len(set(object_ids)) != len(object_ids):
        raise PromptError(f"an object id stands twice in {list(object_ids)}")
    return masks
