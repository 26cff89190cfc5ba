"""The trained demo weights follow a clip as transformers' model does, which reads them itself."""

import pytest
import torch

from benchmarks.demo_parity import compare, reference_model
from panoptic.demo.artwork import load_artwork
from panoptic.demo.clips import make_clip
from panoptic.demo.scenes import HELD_OUT_WORLD, World
from panoptic.presets import DEMO_WEIGHTS
from sam2core import load


@pytest.mark.parametrize("scenario", ["leave-and-return"])
def test_masks_of_a_whole_clip_are_the_same(scenario):
    clip = make_clip(World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD), scenario, 0, 8)
    folder = DEMO_WEIGHTS / "sam2"
    found = compare(load(folder, dtype=torch.float32), reference_model(folder), clip)
    assert found.iou >= 0.999
    assert found.logits < 1e-4
    assert found.objects >= 3
