"""From mask logits on a GPU to a frame's map, in tensors, with nothing waited for.

It is the contest of ``contest`` and the cleanup of ``cleanup``, pixel by pixel and all masks at
once; what the numbers decide stays on the device until the map is copied to the host. Connected
pieces come from a fixed number of rounds; where these don't suffice, or a gap can't be filled by
looking around each of its pixels, the map says so, and the host does that frame's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from panoptic.compose.cells import Axis
from panoptic.compose.cleanup import FREE, nearby

ROUNDS = 10
"""Of looking for connected pieces. Each hands numbers on to the neighbours of whole pieces, so that
a few suffice for what isn't a maze."""
_AT_ONCE = 1 << 24  # pixels of masks, 8 bytes each and some more
_LAST = 65535
_AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]


@dataclass(frozen=True)
class DeviceMap:
    """``owner`` (H, W) int16: a mask's number, or -1, or -2 - number where a gap was filled.

    ``whole`` and ``filled``, bool (), say whether all pieces were found, and whether all gaps are
    filled as the host would. All on the device.
    """

    owner: Tensor
    whole: Tensor
    filled: Tensor


def compose_on_device(
    steps: Tensor,
    per_logit: float,
    rounds: Sequence[tuple[Sequence[int], float]],
    size: tuple[int, int],
    least_pixels: float,
    min_fragment: float,
    seam: float,
    rounds_of_pieces: int = ROUNDS,
) -> DeviceMap:
    """``contest.settle``, ``drop_fragments`` and ``fill_gaps`` for masks (N, h, w), int8."""
    owner = settle_on_device(steps, per_logit, rounds, size, least_pixels)
    owner, whole = _without_crumbs(owner, len(steps), min_fragment, rounds_of_pieces)
    owner, found, filled = fill_on_device(owner, round(seam), rounds_of_pieces)
    return DeviceMap(owner, whole & found, filled)


def settle_on_device(
    steps: Tensor,
    per_logit: float,
    rounds: Sequence[tuple[Sequence[int], float]],
    size: tuple[int, int],
    least_pixels: float,
) -> Tensor:
    """``contest.settle``, int16 (H, W)."""
    owner = torch.full(size, FREE, dtype=torch.int16, device=steps.device)
    for members, least in rounds:
        if not len(members):
            continue
        free = owner == FREE
        # What has no cell above 0 takes no part, not even as stuff, which claims from below.
        stays = torch.stack([(steps[m] > 0).any() for m in members])
        for _ in range(2):
            won = _contest(steps, per_logit, members, least, size, stays)
            won = torch.where(free, won, FREE)
            counts = torch.zeros(len(members) + 1, dtype=torch.int64, device=steps.device)
            counts.scatter_add_(0, won.flatten() + 1, torch.ones_like(won).flatten())
            stays &= counts[1:] >= least_pixels
        numbers = torch.tensor([FREE, *members], dtype=torch.int16).to(
            steps.device, non_blocking=True
        )
        owner = torch.where(free, numbers[won + 1], owner)
    return owner


def _contest(
    steps: Tensor,
    per_logit: float,
    members: Sequence[int],
    least: float,
    size: tuple[int, int],
    stays: Tensor,
) -> Tensor:
    """Who of the members that stay has the highest claim (H, W), by rank, int64; -1 for nobody."""
    best = torch.zeros(size, dtype=torch.int64, device=steps.device)
    count = max(1, _AT_ONCE // (size[0] * size[1]))
    for start in range(0, len(members), count):
        part = members[start : start + count]
        ranks = torch.arange(start, start + len(part), device=steps.device)[:, None, None]
        logits = stretch(torch.stack([steps[m] for m in part]), size) / per_logit
        # As SciPy's expit in float32, in which the highest probabilities are equal.
        claims = 1 / (1 + torch.exp(-logits.double()).float())
        # The bits of a positive float are in the order of its value; of equal ones the first wins.
        keys = claims.view(torch.int32).long() * (_LAST + 1) + (_LAST - ranks)
        claimed = (logits > least) & stays[start : start + count, None, None]
        best = torch.maximum(best, torch.where(claimed, keys, 0).amax(0))
    return torch.where(best > 0, _LAST - best % (_LAST + 1), FREE)


def stretch(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """``resize_window`` of whole masks (N, h, w), to the bit: float32 (N, H, W)."""
    stretched = masks.float()
    for axis in (1, 2):
        low, high, parts = _axis(masks.shape[axis], size[axis - 1], str(masks.device))
        below, above = stretched.index_select(axis, low), stretched.index_select(axis, high)
        above -= below
        above *= parts[:, None] if axis == 1 else parts
        stretched = below.add_(above)
    return stretched


@lru_cache(maxsize=8)
def _axis(samples: int, pixels: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    axis = Axis.of(samples, pixels)
    parts = axis.parts[np.arange(pixels) - axis.first[axis.cell_of], axis.cell_of]
    low = torch.from_numpy(axis.cell_of)
    high = torch.from_numpy(axis.cell_of + axis.step[axis.cell_of])
    return low.to(device), high.to(device), torch.from_numpy(parts).to(device)


def pieces_on_device(
    labels: Tensor, background: int, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor]:
    """The connected piece of each pixel of a map (H, W), as the flat place of its first pixel,
    int64 (H, W), and whether the rounds sufficed, bool (). Diagonals connect; pixels of the
    ``background`` are alone.

    In each round a pixel, and the one that its number stands for, takes the lowest number around
    it; then numbers are followed to where they lead. (Y. Shiloach and U. Vishkin, "An O(log n)
    parallel connectivity algorithm", Journal of Algorithms 3, 1982.)
    """
    height, width = labels.shape
    numbers = torch.arange(height * width, device=labels.device).view(height, width)
    around = pad(labels, (1, 1, 1, 1), value=background)
    alike = [
        (d, (_seen(around, d, height, width) == labels) & (labels != background)) for d in _AROUND
    ]
    for _ in range(rounds):
        lowest = _lowest(numbers, alike).flatten()
        flat = numbers.flatten()
        flat = torch.minimum(flat, lowest).scatter_reduce(0, flat, lowest, "amin")
        numbers = flat[flat[flat]].view(height, width)
    return numbers, (_lowest(numbers, alike) == numbers).all()


def _lowest(numbers: Tensor, alike: Sequence[tuple[tuple[int, int], Tensor]]) -> Tensor:
    """The lowest number of each pixel and those around it that are ``alike``."""
    height, width = numbers.shape
    around, lowest = pad(numbers, (1, 1, 1, 1)), numbers
    for direction, same in alike:
        there = _seen(around, direction, height, width)
        lowest = torch.where(same, torch.minimum(lowest, there), lowest)
    return lowest


def _seen(
    around: Tensor, direction: tuple[int, int], height: int, width: int, by: int = 1
) -> Tensor:
    """What each pixel sees so many rows and columns on, of a map with a border ``by`` wide."""
    y, x = by + direction[0], by + direction[1]
    return around[y : y + height, x : x + width]


def _without_crumbs(
    owner: Tensor, count: int, min_pixels: float, rounds: int
) -> tuple[Tensor, Tensor]:
    """``drop_fragments`` for all of ``count`` groups, and whether all pieces were found."""
    piece, whole = pieces_on_device(owner, FREE, rounds)
    flat, ones = piece.flatten(), torch.ones(owner.numel(), dtype=torch.int64, device=owner.device)
    areas = torch.zeros_like(flat).scatter_add_(0, flat, ones)[flat]
    group = owner.flatten().long() + 1
    keys = areas * owner.numel() + (
        owner.numel() - 1 - flat
    )  # the largest, of equal ones the first
    largest = torch.zeros(count + 1, dtype=torch.int64, device=owner.device)
    largest = largest.scatter_reduce_(0, group, keys, "amax")
    crumb = (areas < min_pixels) & (keys != largest[group])
    return torch.where(crumb.view_as(owner), FREE, owner), whole


def fill_on_device(
    owner: Tensor, radius: int, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor, Tensor]:
    """``fill_gaps``: the map, whether all pieces were found, and whether all gaps are filled."""
    height, width = owner.shape
    if radius < 1:
        yes = torch.ones((), dtype=torch.bool, device=owner.device)
        return owner, yes, yes
    free = owner == FREE
    gaps = free & ~_wide(free, radius)
    piece, found = pieces_on_device(gaps.to(torch.int16), 0, rounds)
    rows = torch.arange(height, device=owner.device)[:, None].expand_as(owner)
    columns = torch.arange(width, device=owner.device).expand_as(owner)
    flat = piece.flatten()
    # The box around each pixel's gap, with a pixel to spare.
    top, left, bottom, right = (
        values.flatten().scatter_reduce(0, flat, values.flatten(), way)[flat].view_as(owner) + by
        for values, way, by in (
            (rows, "amin", -1), (columns, "amin", -1), (rows, "amax", 1), (columns, "amax", 1)
        )
    )  # fmt: skip
    around = nearby(radius)
    reach = max(x for _, x, _ in around)
    beyond = (reach,) * 4
    owners = pad(owner, beyond, value=FREE)
    pieces = pad(torch.where(gaps, piece, piece.numel()), beyond, value=piece.numel())
    filled, open = owner, gaps
    earlier = torch.zeros_like(gaps)
    for _, x, y in around:
        there = _seen(owners, (y, x), height, width, reach)
        inside = (rows + y >= top) & (rows + y <= bottom)
        inside &= (columns + x >= left) & (columns + x <= right)
        inside &= open
        earlier |= inside & (_seen(pieces, (y, x), height, width, reach) < piece)
        has = inside & (there != FREE)
        filled = torch.where(has, -2 - there, filled)
        open = open & ~has
    return filled, found, ~(earlier | open).any()


def _wide(mask: Tensor, radius: int) -> Tensor:
    """The parts of a mask (H, W) that a square of ``2 radius + 1`` pixels fits into."""

    def highest(values: Tensor) -> Tensor:
        values = pad(values[None, None], (radius,) * 4, mode="replicate")
        values = max_pool2d(values, (2 * radius + 1, 1), 1)
        return max_pool2d(values, (1, 2 * radius + 1), 1)[0, 0]

    core = -highest(-mask.float())
    return (highest(core) > 0) & mask
