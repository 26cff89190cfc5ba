"""Hiera: a hierarchical vision transformer with windowed attention.

Paper: arXiv 2306.00989; absolute positions in windows: arXiv 2311.05613.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2core.attention_kernels import attend
from sam2core.config import Sam2Config
from sam2core.layers import Mlp
from sam2core.linear import Linear

TOKENS_AT_ONCE = 4096
"""Tokens that a CPU takes through a block together, if windows are no larger."""


def to_windows(x: Tensor, size: int) -> Tensor:
    """(B, H, W, C) to windows (B * rows * columns, size, size, C), padded with zeros."""
    batch, height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
    rows, columns = x.shape[1] // size, x.shape[2] // size
    x = x.view(batch, rows, size, columns, size, channels).transpose(2, 3)
    # In one piece: of a single row of windows there is a view, which linear layers are slow on.
    return x.reshape(-1, size, size, channels).contiguous()


def from_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Undo :func:`to_windows` for a map of height x width (padding is cut off)."""
    size = windows.shape[1]
    rows, columns = -(-height // size), -(-width // size)
    x = windows.view(-1, rows, columns, size, size, windows.shape[-1]).transpose(2, 3)
    return x.reshape(-1, rows * size, columns * size, windows.shape[-1])[:, :height, :width]


def pool(x: Tensor) -> Tensor:
    """Maximum over 2 x 2 cells of a (B, H, W, C) map."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def in_bands(compute: Callable[[Tensor], Tensor], x: Tensor, height: int) -> Tensor:
    """``compute`` of a (B, H, W, C) map, band by band on a CPU: bands are multiples of ``height``.

    For what no band needs of the others. A band of some thousand tokens stays in a core's cache all
    the way through a block, where a whole map of 65,536 is written out after every step.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return compute(x)
    bands = max(1, TOKENS_AT_ONCE // (height * x.shape[0] * x.shape[2]))
    parts = [compute(band) for band in x.split(bands * height, dim=1)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class PooledAttention(nn.Module):
    """Self-attention whose queries may be pooled by two, which halves the resolution."""

    def __init__(self, dim: int, out_dim: int, heads: int, pooled: bool) -> None:
        super().__init__()
        self.heads = heads
        self.pooled = pooled
        self.qkv = Linear(dim, 3 * out_dim)
        self.out = Linear(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) to (N, H, W, C'), or to (N, H/2, W/2, C') where pooled."""
        n, height, width, _ = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.pooled:
            q = pool(q)
            height, width = q.shape[1:3]
        q, k, v = (t.reshape(n, -1, self.heads, t.shape[-1] // self.heads) for t in (q, k, v))
        y = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)
        return self.out(y.reshape(n, height, width, -1))


class Block(nn.Module):
    """Attention in windows of ``window`` tokens (0: global) and an MLP."""

    def __init__(
        self, dim: int, out_dim: int, heads: int, window: int, pooled: bool, mlp_ratio: float
    ) -> None:
        super().__init__()
        self.window = window
        self.pooled = pooled
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = PooledAttention(dim, out_dim, heads, pooled)
        self.norm2 = nn.LayerNorm(out_dim, eps=1e-6)
        self.mlp = Mlp((out_dim, int(out_dim * mlp_ratio), out_dim), gelu=True)
        self.shortcut = Linear(dim, out_dim) if dim != out_dim else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C'), or to (B, H/2, W/2, C') where pooled."""
        if self.window == 0:
            x = self._attended(x)
            return in_bands(self._transformed, x, 1)
        return in_bands(lambda band: self._transformed(self._attended(band)), x, self.window)

    def _attended(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        if self.shortcut is not None:
            x = self.shortcut(y)
            x = pool(x) if self.pooled else x
        return x + self._attend(y, x.shape[1], x.shape[2])

    def _transformed(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm2(x))

    def _attend(self, y: Tensor, out_height: int, out_width: int) -> Tensor:
        # A map that is a single window already needs no moving about.
        if self.window == 0 or y.shape[1] == y.shape[2] == self.window:
            return self.attention(y)
        windows = self.attention(to_windows(y, self.window))
        return from_windows(windows, out_height, out_width)


class Hiera(nn.Module):
    """Pixels to four maps of strides 4, 8, 16 and 32."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dims, first_window = config.stage_dims, config.window_sizes[0]
        self.patch = nn.Conv2d(3, dims[0], kernel_size=7, stride=4, padding=3)
        self.position = nn.Parameter(torch.zeros(1, dims[0], *config.position_size))
        self.window_position = nn.Parameter(torch.zeros(1, dims[0], first_window, first_window))
        self.blocks = nn.ModuleList(
            Block(*arguments, config.mlp_ratio) for arguments in _block_plan(config)
        )
        self.stage_ends = [sum(config.blocks[: i + 1]) - 1 for i in range(4)]
        self._cached_positions: tuple[tuple, Tensor] | None = None

    def forward(self, pixels: Tensor, positions: Tensor | None = None) -> list[Tensor]:
        """Normalised pixels (B, 3, S, S) to maps (B, C, H, W), finest first."""
        return self.encode(pixels, self.positions(pixels) if positions is None else positions)

    def positions(self, pixels: Tensor) -> Tensor:
        """The positions (1, H, W, C) of pixels' patches."""
        height, width = (-(-side // 4) for side in pixels.shape[2:])
        return self._positions(height, width)

    def encode(self, pixels: Tensor, positions: Tensor) -> list[Tensor]:
        """:meth:`forward`, given the positions (1, H, W, C)."""
        if pixels.device.type == "cpu":
            # Then so is what comes out, where it stood channel by channel; in half of the time.
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        x = self.patch(pixels).permute(0, 2, 3, 1)
        # A map that stands channel by channel would stay so to the end.
        x = (x + positions.to(x.dtype)).contiguous()
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.stage_ends:
                maps.append(x.permute(0, 3, 1, 2))
        return maps

    def _positions(self, height: int, width: int) -> Tensor:
        """Interpolated positions plus the tiled ones inside a window, (1, H, W, C)."""
        # The interpolation costs as much as a block on a CPU; weights seldom change.
        trained = torch.is_grad_enabled() and self.position.requires_grad
        parameters = (self.position, self.window_position)
        version = tuple(0 if p.is_inference() else p._version for p in parameters)
        key = (height, width, self.position.device, self.position.dtype, version)
        cached = self._cached_positions  # read once: another thread may replace it
        if not trained and cached is not None and cached[0] == key:
            return cached[1]
        smooth = F.interpolate(self.position, size=(height, width), mode="bicubic")
        window = self.window_position.shape[-1]
        rows, columns = -(-height // window), -(-width // window)
        tiled = self.window_position.tile(1, 1, rows, columns)[..., :height, :width]
        positions = (smooth + tiled).permute(0, 2, 3, 1)
        if not trained:
            self._cached_positions = (key, positions.detach())
        return positions


def _block_plan(config: Sam2Config) -> Iterator[tuple[int, int, int, int, bool]]:
    """(dim, out_dim, heads, window, pooled) of every block, in order."""
    dims, index = config.stage_dims, 0
    for stage, count in enumerate(config.blocks):
        for i in range(count):
            # The block that enters a stage still works on the tokens of the stage before it.
            entering = stage > 0 and i == 0
            source = stage - 1 if entering else stage
            window = 0 if index in config.global_blocks else config.window_sizes[source]
            heads = config.num_heads * 2**stage
            yield dims[source], dims[stage], heads, window, entering
            index += 1
