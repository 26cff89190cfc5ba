"""The whole public API on a real GPU, next to the CPU: ``pytest -m gpu``. Skipped without one.

In float32 the two differ in the order of sums, as two CPUs may. TF32, which is coarser, is
switched off here. bfloat16 is coarse by itself: there masks are to agree where they are sure.
"""

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter, VideoTracker
from sam2core.joined_keys import JoinedKeys
from tests.devices.calls import CALLS, FRAMES, MASKS
from tests.devices.compare import close
from tests.sam2core.conftest import random_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture(autouse=True)
def in_full_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.mark.parametrize("call", CALLS, indirect=True)
def test_a_gpu_gives_what_the_cpu_gives(call):
    expected, found = call("cpu"), call("cuda")
    assert found.keys() == expected.keys()
    for name, right in expected.items():
        close(found[name], right, name, numbers=0.01, pixels=0.99)


def agreement(found, expected) -> float:
    """IoU of masks, over the cells where the CPU's logits are not next to zero."""
    sure = (expected.abs() > 0.1 * expected.std()).numpy()
    one, other = (found.cpu() > 0).numpy() & sure, (expected > 0).numpy() & sure
    return float((one & other).sum() / max(1, (one | other).sum()))


def test_bfloat16_agrees_with_float32():
    model = random_model()
    segmenter = ImageSegmenter(model)
    segmenter.set_image(FRAMES[0])
    points = [[[20, 20]], [[60, 30]], [[5, 40]]]
    expected = segmenter.segment(points, multimask=True).logits.clone()
    model.compute_dtype = torch.bfloat16
    model.to("cuda")
    segmenter.set_image(FRAMES[0])
    assert agreement(segmenter.segment(points, multimask=True).logits, expected) > 0.9


def test_answers_are_on_the_gpu_and_prompts_may_come_from_it():
    tracker = VideoTracker(random_model().to("cuda"), FRAMES)
    masks = torch.from_numpy(MASKS).cuda()
    tracker.prompt_masks([1, 2], masks, frame_index=0)
    tracker.prompt(3, box=torch.tensor([30, 20, 70, 45], device="cuda"), frame_index=0)
    for frame in tracker.propagate():
        assert {t.device.type for t in (frame.logits, frame.iou, frame.presence)} == {"cuda"}
        assert frame.masks().shape == (3, 48, 80)


def test_frames_copied_from_pinned_memory_arrive_whole():
    """Every frame is read ahead while the one before it is computed: none may be mixed up."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (48, 80, 3), dtype=np.uint8) for _ in range(40)]
    model = random_model().to("cuda")
    ahead, one_by_one = VideoTracker(model), VideoTracker(model)
    following = ahead.stream(iter(frames))
    for i, frame in enumerate(frames):
        found, expected = next(following), one_by_one.step(frame)
        assert torch.equal(ahead._embedding.features, one_by_one._embedding.features), i
        if i == 0:
            for tracker in (ahead, one_by_one):
                tracker.prompt_masks([1, 2], MASKS)
        else:
            torch.testing.assert_close(found.logits, expected.logits, atol=1e-3, rtol=1e-3)


def tracked(model, frames) -> list[torch.Tensor]:
    tracker = VideoTracker(model)
    found = []
    for i, frame in enumerate(frames):
        found.append(tracker.step(frame).logits)
        if i == 0:
            tracker.prompt_masks([1, 2], MASKS)
        if i == 8:  # objects come, and all sizes change
            tracker.prompt(3, box=[30, 20, 70, 45])
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recorded_kernels_give_what_the_same_give_one_by_one(dtype, caplog):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (48, 80, 3), dtype=np.uint8) for _ in range(50)]
    model = random_model().to("cuda")
    model.compute_dtype = dtype
    recorded = tracked(model, frames)
    assert len(model.graphs) >= 5
    assert "can't be recorded" not in caplog.text
    model.graphs.enabled = False
    for found, expected in zip(recorded, tracked(model, frames), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-2)


def test_recordings_do_not_outlast_weights():
    model = random_model().to("cuda")
    tracked(model, [FRAMES[0]] * 8)
    assert len(model.graphs)
    model.to("cpu")
    assert len(model.graphs) == 0
    before = tracked(model.to("cuda"), [FRAMES[0]] * 8)[-1]
    model.load_state_dict(random_model(seed=1).state_dict())
    assert not torch.allclose(tracked(model, [FRAMES[0]] * 8)[-1], before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_joined_keys_are_those_of_plain_tensors(dtype):
    pytest.importorskip("triton")
    count, slots, cells, dim, pointers, layers = 3, 2, 5000, 64, 5, 4
    keys = [
        [torch.randn(layers, 2, cells, dim, device="cuda").to(dtype) for _ in range(slots)]
        for _ in range(count)
    ]
    ages = [[0, 6], [3, 2], [5, 6]]
    timed = torch.randn(layers, 7, cells, dim, device="cuda").to(dtype)
    rest = torch.randn(count, pointers, dim, device="cuda").to(dtype)
    joined = JoinedKeys(keys, ages)
    for layer in range(layers):
        found = joined.layer(layer, timed[layer], rest)
        assert torch.equal(found[:, slots * cells :], rest)
        for n, row in enumerate(keys):
            expected = [k[layer, 0] + timed[layer, a] for k, a in zip(row, ages[n], strict=True)]
            assert torch.equal(found[n, : slots * cells], torch.cat(expected))
