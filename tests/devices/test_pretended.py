"""The pretended device applies the rules, or the other tests of this folder would show nothing."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.devices.pretended import Pretended, There

CPU = torch.device("cpu")


@pytest.fixture
def cuda():
    with Pretended("cuda") as device:
        yield device


@pytest.fixture
def x(cuda):
    return torch.arange(6.0).view(2, 3).to("cuda")


MIXED = {
    "arithmetic": lambda x, y: x + y,
    "the other way round": lambda x, y: y * x,
    "in place": lambda x, y: x.add_(y),
    "matrix product": lambda x, y: x @ y.T,
    "side by side": lambda x, y: torch.cat([x, y]),
    "stacked": lambda x, y: torch.stack([x[0], y[0]]),
    "a stacked number": lambda x, y: torch.stack([x[0, 0], y[0, 0]]),
    "chosen": lambda x, y: torch.where(y > 0, x, 0.0),
    "masked": lambda x, y: x.masked_fill(y > 0, 0.0),
    "by index, there into here": lambda x, y: y[x.long()],
    "a value at indices": lambda x, y: x.__setitem__(x > 0, y[y > 0]),
    "a layer": lambda x, y: F.linear(x, y),
    "attention": lambda x, y: F.scaled_dot_product_attention(x, x, x, attn_mask=y[:, :2]),
    "embedding": lambda x, y: F.embedding(y.long(), x),
}


@pytest.mark.parametrize("use", MIXED.values(), ids=MIXED.keys())
def test_tensors_of_two_devices_do_not_mix(x, use):
    with pytest.raises(RuntimeError, match="same device"):
        use(x, torch.arange(6.0).view(2, 3))


def test_what_torch_allows_is_allowed_and_computes_the_same(x):
    here = x.cpu()
    assert type(here) is torch.Tensor
    allowed = {
        "a number": x * torch.tensor(2.0),
        "an index from the CPU": x[torch.tensor([1, 0])],
        "a mask from the CPU": x[torch.tensor([True, False])],
        "a slice": x[:, 1:],
        "made there": x + torch.ones(3, device=x.device),
        "like it": x + torch.zeros_like(x),
        "of its kind": x.new_zeros(2, 3) + x,
        "a row of it": next(iter(x)),
        "copied": torch.zeros(2, 3, device="cuda").copy_(here),
    }
    expected = [here * 2, here.flip(0), here[:1], here[:, 1:], here + 1, here, here, here[0], here]
    for (name, got), right in zip(allowed.items(), expected, strict=True):
        assert isinstance(got, There), name
        assert str(got.device) == "cuda:0", name
        assert torch.equal(got.cpu(), right), name
    x[:, 0] = torch.tensor([7.0, 8.0])
    assert x.cpu()[:, 0].tolist() == [7.0, 8.0]
    assert torch.zeros(2, 3).copy_(x).device == CPU
    assert (float(x[0, 0]), x.sum().item(), x[1].tolist()) == (7.0, 27.0, [8.0, 4.0, 5.0])


def test_numpy_takes_nothing_from_the_device(x):
    for convert in (np.asarray, torch.Tensor.numpy, lambda t: np.stack([t, t])):
        with pytest.raises(TypeError, match="numpy"):
            convert(x)
    assert x.cpu().numpy().sum() == 15


def test_modules_move_with_all_they_have(cuda, x):
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval().requires_grad_(False)
    expected = module(x.cpu())
    with pytest.raises(RuntimeError, match="same device"):
        module(x)
    module.to("cuda")
    assert {str(t.device) for t in module.state_dict().values()} == {"cuda:0"}
    assert len(list(module.parameters())) == 4
    assert torch.equal(module(x).cpu(), expected)
    with pytest.raises(RuntimeError, match="same device"):
        module(x.cpu())
    assert torch.equal(module.to("cpu")(x.cpu()), expected)


def test_there_is_one_device(cuda):
    with pytest.raises(RuntimeError, match="invalid device cuda:1"):
        torch.zeros(3, device="cuda:1")
    with pytest.raises(RuntimeError, match="invalid device mps"):
        torch.zeros(3).to("mps")


def test_what_apples_device_lacks():
    with Pretended("mps"):
        x = torch.rand(1, 1, 8, 8).to("mps")
        with pytest.raises(NotImplementedError, match="aa"):
            F.interpolate(x, size=(4, 4), mode="bilinear", antialias=True)
        assert F.interpolate(x, size=(4, 4), mode="bilinear").device.type == "mps"
        for make in (torch.Tensor.double, lambda t: torch.zeros(3, dtype=torch.float64).to("mps")):
            with pytest.raises(TypeError, match="float64"):
                make(x)
