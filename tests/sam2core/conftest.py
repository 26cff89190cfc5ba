"""A SAM 2 small enough for tests, with weights that make prompts and memories matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sam2core import Sam2, Sam2Config

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
    """Random weights, large enough that masks, scores and presence differ between prompts."""
    generator = torch.Generator().manual_seed(seed)
    model = Sam2(config)
    for name, parameter in model.named_parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.data = 1 + 0.1 * noise
        elif parameter.ndim > 1 and fan_in > 1:
            parameter.data = noise * (1.4 / fan_in**0.5)
        else:
            parameter.data = 0.1 * noise
    model.prompt_encoder.position.matrix.copy_(torch.randn(2, config.dim // 2, generator=generator))
    for name in ("label_embedding", "not_a_point", "no_mask"):
        parameter = getattr(model.prompt_encoder, name)
        parameter.data = torch.randn(parameter.shape, generator=generator)
    model.memory_time.data = torch.randn(model.memory_time.shape, generator=generator)
    for block in model.memory_encoder.fuser:
        block.scale.data = torch.randn(block.scale.shape, generator=generator)
    return model.eval().requires_grad_(False)


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
