"""What a model sees within masks, as vectors: to know a thing again without being told its word."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from sam2core.arrays import as_mask
from sam2core.errors import PromptError
from sam2core.image_embedding import ImageEmbedding

GRID = 12
"""Cells of an overview along each side: at 6 a mirrored view is nearer to a pan."""


def look_of(embedding: ImageEmbedding, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The look, float32 (c (c + 1) / 2,), of what a mask (H, W) shows of one picture: that of the
    finest image features (c channels of stride 4), see :func:`look_within`. ``PromptError`` for a
    mask of another size than the picture's."""
    mask = as_mask(mask, "mask")
    if mask.shape != size:
        raise PromptError(f"mask must be {size} (height, width), got {mask.shape}")
    # On the CPU and in double precision, so that equal pictures look equal on every device.
    fine = embedding.fine[0][0].float().cpu().numpy()
    return look_within(fine, shares_of(mask, fine.shape[1:]))


def look_within(features: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The look of features (c, h, w) in cells of which so much is meant, ``shares`` (h, w).

    It is a vector of length 1 (zeros where nothing is meant), so that the product of two is 1 for
    what looks the same: the square root of the covariance of the features. What varies together
    within a thing says more of it than the mean does, which light and background shift
    (second-order pooling, Carreira et al. 2012; its matrix square root, Lin and Maji 2017).
    """
    # What is beside the diagonal stands there twice.
    rows, columns = np.triu_indices(len(features))
    flat = _root(features, shares)[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))
    norm = np.linalg.norm(flat)
    return (flat / (norm or 1.0)).astype(np.float32)


def shares_of(mask: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """The share of each cell of a grid that a mask (H, W) covers, float32."""
    pixels = torch.from_numpy(np.ascontiguousarray(mask))[None, None].float()
    return F.interpolate(pixels, size=grid, mode="area")[0, 0].numpy()


def overview_of(embedding: ImageEmbedding, grid: int = GRID) -> np.ndarray:
    """The image features of one picture, coarse: float32 (dim, ``grid``, ``grid``), of stride 16
    before."""
    features = embedding.features[:1].float()
    return F.adaptive_avg_pool2d(features, grid)[0].cpu().numpy()


def _root(features: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The square root (c, c) of the covariance."""
    rows, columns = np.flatnonzero(shares.any(axis=1)), np.flatnonzero(shares.any(axis=0))
    if not len(rows):
        return np.zeros((len(features), len(features)))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    weights = (shares[box] / shares.sum()).ravel().astype(np.float64)
    seen = features[:, box[0], box[1]].reshape(len(features), -1).astype(np.float64)
    seen = seen - (seen @ weights)[:, None]
    values, vectors = np.linalg.eigh((seen * weights) @ seen.T)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
