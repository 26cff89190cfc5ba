"""A linear layer and its activation as one operator: the numbers of torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sam2core import linear
from sam2core.linear import Linear

ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "gelu": F.gelu}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_one_operator_gives_what_torch_gives(activation, bias):
    torch.manual_seed(0)
    layer, x = Linear(24, 40, bias=bias), torch.randn(3, 5, 7, 24)
    plain = ACTIVATIONS[activation](F.linear(x, layer.weight, layer.bias))
    with torch.inference_mode():
        torch.testing.assert_close(layer(x, activation), plain)
        strided = x.permute(2, 1, 0, 3)
        torch.testing.assert_close(layer(strided, activation), plain.permute(2, 1, 0, 3))
        assert layer(x[:, :0], activation).shape == (3, 0, 7, 40)


@pytest.mark.skipif(
    torch.bfloat16 not in linear._dtypes(), reason="needs a processor that multiplies bfloat16"
)
def test_half_precision_by_autocast_or_of_the_input():
    torch.manual_seed(0)
    layer, x = Linear(24, 40), torch.randn(50, 24)
    plain = F.gelu(F.linear(x, layer.weight, layer.bias))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = layer(x, "gelu")
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), plain, atol=0.03, rtol=0.02)
    with torch.inference_mode():
        assert torch.equal(layer.bfloat16()(x.bfloat16(), "gelu"), found)


def test_gradients_flow_and_shapes_that_do_not_fit_are_refused():
    layer, x = Linear(4, 6), torch.randn(3, 4)
    layer(x, "relu").sum().backward()
    assert layer.weight.grad is not None
    with torch.inference_mode(), pytest.raises(RuntimeError):
        layer(torch.randn(3, 5))
