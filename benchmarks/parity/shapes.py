"""The sizes that are compared, told to transformers. Written down here a second time on purpose:
a wrong number in sam2core's own presets must show, so nothing is shared with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class ModelShape:
    """What varies between the sizes of SAM 2, and the side of the square input in pixels."""

    name: str
    embed_dim: int
    num_heads: int
    stages: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    background: tuple[int, int]
    windows: tuple[int, int, int, int]
    image_size: int = 1024

    def at(self, image_size: int) -> ModelShape:
        """The same model for another input; `image_size` must divide by 32 (pooling, windows)."""
        if image_size % 32:
            raise ValueError(f"image_size must divide by 32, got {image_size}")
        return replace(self, image_size=image_size)


# Meta's configs/sam2.1/*.yaml (2.0 has the same shapes).
SIZES = {
    "tiny": ModelShape("tiny", 96, 1, (1, 2, 7, 2), (5, 7, 9), (7, 7), (8, 4, 14, 7)),
    "small": ModelShape("small", 96, 1, (1, 2, 11, 2), (7, 10, 13), (7, 7), (8, 4, 14, 7)),
    "base_plus": ModelShape(
        "base_plus", 112, 2, (2, 3, 16, 3), (12, 16, 20), (14, 14), (8, 4, 14, 7)
    ),
    "large": ModelShape("large", 144, 2, (2, 6, 36, 4), (23, 33, 43), (7, 7), (8, 4, 16, 8)),
}
# For tests: every kind of block (pooled, windowed with padding, global) in a few milliseconds.
MINI = ModelShape("mini", 16, 1, (1, 2, 3, 1), (4,), (7, 7), (8, 4, 14, 7), image_size=128)
VERSIONS = ("2.0", "2.1")


def transformers_config(shape: ModelShape, version: str) -> Any:
    """The Sam2VideoConfig of a shape.

    2.0 differs from 2.1 in two switches here (time of pointers, occlusion embedding); Meta's
    other two have no effect once those are off.
    """
    from transformers import Sam2VideoConfig

    if version not in VERSIONS:
        raise ValueError(f"version must be one of {VERSIONS}, got {version!r}")
    side, widths = shape.image_size, [shape.embed_dim * 2**i for i in range(4)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": shape.embed_dim,
        "image_size": [side, side],
        "blocks_per_stage": list(shape.stages),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [shape.num_heads * 2**i for i in range(4)],
        "window_size_per_stage": list(shape.windows),
        "global_attention_blocks": list(shape.global_blocks),
        "window_positional_embedding_background_size": list(shape.background),
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": widths[::-1],
        "backbone_feature_sizes": [[side // stride] * 2 for stride in (4, 8, 16)],
    }
    newer = version == "2.1"
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": side},
        mask_decoder_config={},
        image_size=side,
        memory_attention_rope_feat_sizes=[side // 16, side // 16],
        enable_temporal_pos_encoding_for_object_pointers=newer,
        enable_occlusion_spatial_embedding=newer,
    )


def shape_and_version(config: Any) -> tuple[ModelShape, str]:
    """Back from a Sam2VideoConfig, to the name of a published size where it is one."""
    backbone = config.vision_config.backbone_config
    shape = ModelShape(
        "custom",
        backbone.hidden_size,
        backbone.num_attention_heads_per_stage[0],
        tuple(backbone.blocks_per_stage),
        tuple(backbone.global_attention_blocks),
        tuple(backbone.window_positional_embedding_background_size),
        tuple(backbone.window_size_per_stage),
        config.image_size,
    )
    version = "2.1" if config.enable_occlusion_spatial_embedding else "2.0"
    for name, size in SIZES.items():
        if replace(shape, name=name) == size.at(shape.image_size):
            return replace(shape, name=name), version
    return shape, version
