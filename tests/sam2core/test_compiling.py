"""The parts that go to torch.compile: the same masks, and nothing compiled anew without need.

By Dynamo alone (backend "eager"): what it captures is what any backend gets.
"""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from torch._dynamo.utils import counters

from sam2core import ImageSegmenter, TrackerSettings, VideoTracker, load
from sam2core.compiling import compile_model
from sam2core.weights import to_state_dict
from tests.sam2core.conftest import TINY, moving_square, random_model
from tests.sam2core.test_memory_keys import square


def compiled(seed: int = 0):
    model = random_model(seed=seed)
    compile_model(model, "eager")
    return model


def graphs() -> int:
    return counters["stats"]["unique_graphs"]


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    assert one.shape == other.shape
    assert (one - other).abs().max() < 1e-4 * other.std()
    assert ((one > 0) != (other > 0)).float().mean() < 1e-4


@pytest.mark.parametrize("mode", ["exact", "compact"])
def test_objects_that_come_and_go_and_memories_that_fill_up_compile_nothing_anew(mode):
    plain, fast = (
        VideoTracker(model, settings=TrackerSettings(mode=mode))
        for model in (random_model(), compiled())
    )
    new = {0: (1,), 3: (2, 3), 6: (4, 5, 6, 7), 9: (8,)}
    gone = {5: (2,), 8: (4, 5, 6), 10: (1, 3, 8)}
    counts, found = [], set()  # of graphs after each frame, and of objects
    for i, frame in enumerate(moving_square(13)):
        masks = {n: square(6 * n, 5 + n) for n in new.get(i, ())}
        one, other = plain.step(frame, masks=masks), fast.step(frame, masks=masks)
        same(other.logits, one.logits)
        fast.load_state(plain.state())  # or rounding would grow from frame to frame
        for tracker in (plain, fast):
            for n in gone.get(i, ()):
                tracker.remove(n)
        counts.append(graphs())
        found.add(len(fast.object_ids))
    assert found == {1, 2, 3, 4, 6}
    # One object, then several: that is all there is to compile.
    assert counts[2] == counts[1]
    assert len(set(counts[4:])) == 1
    assert counts[4] - counts[0] <= 10


def test_another_model_of_the_same_shape_takes_what_was_compiled():
    frames, before = moving_square(3), 0
    for seed in (0, 1):
        tracker = VideoTracker(compiled(seed))
        tracker.step(frames[0], masks={1: square(5, 7)})
        other = [tracker.step(frame).logits for frame in frames[1:]]
        plain = VideoTracker(random_model(seed=seed))
        plain.step(frames[0], masks={1: square(5, 7)})
        same(torch.stack(other), torch.stack([plain.step(frame).logits for frame in frames[1:]]))
        assert seed == 0 or graphs() == before
        before = graphs()


def test_pictures_are_segmented_by_the_same_graphs_whatever_is_asked_of_them():
    boxes = [[4 + 5 * i, 6, 20 + 6 * i, 20 + i] for i in range(6)]
    plain, fast = ImageSegmenter(random_model()), ImageSegmenter(compiled())
    [frame] = moving_square(1)
    counts = []
    for asked in (
        {"boxes": boxes[:1]},
        {"boxes": boxes[:2]},
        {"boxes": boxes},
        {"points": [[[20, 10]], [[30, 30]], [[50, 20]]]},
        {"points": [[[20, 10], [5, 5], [40, 40]]] * 4, "labels": [[1, 0, 1]] * 4},
    ):
        for segmenter in (plain, fast):
            segmenter.set_image(frame)
        same(fast.segment(**asked).logits, plain.segment(**asked).logits)
        counts.append(graphs())
    assert len(set(counts[1:])) == 1


def test_by_load_it_says_what_is_waited_for(monkeypatch, caplog):
    eager, asked = torch._dynamo.lookup_backend("eager"), []

    def instead(backend):
        asked.append(backend)
        return eager

    monkeypatch.setattr(torch._dynamo, "lookup_backend", instead)
    state = to_state_dict(random_model(), "hugging_face")
    model = load(state, config=TINY, dtype="float32", compile=True)
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        model.memory_encoder(torch.zeros(1, 64, 4, 4), torch.zeros(1, 1, 64, 64))
    assert "inductor" in asked
    assert [r.getMessage() for r in caplog.records if r.name == "sam2core.compiling"] == [
        "torch.compile: compiling the memory encoder, which may take minutes",
        "torch.compile: the memory encoder is compiled, after 0 s",
    ]
    assert "encode" in vars(model.image_encoder.trunk)
    assert "forward" in vars(model.mask_decoder)


def test_a_deep_copy_computes_with_its_own_weights():
    model = compiled()
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(other.memory_encoder.out.weight)
    given = torch.ones(1, 64, 4, 4), torch.ones(1, 1, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(other.memory_encoder(*given), model.memory_encoder(*given))
