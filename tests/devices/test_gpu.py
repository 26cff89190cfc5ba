"""The whole public API on a real GPU, next to the CPU: ``pytest -m gpu``. Skipped without one.

In float32 the two differ in the order of sums, as two CPUs may. TF32, which is coarser, is
switched off here. bfloat16 is coarse by itself: there masks are to agree where they are sure.
"""

import numpy as np
import pytest
import torch

from sam2core import ImageSegmenter, VideoTracker
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
