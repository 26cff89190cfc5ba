"""The one place where pixels become model coordinates, and masks become pixels again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from sam2core.arrays import as_array, as_numbers
from sam2core.errors import PromptError
from sam2core.layers import resize
from sam2core.prompt_encoder import BOTTOM_RIGHT, PADDING, TOP_LEFT, Prompt

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

LOGIT_LIMIT = 32.0
"""Earlier logits are cut to +- this before they refine a mask; larger ones say nothing more."""

Picture = np.ndarray | Tensor | Image.Image | str | os.PathLike


def as_rgb(picture: Picture) -> np.ndarray:
    """A picture as RGB uint8 (H, W, 3).

    Takes uint8 arrays (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), such tensors on any device, PIL
    images and paths. Grey is repeated in three channels, what is transparent is put on white, EXIF
    rotation is applied. ``ValueError`` for anything else: more than 8 bits have no one way to
    become 8 (``panoptic.load_image`` has several).
    """
    if isinstance(picture, (str, os.PathLike)):
        try:
            with Image.open(picture) as opened:
                return as_rgb(opened)
        except FileNotFoundError as error:
            raise ValueError(f"{picture}: no such picture") from error
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"{picture}: can't be read as a picture ({error})") from error
    if isinstance(picture, Image.Image):
        if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
            raise ValueError(
                f"a picture of mode {picture.mode!r} has more than 8 bits; give it as uint8, which "
                "panoptic.load_image makes of it"
            )
        upright = ImageOps.exif_transpose(picture)
        if upright.has_transparency_data:
            return as_rgb(np.asarray(upright.convert("RGBA")))
        return np.asarray(upright.convert("RGB"))
    array = as_array(picture)
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(
            f"a picture must be a uint8 array (H, W, 3), channels last, or (H, W) grey or "
            f"(H, W, 4) with alpha; got {array.dtype} {array.shape}"
        )
    if 0 in array.shape:
        raise ValueError(f"a picture must have at least one pixel, got shape {array.shape}")
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        alpha = array[..., 3:].astype(np.uint16)
        array = ((array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(array)


def to_pixels(picture: np.ndarray, size: int) -> Tensor:
    """RGB uint8 (H, W, 3) to normalised pixels (1, 3, size, size).

    The picture is squeezed into the square without keeping its aspect, as in training.
    """
    pixels = torch.from_numpy(np.array(picture, copy=True)).permute(2, 0, 1)[None].float() / 255
    pixels = resize(pixels, (size, size), antialias=True)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (pixels - mean) / std


def to_masks(logits: Tensor, height: int, width: int) -> Tensor:
    """Mask logits (N, M, h, w) to bool masks (N, M, height, width)."""
    return resize(logits, (height, width)) > 0


def to_prompt(
    height: int,
    width: int,
    image_size: int,
    points: Any = None,
    labels: Any = None,
    boxes: Any = None,
    mask_logits: Any = None,
) -> Prompt:
    """Prompts in pixels of a (height, width) picture to the model's coordinates, on the CPU.

    ``points`` is (N, K, 2) as (x, y), (K, 2) for one prompt, or a list of N arrays (K_i, 2);
    ``labels`` alike without the 2: 1 positive (the default), 0 negative, -1 padding. ``boxes``
    is (N, 4) or (4,), xyxy; what of it lies outside of the picture is cut off. ``mask_logits``
    is (N, h, w) or (h, w), from an earlier answer, and cut to +-``LOGIT_LIMIT``. What is given
    must agree in N. Each may be an array, a list, or a tensor on any device.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    logits = None
    if labels is not None and points is None:
        raise PromptError("labels were given without points")
    if boxes is not None:
        parts.append(_corners(boxes, height, width))
    if points is not None:
        parts.append(_points(points, labels, height, width))
    if mask_logits is not None:
        logits = _logits(mask_logits)
    counts = {len(p) for p, _ in parts} | ({len(logits)} if logits is not None else set())
    if not counts:
        raise PromptError("a prompt needs points, boxes or mask_logits; none was given")
    if len(counts) > 1:
        raise PromptError(f"points, boxes and mask_logits must agree in number, got {counts}")
    if not parts:
        empty = Prompt.empty(counts.pop(), torch.device("cpu"))
        return Prompt(empty.points, empty.labels, logits)
    scale = torch.tensor([image_size / width, image_size / height])
    all_points = torch.cat([p for p, _ in parts], dim=1) * scale
    return Prompt(all_points, torch.cat([label for _, label in parts], dim=1), logits)


def _logits(mask_logits: Any) -> Tensor:
    given = as_numbers(mask_logits, "mask_logits")
    if given.ndim not in (2, 3):
        raise PromptError(f"mask_logits must be (N, h, w) or (h, w), got {given.shape}")
    if given.dtype.kind != "f":
        raise PromptError(
            f"mask_logits must be logits as an answer has them, got {given.dtype}: a mask of 0 and "
            "1 becomes some by 20 * mask - 10"
        )
    if not np.isfinite(given).all():
        raise PromptError("mask_logits hold values that are not finite")
    if given.size and given.min() >= 0 and 0 < given.max() <= 1:
        raise PromptError(
            "mask_logits lie between 0 and 1, as probabilities do: give log(p / (1 - p)), or the "
            "logits that an answer has"
        )
    logits = torch.from_numpy(given.astype(np.float32)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    return logits[None, None] if logits.ndim == 2 else logits[:, None]


def _corners(boxes: Any, height: int, width: int) -> tuple[Tensor, Tensor]:
    given = as_numbers(boxes, "boxes")
    xyxy = torch.from_numpy(given.astype(np.float32))
    xyxy = xyxy[None] if xyxy.ndim == 1 else xyxy
    if xyxy.ndim != 2 or xyxy.shape[1] != 4:
        raise PromptError(f"boxes must be (N, 4) or (4,) as xyxy, got {given.shape}")
    limit = torch.tensor([width, height, width, height], dtype=torch.float32)
    inside = torch.minimum(xyxy.clamp(min=0), limit)
    bad = ~((inside[:, 2:] > inside[:, :2]).all(dim=1) & xyxy.isfinite().all(dim=1))
    if bad.any():
        raise PromptError(
            f"boxes must be xyxy with x1 < x2 and y1 < y2 and meet the picture of {width} x "
            f"{height} pixels; got {xyxy[bad][:3].tolist()}"
        )
    corners = torch.tensor([TOP_LEFT, BOTTOM_RIGHT]).expand(len(xyxy), 2)
    return inside.view(-1, 2, 2), corners


def _points(points: Any, labels: Any, height: int, width: int) -> tuple[Tensor, Tensor]:
    rows = _rows(points, 2, "points")
    label_rows: list[np.ndarray] = (
        [np.ones(len(r), dtype=np.int64) for r in rows]
        if labels is None
        else [_kinds(r[:, 0]) for r in _rows(labels, 1, "labels")]
    )
    if [len(r) for r in rows] != [len(r) for r in label_rows]:
        raise PromptError(
            f"every point needs one label; got {[len(r) for r in rows][:10]} points and "
            f"{[len(r) for r in label_rows][:10]} labels"
        )
    longest = max((len(r) for r in rows), default=0)
    xy = np.zeros((len(rows), longest, 2), dtype=np.float32)
    kind = np.full((len(rows), longest), PADDING, dtype=np.int64)
    for i, (row, label_row) in enumerate(zip(rows, label_rows, strict=True)):
        xy[i, : len(row)], kind[i, : len(row)] = row, label_row
    unknown = set(np.unique(kind)) - {PADDING, 0, 1}
    if unknown:
        raise PromptError(
            f"labels must be 1 (positive), 0 (negative) or -1 (padding), got {sorted(unknown)}; "
            f"boxes are given as boxes"
        )
    inside = (xy >= 0).all(-1) & (xy <= (width, height)).all(-1)
    outside = ~inside & (kind != PADDING)
    if outside.any():
        raise PromptError(
            f"points must lie in the picture of {width} x {height} pixels, as (x, y); got "
            f"{xy[outside][:3].tolist()}"
        )
    if not (kind != PADDING).any(axis=1).all():
        raise PromptError("every prompt needs at least one point that is not padding")
    return torch.from_numpy(xy), torch.from_numpy(kind)


def _kinds(labels: np.ndarray) -> np.ndarray:
    kinds = np.where(np.isfinite(labels), labels, -2).astype(np.int64)
    if (kinds != labels).any():
        raise PromptError(f"labels must be whole numbers, got {labels[kinds != labels][:3]}")
    return kinds


def _rows(values: Any, width: int, name: str) -> list[np.ndarray]:
    """N arrays (K_i, width) from one array or from a ragged list."""
    depth = 3 if width == 2 else 2
    try:
        array = as_array(values, np.float32)
        rows = list(array) if array.ndim == depth else [array]
    except (TypeError, ValueError):  # ragged, or no numbers at all
        parts = values if isinstance(values, Iterable) else [values]
        rows = [as_numbers(part, name).astype(np.float32) for part in parts]
    if width == 1:
        rows = [row[:, None] if row.ndim == 1 else row for row in rows]
    if not rows or any(row.ndim != 2 or row.shape[1] != width for row in rows):
        expected = "(N, K, 2), (K, 2) or N times (K, 2)" if width == 2 else "(N, K) or (K,)"
        raise PromptError(f"{name} must be {expected}, got {values!r:.120}")
    return rows
