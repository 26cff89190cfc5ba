"""Random weights under which a mistake shows.

With a default initialisation every prompt gives nearly the same mask, presence has one sign and
the memory changes nothing, so that almost any code would "agree". The recipe below keeps each
layer's output at about unit variance, makes attention prefer some keys over others, and lets
tokens, memories and times count as much as the picture does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

# (part of the name, gain of a weight matrix over 1/sqrt(fan in)); the first match holds.
_GAINS = (
    ("backbone.blocks", ".attn.proj.", 0.6),
    ("backbone.blocks", ".mlp.proj_out.", 0.6),
    ("memory_attention", "self_attn.o_proj", 0.5),
    ("memory_attention", "cross_attn_image.k_proj", 1.2),
    ("memory_attention", "cross_attn_image.o_proj", 3.0),
    ("memory_attention", "linear2", 0.7),
    ("memory_encoder", "final_conv", 2.0),
    ("mask_decoder", "self_attn.o_proj.", 3.0),
    ("mask_decoder", "self_attn", 1.5),
    ("mask_decoder", "_token_to_image.o_proj.", 2.5),
    ("mask_decoder", "_image_to_token.o_proj.", 2.0),
    ("mask_decoder", "q_proj.", 1.6),
    ("mask_decoder", "k_proj.", 1.6),
    ("mask_decoder", "pred_obj_score_head.proj_out", 10.0),
    ("mask_decoder", "output_hypernetworks_mlps", 1.4),
    ("prompt_encoder", "conv3", 2.0),
    ("mask_decoder", "iou_prediction_head.proj_out", 2.0),
    ("object_pointer_proj", "", 1.5),
)
# Parameters that are added to something, by their standard deviation.
_SPREADS = (
    ("pos_embed", 0.4),
    ("memory_temporal_positional_encoding", 1.0),
    ("no_memory_embedding", 0.5),
    ("no_memory_positional_encoding", 0.5),
    ("no_object_pointer", 1.0),
    ("occlusion_spatial_embedding_parameter", 1.0),
    ("not_a_point_embed", 1.0),
    ("point_embed", 1.0),
    ("no_mask_embed", 0.7),
    ("iou_token.", 1.0),
    ("mask_tokens.", 1.0),
    ("obj_score_token.", 1.0),
    ("positional_embedding", 0.7),
)


def randomise(state: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """New float32 values for a state dict in Hugging Face naming, of the same names and shapes.

    Each tensor depends on the seed, its own name and its own shape, not on the others or on
    their order. The two copies of the point encoding's matrix are made equal, as they are in
    the published checkpoints. `calibrate` sets what depends on the picture.
    """
    drawn = {name: _draw(name, tensor, seed) for name, tensor in state.items()}
    shared = "shared_image_embedding.positional_embedding"
    if shared in drawn:
        drawn["prompt_encoder.shared_embedding.positional_embedding"] = drawn[shared].clone()
    return drawn


def _draw(name: str, tensor: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    normal = torch.randn(tensor.shape, generator=generator)
    if name == "mask_downsample.weight":  # 0..1 to about -10..10, as in the checkpoints
        return (20.0 + 4.0 * normal) / tensor[0].numel()
    if name == "mask_downsample.bias":
        return torch.full(tensor.shape, -10.0)
    if name.endswith(".scale"):  # layer scale of the memory fuser, 1e-6 by default
        return 0.5 + 0.1 * normal
    if "layer_norm" in name:
        return 1.0 + 0.1 * normal if name.endswith("weight") else 0.1 * normal
    for part, spread in _SPREADS:
        if part in name:
            return spread * normal
    if name.endswith(".bias"):
        return 0.1 * normal
    fan_in = tensor.shape[0] if "upscale_conv" in name else tensor[0].numel()
    gain = next((g for a, b, g in _GAINS if a in name and b in name), 1.0)
    return gain / math.sqrt(fan_in) * normal
