"""CUDA graphs, as far as no GPU is needed: what is recorded, when, and that all a computation needs
is among its arguments. A stand-in keeps arguments and results where a graph would, and gives what
the function made of them; tests/devices has the real thing."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter, VideoTracker, memory_attention
from sam2core.cuda_graphs import MET_BEFORE, MOST, MOST_BYTES, CudaGraphs
from tests.sam2core.conftest import random_model

RNG = np.random.default_rng(0)
FRAMES = [RNG.integers(0, 256, (48, 80, 3), dtype=np.uint8) for _ in range(6)]
MASKS = np.zeros((2, 48, 80), bool)
MASKS[0, 5:25, 5:35] = MASKS[1, 20:45, 40:75] = True


class Replayed:
    """A recording without a GPU: reads from memory of its own, and writes to memory of its own."""

    def __init__(self, compute, given, pool=None):
        self.compute = compute
        self.given = [None if each is None else torch.empty_like(each) for each in given]
        self.made = 0
        self.size = sum(each.nbytes for each in self.given if each is not None)

    def replay(self, given):
        for own, each in zip(self.given, given, strict=True):
            if own is not None:
                own.copy_(each)
        self.made += 1
        found = self.compute(*self.given)
        copies = [t.clone() for t in ([found] if isinstance(found, torch.Tensor) else found)]
        return copies[0] if isinstance(found, torch.Tensor) else tuple(copies)


def graphs(model):
    model.graphs = CudaGraphs(record=Replayed)
    return model


def tracked(model, frames=FRAMES):
    tracker = VideoTracker(model)
    tracker.step(frames[0])
    tracker.prompt_masks([1, 2], MASKS)
    tracker.prompt(1, points=[[12, 12]])
    return [tracker.step(frame).logits for frame in frames[1:]]


@pytest.mark.parametrize("batched", [False, True])
def test_a_tracker_gives_the_same_by_recordings(monkeypatch, batched):
    if batched:  # as on CUDA
        monkeypatch.setattr(memory_attention, "folds_values", lambda x, masked=False: False)
    expected = tracked(random_model())
    model = graphs(random_model())
    for _ in range(2):
        for found, right in zip(tracked(model), expected, strict=True):
            torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-5)
    names = {key[0].split(".")[-1].split(">")[0].split(" ")[0] for key in model.graphs._known}
    assert {"_encode", "_decode", "_remember_tracked", "_remember_given", "_keys_of"} <= names
    assert ("_attend_to" in names) == batched
    assert len(model.graphs) >= 4


def test_pictures_too_and_each_size_has_its_own():
    model = random_model()
    points = [[[20, 20]], [[60, 30]], [[5, 40]]]
    plain = ImageSegmenter(model)
    plain.set_image(FRAMES[0])
    expected = plain.segment(points, multimask=True).logits, plain.segment(points[:1]).logits
    recorded = ImageSegmenter(graphs(random_model()))
    for _ in range(MET_BEFORE + 2):
        recorded.set_image(FRAMES[0])
        found = recorded.segment(points, multimask=True).logits, recorded.segment(points[:1]).logits
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert len(recorded.model.graphs) == 3  # the image, three prompts, one


def first_of(x):
    return x[:1] + 0


def twice(x):
    return 2 * x


def test_what_comes_again_is_recorded_and_what_is_longest_unused_given_up():
    runs = CudaGraphs(record=Replayed)
    for i in range(MET_BEFORE + 1):
        assert len(runs) == 0
        assert runs.run(twice, torch.ones(i + 1)).tolist() == [2.0] * (i + 1)
        assert runs.run(twice, torch.full((7,), i)).tolist() == [2 * i] * 7
    assert len(runs) == 1
    for size in range(8, 8 + MOST):
        runs.run(twice, torch.ones(size))
    assert len(runs) == 0
    large = torch.empty(
        MOST_BYTES // 8, dtype=torch.float32
    )  # two of them are all there is room for
    for size in (len(large), len(large) - 1, len(large) - 2):
        for _ in range(MET_BEFORE + 1):
            runs.run(first_of, large[:size])
    assert len(runs) == 2
    off = CudaGraphs(enabled=False, record=Replayed)
    for _ in range(MET_BEFORE + 2):
        off.run(twice, torch.ones(3))
    assert len(off) == 0


def test_what_cannot_be_recorded_is_called_and_said_once(caplog):
    class Refused(Replayed):
        def __init__(self, *given):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    runs = CudaGraphs(record=Refused)
    for _ in range(MET_BEFORE + 4):
        assert runs.run(twice, torch.ones(2)).tolist() == [2.0, 2.0]
    assert len(runs) == 0
    assert [r.getMessage() for r in caplog.records] == [
        "twice can't be recorded as a CUDA graph, and runs without: operation not permitted when "
        "stream is capturing"
    ]


def test_weights_that_move_or_change_are_recorded_anew():
    model = graphs(random_model())
    expected = tracked(random_model(seed=1))
    tracked(model)
    assert len(model.graphs)
    twin = copy.deepcopy(model)
    assert len(twin.graphs) == 0
    model.load_state_dict(random_model(seed=1).state_dict())
    assert len(model.graphs) == 0
    torch.testing.assert_close(tracked(model)[-1], expected[-1], atol=1e-5, rtol=1e-5)
    model.to(torch.float64)
    assert len(model.graphs) == 0


def test_threads_do_not_mix_their_arguments():
    runs, wrong = CudaGraphs(record=Replayed), []

    def work(number):
        x = torch.full((1000,), float(number))
        for _ in range(200):
            if not torch.equal(runs.run(twice, x), 2 * x):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(runs) == 1


def test_on_a_cpu_nothing_is_recorded():
    model = random_model()
    tracked(model)
    assert len(model.graphs) == 0
