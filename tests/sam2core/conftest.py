"""A SAM 2 small enough for tests, with weights that make prompts and memories matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.parity.weights import randomise
from sam2core import Sam2, Sam2Config
from sam2core.weights import from_state_dict, to_state_dict

TINY = Sam2Config(
    embed_dim=16,
    blocks=(1, 1, 2, 1),
    global_blocks=(3,),
    window_sizes=(8, 4, 4, 2),
    position_size=(4, 4),
    image_size=64,
    dim=64,
    decoder_heads=4,
    decoder_mlp_dim=64,
    iou_hidden_dim=32,
    mask_channels=4,
    memory_dim=32,
    memory_layers=2,
    memory_mlp_dim=64,
    fuser_dim=64,
)


def random_model(config: Sam2Config = TINY, seed: int = 0) -> Sam2:
    """Random weights under which prompts, objects, frames and memories make a difference."""
    state = randomise(to_state_dict(Sam2(config), "hugging_face"), seed)
    # An absent object has the same empty mask whatever went wrong: let most be present.
    state["mask_decoder.pred_obj_score_head.proj_out.bias"] += 8
    return from_state_dict(state, config).eval().requires_grad_(False)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Models this small only lose time to threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model() -> Sam2:
    return random_model()


def moving_square(count: int, height: int = 48, width: int = 80, seed: int = 0) -> list[np.ndarray]:
    """Frames of a bright square that wanders over noise."""
    rng = np.random.default_rng(seed)
    background = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
    frames = []
    for i in range(count):
        frame = background.copy()
        x, y = 4 + 2 * i % (width - 20), 6 + i % (height - 20)
        frame[y : y + 14, x : x + 14] = (250, 200, 40)
        frames.append(frame)
    return frames
