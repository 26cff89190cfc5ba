"""Prompts for training SAM 2: boxes, points and clicks on errors, drawn from exact masks.

Coordinates are pixels (x, y) of the scene; labels as in :mod:`sam2core.prompt_encoder`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2core import Prompt
from sam2core.prompt_encoder import BOTTOM_RIGHT, NEGATIVE, PADDING, POSITIVE, TOP_LEFT

Points = list[tuple[float, float, int]]
MAX_POINTS = 16


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a non-empty mask (H, W); the last two are exclusive."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_points(box: Sequence[float] | np.ndarray) -> Points:
    left, top, right, bottom = (float(side) for side in box)
    return [(left, top, TOP_LEFT), (right, bottom, BOTTOM_RIGHT)]


def jitter_box(
    box: Sequence[float] | np.ndarray, rng: np.random.Generator, share: float, size: tuple[int, int]
) -> np.ndarray:
    """Shift each side by a normal ``share`` of the box's own size (at most twice that)."""
    sides = np.asarray(box, float)
    reach = np.tile(sides[2:] - sides[:2], 2)
    moved = sides + np.clip(rng.normal(0, share, 4), -2 * share, 2 * share) * reach
    return np.clip(moved, 0, np.tile(size[::-1], 2))


def inner_points(
    mask: np.ndarray, rng: np.random.Generator, count: int, label: int = POSITIVE
) -> Points:
    """``count`` random pixels of a mask; fewer where it is empty."""
    where = np.flatnonzero(mask)
    if not len(where):
        return []
    chosen = rng.choice(where, count)
    ys, xs = np.divmod(chosen, mask.shape[1])
    return [(float(x), float(y), label) for x, y in zip(xs, ys, strict=True)]


def middle_point(mask: np.ndarray) -> tuple[float, float]:
    """The pixel (x, y) of a mask that is farthest from its edge; the picture's rim is an edge."""
    from scipy.ndimage import distance_transform_edt

    left, top, right, bottom = box_of(mask)
    depth = distance_transform_edt(np.pad(mask[top:bottom, left:right], 1))[1:-1, 1:-1]
    y, x = np.unravel_index(np.argmax(depth), depth.shape)
    return float(left + x), float(top + y)


def spread_points(
    mask: np.ndarray, rng: np.random.Generator, count: int, label: int = POSITIVE
) -> Points:
    """``count`` pixels of a mask far from each other: each the farthest of some random ones."""
    candidates = np.array(inner_points(mask, rng, 4 * count, label)).reshape(-1, 3)[:, :2]
    if not len(candidates):
        return []
    chosen = [candidates[0]]
    nearest = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((candidates - chosen[-1]) ** 2).sum(1))
        chosen.append(candidates[nearest.argmax()])
    return [(float(x), float(y), label) for x, y in chosen]


def thing_prompt(mask: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> Points:
    """A random prompt for a thing: box, jittered box, one point, several, box and point.

    ``others`` (H, W) is where the other things are.
    """
    kind = rng.random()
    box = box_of(mask)
    if kind < 0.15:
        return box_points(box)
    if kind < 0.45:
        return box_points(jitter_box(box, rng, rng.choice([0.03, 0.06, 0.1]), mask.shape))
    if kind < 0.75:
        if rng.random() < 0.3:
            return [(*middle_point(mask), POSITIVE)]
        return inner_points(mask, rng, 1)
    if kind < 0.92:
        negatives = others if rng.random() < 0.5 else ~mask
        return inner_points(mask, rng, int(rng.integers(1, 5))) + inner_points(
            negatives, rng, int(rng.integers(0, 4)), NEGATIVE
        )
    return box_points(jitter_box(box, rng, 0.05, mask.shape)) + inner_points(mask, rng, 1)


def stuff_prompt(mask: np.ndarray, rng: np.random.Generator) -> Points:
    """A random prompt for a region of stuff: mostly many spread points, some where it isn't."""
    if rng.random() < 0.15:
        return inner_points(mask, rng, 1)
    points = spread_points(mask, rng, int(rng.integers(3, 11)))
    if rng.random() < 0.6:
        points += spread_points(~mask, rng, int(rng.integers(1, 6)), NEGATIVE)
    return points


def empty_box(free: np.ndarray, rng: np.random.Generator) -> Points | None:
    """A box in which nothing but stuff is seen, ``free`` (H, W); None if a few tries find none."""
    height, width = free.shape
    for _ in range(6):
        h, w = (int(rng.uniform(0.1, 0.4) * side) for side in free.shape)
        y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        if free[y : y + h, x : x + w].all():
            return box_points((x, y, x + w, y + h))
    return None


def as_prompt(prompts: Sequence[Points], scale: tuple[float, float], count: int) -> Prompt:
    """Prompts of different lengths as one, padded to ``count`` points, times (x, y) scale."""
    points = np.zeros((len(prompts), count, 2), np.float32)
    labels = np.full((len(prompts), count), PADDING, np.int64)
    for row, prompt in enumerate(prompts):
        for column, (x, y, label) in enumerate(prompt[:count]):
            points[row, column] = x * scale[0], y * scale[1]
            labels[row, column] = label
    return Prompt(torch.from_numpy(points), torch.from_numpy(labels))


def correction(
    prompt: Prompt, logits: Tensor, truth: Tensor, generator: torch.Generator | None = None
) -> Prompt:
    """The prompt with one click more where the answer is wrong, and with the answer itself.

    ``logits`` (N, 1, h, w) are the answer, ``truth`` (N, h, w) soft masks on the same grid. The
    click is a random cell of the error, more likely one deep inside it.
    """
    side = truth.shape[-1]
    right = truth > 0.5
    wrong = ((logits[:, 0] > 0) != right).float()
    depth = F.avg_pool2d(wrong[:, None], 5, 1, 2)[:, 0] * wrong
    # Where all is right any cell will do: the click then only confirms.
    weights = depth.flatten(1) ** 3 + 1e-6
    cell = torch.multinomial(weights.cpu(), 1, generator=generator).to(truth.device)
    label = torch.where(right.flatten(1).gather(1, cell), POSITIVE, NEGATIVE)
    xy = torch.cat((cell % side, cell // side), 1).float()
    click = (xy + 0.5) * 4 - 0.5  # the prompt encoder adds the half pixel again
    return Prompt(
        torch.cat((prompt.points, click[:, None]), 1),
        torch.cat((prompt.labels, label), 1),
        logits.detach().clamp(-32, 32),
    )
