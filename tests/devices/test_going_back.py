"""Going back, decisions and policies on a device: what was put aside on the CPU returns to it."""

import numpy as np
import pytest
import torch

from sam2core import BankSettings, TrackerSettings, VideoTracker
from sam2core.memory_policies import POLICIES
from tests.devices.pretended import Pretended
from tests.sam2core.conftest import moving_square, random_model

FRAMES = moving_square(20)
MASKS = np.zeros((2, 48, 80), bool)
MASKS[0, 6:20, 4:18] = True
MASKS[1, 25:45, 40:70] = True


def forth_and_back(policy, device=None):
    settings = TrackerSettings(
        BankSettings(policy=policy), memory_budget_mb=1000, memory_dtype=torch.float32
    )
    model = random_model() if device is None else random_model().to(device)
    tracker = VideoTracker(model, FRAMES, settings)
    tracker.prompt_masks([1, 2], MASKS, frame_index=0)
    said = list(tracker.propagate())
    said.append(tracker.prompt(2, frame_index=8, points=[[60, 30]]))
    said += tracker.propagate(9, 12)
    said += tracker.propagate(7, 5, reverse=True)
    said.append(tracker.answer(3))
    tracker.follow(frame_index=15)
    logits = tracker.current().logits[0].clone()
    said.append(tracker.remember({2: np.zeros((48, 80), bool)}, logits={1: logits}))
    again = VideoTracker(model, FRAMES, settings)
    again.load_state(tracker.state())
    said += again.propagate(16, 18)
    return [frame.logits.cpu().clone() for frame in said], tracker


@pytest.mark.parametrize("policy", POLICIES)
def test_the_answers_are_those_of_a_cpu(policy):
    expected, _ = forth_and_back(policy)
    with Pretended("cuda") as there:
        found, tracker = forth_and_back(policy, there.device)
        for tracked in tracker._objects.values():
            for memory in tracked.bank.aside.values():
                assert memory.features is None
                assert memory.logits is None
                assert memory.pointer.is_cpu
                assert memory.encoded.is_cpu
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
