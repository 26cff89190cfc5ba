"""Multi-scale deformable attention (Deformable DETR, arXiv 2010.04159, section 4.1).

A query looks at a few places of each feature map, which it chooses itself, and adds up what is
there. As usually written, that is ``grid_sample`` on a copy of every map for each head, a stack of
all that was sampled, and a product with the weights: on a CPU mostly copies. Here a place is four
rows of one table of values, weighted by how near they are, so that a query's whole answer is one
weighted sum of rows, which is what ``embedding_bag`` computes, and nothing is stored in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

QUERIES_AT_ONCE = 512
"""Queries that a CPU takes through a layer together: what is computed of them stays in its cache.
On 17,821 tokens a feed-forward of 256 to 2048 channels runs at 78 GFLOP/s a core in one piece and
at 90 in pieces of 512."""

_EDGE = 3  # cells around a map: one before it and two behind it


@dataclass(frozen=True)
class Maps:
    """Where feature maps lie among the N tokens that they make together, the finest first.

    ``shapes`` are (height, width) of the L maps.
    """

    shapes: tuple[tuple[int, int], ...]

    @property
    def tokens(self) -> int:
        return sum(height * width for height, width in self.shapes)

    @property
    def cells(self) -> int:
        """The tokens, and the empty cells that :meth:`with_edges` puts around the maps."""
        return sum((height + _EDGE) * (width + _EDGE) for height, width in self.shapes)

    def sizes(self, like: Tensor) -> Tensor:
        """(L, 2) as (width, height), of the device of ``like``, float32."""
        return torch.tensor([(w, h) for h, w in self.shapes], device=like.device).float()

    def with_edges(self, values_nc: Tensor) -> Tensor:
        """Values (N, C) with cells of zeros around each map, (cells, C): what is outside is
        nothing, and needn't be asked about."""
        table = values_nc.new_zeros(self.cells, values_nc.shape[1])
        first = token = 0
        for height, width in self.shapes:
            rows, columns = height + _EDGE, width + _EDGE
            place = table[first : first + rows * columns].view(rows, columns, -1)
            place[1 : height + 1, 1 : width + 1] = values_nc[token : token + height * width].view(
                height, width, -1
            )
            first, token = first + rows * columns, token + height * width
        return table


class RowTable:
    """Values (N, C) of one picture, to be looked up between their tokens, head by head.

    Heads share the channels in H equal parts. float32.
    """

    def __init__(self, values_nc: Tensor, maps: Maps, heads: int, points: int) -> None:
        self.rows = maps.with_edges(values_nc.float()).view(maps.cells * heads, -1)
        first, before = [], 0
        for height, width in maps.shapes:
            first.append(before + width + _EDGE + 1)  # the map's own first cell
            before += (height + _EDGE) * (width + _EDGE)
        widths = [width + _EDGE for _, width in maps.shapes]

        def a_place(numbers: list[int], dtype: torch.dtype) -> Tensor:
            """A number for each level as a row (H * L * P) that places can be added to."""
            row = torch.tensor(numbers, dtype=dtype, device=values_nc.device)
            return row[None, :, None].expand(heads, -1, points).reshape(-1)

        real, whole = torch.float32, torch.int32
        self._first, self._width = a_place(first, real), a_place(widths, real)
        self._last_x = a_place([width for _, width in maps.shapes], real)
        self._last_y = a_place([height for height, _ in maps.shapes], real)
        self._before = self._first.new_full((), -1.0)
        levels = len(maps.shapes)
        around = [[0] * levels, [1] * levels, widths, [width + 1 for width in widths]]
        corners = [a_place(each, whole).view(heads, -1) * heads for each in around]
        head = torch.arange(heads, dtype=whole, device=values_nc.device)[:, None]
        self._corners = torch.stack([corner + head for corner in corners], dim=1)  # (H, 4, L * P)

    def sums(self, x_qhlp: Tensor, y_qhlp: Tensor, weights_qhlp: Tensor) -> Tensor:
        """Weighted sums (Q, C) of what is at places.

        ``x`` and ``y`` (Q, H, L, P) are in cells of each map, 0 in the middle of its first;
        between cells values are bilinear, outside of the map they are zero. ``weights`` are as
        many.
        """
        queries, heads = x_qhlp.shape[:2]
        # A place beyond the edge is as good as one on the empty cell next to it. What is no number
        # ends there too: it may not become an address.
        x = torch.fmax(x_qhlp.reshape(queries, -1), self._before)
        y = torch.fmax(y_qhlp.reshape(queries, -1), self._before)
        x, y = torch.fmin(x, self._last_x), torch.fmin(y, self._last_y)
        left, top = x.floor(), y.floor()
        x, y = x.sub_(left), y.sub_(top)  # how far they are on the way to the next cell
        # Cells are counted in float32, which is exact up to 16 million.
        cell = top.mul_(self._width).add_(left).add_(self._first).to(torch.int32).mul_(heads)
        index = cell.view(queries, heads, 1, -1) + self._corners
        weights = weights_qhlp.reshape(queries, -1)
        right = weights * x
        left = weights - right
        low_left, low_right = left * y, right * y
        shares = torch.stack(
            [
                each.view(queries, heads, -1)
                for each in (left - low_left, right - low_right, low_left, low_right)
            ],
            dim=2,
        )
        bags = queries * heads
        found = F.embedding_bag(
            index.view(bags, -1),
            self.rows,
            per_sample_weights=shares.view(bags, -1),
            mode="sum",
        )
        return found.view(queries, -1)


def sample_grids(
    values_nc: Tensor, maps: Maps, x_qhlp: Tensor, y_qhlp: Tensor, weights_qhlp: Tensor
) -> Tensor:
    """As :meth:`RowTable.sums` of these values, by ``grid_sample``, whose kernels are fast on
    GPUs."""
    queries, heads = x_qhlp.shape[:2]
    total = values_nc.new_zeros((), dtype=torch.float32)
    token = 0
    for level, (height, width) in enumerate(maps.shapes):
        values = values_nc[token : token + height * width].float()
        token += height * width
        values = values.view(height, width, heads, -1).permute(2, 3, 0, 1)
        x = (2 * x_qhlp[:, :, level] + 1) / width - 1
        y = (2 * y_qhlp[:, :, level] + 1) / height - 1
        grid = torch.stack([x, y], dim=-1).transpose(0, 1)  # (H, Q, P, 2)
        found = F.grid_sample(values, grid, align_corners=False)  # (H, C/H, Q, P)
        shares = weights_qhlp[:, :, level].transpose(0, 1)[:, None]  # (H, 1, Q, P)
        total = total + (found * shares).sum(dim=-1)
    return total.permute(2, 0, 1).reshape(queries, -1)


class DeformableAttention:
    """One layer of it, on the weights of a module of transformers.

    The module has ``sampling_offsets``, ``attention_weights``, ``value_proj`` and
    ``output_proj``, linear layers all, with ``n_heads``, ``n_levels`` and ``n_points``.
    """

    def __init__(self, module: Any) -> None:
        self.module = module

    def values(self, tokens_nc: Tensor, padding_n: Tensor | None) -> Tensor:
        """What can be seen of the tokens (N, C); of padding nothing."""
        values = _in_pieces(self.module.value_proj, tokens_nc)
        return values if padding_n is None else values.masked_fill(padding_n[:, None], 0.0)

    def places(
        self, queries_qc: Tensor, centers_ql2: Tensor, reach_ql2: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where queries (Q, C) look, x and y (Q, H, L, P) in cells, and how much each counts.

        ``centers`` (Q, L, 2) are where they are themselves, in cells; ``reach`` (Q, L, 2) is what
        their offsets are counted in, by default cells.
        """
        own = self.module
        shape = (len(queries_qc), own.n_heads, own.n_levels, own.n_points)
        count = own.n_heads * own.n_levels * own.n_points
        # x and y, which the layer gives by turns, are brought apart in its weights.
        offsets, shares = own.sampling_offsets, own.attention_weights
        weight = torch.cat([offsets.weight[0::2], offsets.weight[1::2], shares.weight])
        bias = torch.cat([offsets.bias[0::2], offsets.bias[1::2], shares.bias])
        found = F.linear(queries_qc, weight, bias).float()
        x, y = (found[:, i * count : (i + 1) * count].view(shape) for i in (0, 1))
        x0, y0 = (centers_ql2[:, None, :, None, i] for i in (0, 1))
        if reach_ql2 is None:
            x, y = x + x0, y + y0
        else:
            x, y = (
                torch.addcmul(start, step, reach_ql2[:, None, :, None, i])
                for i, (start, step) in enumerate(((x0, x), (y0, y)))
            )
        weights = found[:, 2 * count :].view(shape[0], own.n_heads, -1).softmax(-1)
        return x, y, weights.view(shape)


def _in_pieces(layer: Any, x_nc: Tensor) -> Tensor:
    if x_nc.device.type != "cpu" or torch.compiler.is_compiling():
        return layer(x_nc)
    return torch.cat([layer(piece) for piece in x_nc.split(QUERIES_AT_ONCE)])
