"""config.json as the Hugging Face hub has it for SAM 2, to and from :class:`Sam2Config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sam2core.config import VERSIONS, Sam2Config
from sam2core.errors import WeightsError

# Where each of our fields stands in config.json; what is absent there has its default.
_FIELDS: dict[str, tuple[str, ...]] = {
    "embed_dim": ("vision_config", "backbone_config", "hidden_size"),
    "num_heads": ("vision_config", "backbone_config", "num_attention_heads"),
    "blocks": ("vision_config", "backbone_config", "blocks_per_stage"),
    "global_blocks": ("vision_config", "backbone_config", "global_attention_blocks"),
    "window_sizes": ("vision_config", "backbone_config", "window_size_per_stage"),
    "position_size": (
        "vision_config",
        "backbone_config",
        "window_positional_embedding_background_size",
    ),
    "mlp_ratio": ("vision_config", "backbone_config", "mlp_ratio"),
    "image_size": ("prompt_encoder_config", "image_size"),
    "dim": ("vision_config", "fpn_hidden_size"),
    "decoder_heads": ("mask_decoder_config", "num_attention_heads"),
    "decoder_mlp_dim": ("mask_decoder_config", "mlp_dim"),
    "iou_hidden_dim": ("mask_decoder_config", "iou_head_hidden_dim"),
    "mask_channels": ("prompt_encoder_config", "mask_input_channels"),
    "memory_dim": ("memory_encoder_output_channels",),
    "num_memories": ("num_maskmem",),
    "max_pointers": ("max_object_pointers_in_encoder",),
    "memory_layers": ("memory_attention_num_layers",),
    "memory_mlp_dim": ("memory_attention_feed_forward_hidden_size",),
    "fuser_dim": ("memory_fuser_intermediate_dim",),
}


def from_hugging_face(content: Mapping[str, Any], label: str = "config.json") -> Sam2Config:
    """Read a configuration of ``model_type`` sam2 or sam2_video."""
    kind = content.get("model_type")
    if kind not in ("sam2", "sam2_video"):
        raise WeightsError(f"{label}: expected model_type 'sam2_video' or 'sam2', found {kind!r}")
    found: dict[str, Any] = {}
    for ours, path in _FIELDS.items():
        value: Any = content
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            found[ours] = tuple(value) if isinstance(value, list) else value
    spatial = content.get("enable_occlusion_spatial_embedding", True)
    found["version"] = VERSIONS["2.1" if spatial else "2.0"]
    try:
        return Sam2Config(**found)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{label}: {error}") from error


def to_hugging_face(config: Sam2Config) -> dict[str, Any]:
    """What ``transformers.Sam2VideoConfig`` needs to build the same model."""
    content: dict[str, Any] = {
        "architectures": ["Sam2VideoModel"],
        "model_type": "sam2_video",
        "vision_config": {"backbone_config": {}},
        "prompt_encoder_config": {},
        "mask_decoder_config": {},
    }
    for ours, path in _FIELDS.items():
        place = content
        for key in path[:-1]:
            place = place[key]
        value = getattr(config, ours)
        place[path[-1]] = list(value) if isinstance(value, tuple) else value
    # What follows from these is written out, because that format keeps it as well.
    size, dim, stage_dims = config.image_size, config.dim, list(config.stage_dims)
    vision, backbone = content["vision_config"], content["vision_config"]["backbone_config"]
    vision["model_type"] = "sam2_vision_model"
    vision["backbone_channel_list"] = stage_dims[::-1]
    vision["backbone_feature_sizes"] = [[size // s, size // s] for s in (4, 8, 16)]
    backbone["model_type"] = "sam2_hiera_det_model"
    backbone["image_size"] = [size, size]
    backbone["embed_dim_per_stage"] = stage_dims
    backbone["num_attention_heads_per_stage"] = [config.num_heads * 2**i for i in range(4)]
    content["prompt_encoder_config"]["hidden_size"] = dim
    content["mask_decoder_config"]["hidden_size"] = dim
    content["image_size"] = size
    content["memory_attention_hidden_size"] = dim
    content["memory_attention_rope_feat_sizes"] = [config.embedding_size] * 2
    content["memory_encoder_hidden_size"] = dim
    content["mask_downsampler_embed_dim"] = dim
    content["memory_fuser_embed_dim"] = dim
    content["enable_occlusion_spatial_embedding"] = config.version.occlusion_embedding
    content["enable_temporal_pos_encoding_for_object_pointers"] = config.version.pointer_time
    return content
