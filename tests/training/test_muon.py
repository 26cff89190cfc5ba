import pytest
import torch
from torch import nn

from training.muon import Muon, orthogonal, split_matrices


def test_rows_become_orthonormal_roughly():
    x = orthogonal(torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(x)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_only_the_matrices_of_linear_layers_are_moved():
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Linear(32, 16), nn.Linear(32, 4))
    groups = split_matrices([{"params": list(model.parameters()), "weight_decay": 0.1}], model)
    moved = [p for g in groups if g["muon"] for p in g["params"]]
    assert len(moved) == 1
    assert moved[0] is model[1].weight
    assert sum(len(g["params"]) for g in groups) == 6
    assert all(g["weight_decay"] == 0.1 for g in groups)


def make(seed: int = 0) -> tuple[nn.Module, Muon]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 16))
    groups = [{"params": list(model.parameters()), "weight_decay": 0.0}]
    return model, Muon(split_matrices(groups, model), lr=0.01)


def train(model: nn.Module, optimizer: Muon, steps: range) -> list[float]:
    losses = []
    for step in steps:
        x = torch.randn(8, 20, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x[:, :16]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_it_learns_and_all_parameters_move():
    model, optimizer = make()
    before = [p.clone() for p in model.parameters()]
    losses = train(model, optimizer, range(60))
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is not None for p in model.parameters())


def test_a_matrix_moves_by_the_rate_times_its_scale():
    model, optimizer = make()
    before = model[0].weight.detach().clone()
    train(model, optimizer, range(1))
    change = (model[0].weight - before).square().mean().sqrt().item()
    # Singular values near 1: root mean square 0.2 at full rank; the gradient's rank is 8 of 20.
    assert change == pytest.approx(0.01 * 0.2 * (8 / 20) ** 0.5, rel=0.3)


def test_it_goes_on_from_its_state():
    whole, optimizer = make()
    train(whole, optimizer, range(6))
    model, optimizer = make()
    train(model, optimizer, range(3))
    again, fresh = make(1)
    again.load_state_dict(model.state_dict())
    fresh.load_state_dict(optimizer.state_dict())
    train(again, fresh, range(3, 6))
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
