import pytest
import torch

from sam2core import hiera
from sam2core.hiera import Block, in_bands


@pytest.fixture(scope="module")
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("size", [(32, 24), (29, 23), (8, 8)])
@pytest.mark.parametrize(("window", "pooled"), [(8, False), (8, True), (0, False), (0, True)])
def test_a_block_in_bands_is_a_block_in_one_piece(monkeypatch, generator, size, window, pooled):
    if pooled:  # maps that are pooled have even sides
        size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    block = Block(16, 32 if pooled else 16, 2, window, pooled, 4.0).eval()
    x = torch.randn(2, *size, 16, generator=generator)
    with torch.inference_mode():
        monkeypatch.setattr(hiera, "TOKENS_AT_ONCE", 10**9)
        whole = block(x)
        seen = []
        monkeypatch.setattr(hiera, "TOKENS_AT_ONCE", 1)
        block.mlp.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1]))
        found = block(x)
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)
    assert len(seen) > 1 or size == (8, 8)


def test_bands_are_multiples_of_a_window_and_make_up_the_map(monkeypatch):
    monkeypatch.setattr(hiera, "TOKENS_AT_ONCE", 1024)
    x = torch.arange(50.0).view(1, 50, 1, 1).expand(1, 50, 300, 1)
    heights = []

    def count(band):
        heights.append(band.shape[1])
        return band

    assert torch.equal(in_bands(count, x, 7), x)
    assert heights == [7] * 7 + [1]
    heights.clear()
    in_bands(count, x[:, :, :40], 7)
    assert heights == [21, 21, 8]
