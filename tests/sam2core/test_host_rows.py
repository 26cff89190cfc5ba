"""What is put aside comes back to the bit, and takes no more than it must."""

import io

import pytest
import torch

from sam2core import Memory
from sam2core.host_rows import BLOCK_BYTES, HostRows


def test_what_is_put_comes_back_and_lies_side_by_side():
    rows = HostRows()
    given = torch.randn(5, 16)
    kept = [rows.put(row) for row in given]
    given_again = given.clone()
    given.zero_()
    assert all(torch.equal(a, b) for a, b in zip(kept, given_again, strict=True))
    assert len({row.untyped_storage().data_ptr() for row in kept}) == 1
    assert kept[0].untyped_storage().nbytes() == BLOCK_BYTES


def test_masks_are_kept_as_small_as_they_can_be_to_the_bit():
    rows = HostRows()
    masks = torch.randn(4, 8, 8)
    masks[1] = masks[1].bfloat16().float()
    masks[2:] = -1024.0
    kept = rows.put_masks(masks)
    assert [row.dtype for row in kept[:2]] == [torch.float32, torch.bfloat16]
    assert all(torch.equal(a.float(), b) for a, b in zip(kept, masks, strict=True))
    assert kept[2].untyped_storage().nbytes() == 4
    assert kept[2] is kept[3]


def test_a_full_block_is_followed_by_another():
    rows = HostRows()
    large = torch.zeros(BLOCK_BYTES // 4 // 2 + 1)
    assert torch.equal(rows.put(large + 1), large + 1)
    assert torch.equal(rows.put(large + 2), large + 2)


@pytest.mark.parametrize("name", ["pointer", "encoded"])
def test_a_memory_is_saved_without_its_neighbours(name):
    rows = HostRows()
    row = rows.put(torch.randn(8, 8))
    memory = Memory(3, **{"pointer": torch.zeros(4), name: row}, presence=1.0, iou=0.5)
    stream = io.BytesIO()
    torch.save(memory.state(), stream)
    assert len(stream.getvalue()) < 10_000
    stream.seek(0)
    again = Memory.from_state(torch.load(stream, weights_only=True), torch.device("cpu"))
    assert torch.equal(getattr(again, name), row)
