"""Muon: momentum made orthogonal, for weight matrices; AdamW for all else.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the
scale of updates of arXiv 2502.16982, so that a learning rate of AdamW serves for both. PyTorch's
own computes in bfloat16, which processors without such instructions do many times slower.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that drives singular values to 1
_ITERATIONS = 5
_LEAST_SIDE = 16  # of a matrix: smaller ones are left to AdamW


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, m, n) with m <= n to the nearest matrices with orthonormal rows, roughly."""
    a, b, c = _COEFFICIENTS
    x = matrices / (matrices.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon(torch.optim.AdamW):
    """Muon for the matrices of groups with ``"muon": True``, AdamW for the other groups."""

    def __init__(self, groups: list[dict[str, Any]], momentum: float = 0.95, **adam: Any) -> None:
        super().__init__(groups, **adam)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        matrices = [group for group in self.param_groups if group.get("muon")]
        hidden: list[tuple[Tensor, Tensor]] = []
        for group in matrices:
            self._step_matrices(group)
            # Without gradients, AdamW passes over them.
            for p in group["params"]:
                if p.grad is not None:
                    hidden.append((p, p.grad))
                    p.grad = None
        super().step(closure)
        for p, gradient in hidden:
            p.grad = gradient

    def _step_matrices(self, group: dict[str, Any]) -> None:
        by_shape: dict[tuple[int, ...], list[tuple[Tensor, Tensor, bool]]] = defaultdict(list)
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
                state["step"] = torch.zeros(())  # AdamW looks for it in every state it loads
            state["momentum"].lerp_(p.grad, 1 - self.momentum)
            update = p.grad.lerp(state["momentum"], self.momentum)
            tall = update.shape[0] > update.shape[1]
            update = update.mT if tall else update
            by_shape[tuple(update.shape)].append((p, update, tall))
        for shape, rows in by_shape.items():
            scale = 0.2 * max(shape) ** 0.5
            for (p, _, tall), x in zip(
                rows, orthogonal(torch.stack([r[1] for r in rows])), strict=True
            ):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(x.mT if tall else x, alpha=-group["lr"] * scale)


def split_matrices(groups: list[dict[str, Any]], model: nn.Module) -> list[dict[str, Any]]:
    """Groups of parameters with the matrices of linear layers moved to groups of their own."""
    linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    split = []
    for group in groups:
        moved = [p for p in group["params"] if id(p) in linear and min(p.shape) >= _LEAST_SIDE]
        kept = {id(p) for p in moved}
        split += [
            {**group, "params": moved, "muon": True},
            {**group, "params": [p for p in group["params"] if id(p) not in kept], "muon": False},
        ]
    return [group for group in split if group["params"]]
