"""How much runs at once on a device, and that answers don't depend on it; pinned memory."""

from dataclasses import replace

import numpy as np
import torch

from sam2core import Sam2Config, TrackerSettings, VideoTracker
from sam2core.device_memory import CPU_MB, MOST_MB, working_memory_mb
from tests.devices.calls import FLOAT32, FRAMES, MASKS
from tests.devices.pretended import GIB, Pretended
from tests.sam2core.conftest import random_model

CPU = torch.device("cpu")
FULL_SIZE = Sam2Config.preset("tiny")


def test_the_budget_is_half_of_what_a_gpu_has_free(monkeypatch):
    for name in ("cuda", "mps"):
        with Pretended(name, memory=8 * GIB) as there:
            assert working_memory_mb(there.device) == 4096
            there.memory = 200 * GIB
            assert working_memory_mb(there.device) == MOST_MB
            there.memory = 0
            assert working_memory_mb(there.device) == 1
    with Pretended("cuda", memory=8 * GIB) as there:
        # What the allocator holds and doesn't use is free too.
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * GIB)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIB)
        assert working_memory_mb(there.device) == 5120


def test_the_budget_of_a_cpu_is_the_same_on_every_machine():
    assert working_memory_mb(CPU) == CPU_MB == 2048
    assert TrackerSettings().objects_per_batch(FULL_SIZE, CPU) == 7


def test_objects_a_batch_follow_from_the_budget():
    settings = TrackerSettings()
    with Pretended("cuda", memory=24 * GIB) as there:
        assert settings.objects_per_batch(FULL_SIZE, there.device) == 44
        there.memory = 80 * GIB
        assert settings.objects_per_batch(FULL_SIZE, there.device) == 59
        there.memory = 0
        assert settings.objects_per_batch(FULL_SIZE, there.device) == 1
        asked = replace(settings, memory_budget_mb=2048)
        assert asked.objects_per_batch(FULL_SIZE, there.device) == 7
    with Pretended("mps", memory=24 * GIB) as there:
        # Attention there takes three times as much again.
        assert settings.objects_per_batch(FULL_SIZE, there.device) == 10


def test_answers_do_not_depend_on_what_is_free():
    masks = np.stack([np.roll(MASKS[0], 9 * i, axis=1) for i in range(7)])

    def follow(memory):
        with Pretended("cuda", memory=memory) as there:
            tracker = VideoTracker(random_model().to("cuda"), FRAMES, FLOAT32)
            tracker.prompt_masks(range(7), masks, frame_index=0)
            before = [len(ids) for ids in _cohorts_of_the_next_frame(tracker)]
            # What fills the device in the middle of a video doesn't change the batches of it.
            there.memory = 8 * GIB - memory
            frames = [frame.logits.cpu() for frame in tracker.propagate()]
            assert [len(ids) for ids in _cohorts_of_the_next_frame(tracker)] == before
            return before, frames

    small, found = follow(memory=0)
    large, expected = follow(memory=8 * GIB)
    assert (small, large) == ([3, 3, 1], [7])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def _cohorts_of_the_next_frame(tracker):
    tracker._index += 1
    try:
        return list(tracker._cohorts())
    finally:
        tracker._index -= 1


def test_frames_read_ahead_are_pinned_for_cuda_alone():
    for name, count in (("cuda", len(FRAMES)), ("mps", 0)):
        with Pretended(name) as there:
            model = random_model().to(name)
            tracker = VideoTracker(model, FRAMES)
            tracker.prompt_masks([1, 2], MASKS, frame_index=0)
            assert len(list(tracker.propagate())) == len(FRAMES)
            assert len(there.pinned) == count
            assert len(list(VideoTracker(model).stream(iter(FRAMES)))) == len(FRAMES)
            assert len(there.pinned) == 2 * count
