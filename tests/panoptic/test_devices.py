import pytest

from panoptic.devices import Machine, choose_device, choose_devices, in_words

PLAIN, ONE, TWO = Machine(), Machine(gpus=1), Machine(gpus=2)
APPLE = Machine(mps=True)


@pytest.mark.parametrize(
    ("machine", "asked", "chosen"),
    [
        (TWO, None, ["cuda:0", "cuda:1", "cuda:0"]),
        (TWO, "cuda", ["cuda:0", "cuda:1", "cuda:0"]),
        (TWO, "cuda:1", ["cuda:1"] * 3),
        (TWO, "cuda:0", ["cuda:0"] * 3),
        (TWO, "cpu", ["cpu"] * 3),
        (ONE, None, ["cuda:0"] * 3),
        (ONE, "cpu", ["cpu"] * 3),
        (PLAIN, None, ["cpu"] * 3),
        (PLAIN, "cpu", ["cpu"] * 3),
        (PLAIN, "cpu:0", ["cpu"] * 3),
        (APPLE, None, ["mps"] * 3),
        (APPLE, "mps", ["mps"] * 3),
        (APPLE, "mps:0", ["mps"] * 3),
        (APPLE, "cpu", ["cpu"] * 3),
    ],
)
def test_the_device_asked_for_is_that_of_all_workers_and_gpus_are_taken_in_turn(
    machine, asked, chosen
):
    assert choose_devices(asked, 3, machine) == chosen
    assert choose_device(asked, machine) == chosen[0]


@pytest.mark.parametrize(
    ("machine", "asked"),
    [(PLAIN, "cuda"), (PLAIN, "cuda:0"), (ONE, "cuda:1"), (TWO, "mps"), (TWO, "cuda:"), (TWO, "")],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(machine, asked):
    with pytest.raises(ValueError, match=rf"there is no device '{asked}'; there are .*cpu"):
        choose_devices(asked, 2, machine)


def test_in_words():
    assert in_words(["cpu"], "float32") == "on cpu in float32"
    assert in_words(choose_devices(None, 3, TWO)) == "3 workers on cuda:0, cuda:1"
