"""The whole public API under a GPU's rules, on a machine that needs none.

The pretended device computes what the CPU computes: every answer must be the same, but for the
last bits: these depend on where in memory numbers lie, and on the order of sums in attention, which
isn't that of a CPU. What is left on the wrong device somewhere on the way ends in torch's error
instead.
"""

import numpy as np
import pytest

from tests.devices.calls import CALLS
from tests.devices.compare import close
from tests.devices.pretended import Pretended

# What Apple's device lacks, it lacks in resizing, and in what is said in float64.
ON_APPLE = ("picture", "video", "clipseg", "pipeline_picture")


@pytest.mark.parametrize(
    ("call", "device"),
    [(name, "cuda") for name in CALLS] + [(name, "mps") for name in ON_APPLE],
    indirect=["call"],
)
def test_a_device_gives_what_the_cpu_gives(call, device):
    expected = call("cpu")
    with Pretended(device):
        found = call(device)
    assert found.keys() == expected.keys()
    for name, right in expected.items():
        close(found[name], right, name, numbers=1e-5, pixels=0.999)
    assert any(np.asarray(array).any() for array in expected.values())


def test_another_device_than_the_first_is_used_alone():
    """Nothing is made on "cuda" where "cuda:1" was asked for: on it, that would be refused."""
    ask, _ = CALLS["stream"]
    with Pretended("cuda:1"):
        assert ask("cuda:1", None)
