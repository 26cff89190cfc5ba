"""The published configurations made small: fewer and narrower layers, everything else as it is."""

from __future__ import annotations

from typing import Any

SIDE = 128
"""Of the pictures that a small SAM 2, CLIPSeg, OWLv2 or OmDet-Turbo sees."""

SIDE_SAM3 = 56
"""Of those of a small SAM 3, whose patches are 14 pixels wide."""


def shrink(content: dict[str, Any]) -> None:
    """Make a model's published configuration one of a few milliseconds, in place."""
    kind = content["model_type"]
    if kind.startswith("sam2"):
        _shrink_sam2(content)
    elif kind in ("grounding-dino", "mm-grounding-dino"):
        _shrink_grounding_dino(content)
    elif kind in ("clipseg", "owlv2"):
        _shrink_clip(content)
    elif kind == "omdet-turbo":
        _shrink_omdet(content)
    elif kind == "sam3":
        _shrink_sam3(content)
    else:
        raise ValueError(f"no small one of {kind} is known")


def processor_fields(fields: dict[str, Any], content: dict[str, Any]) -> None:
    """A processor file for the pictures of a small model, in place."""
    side = SIDE_SAM3 if content["model_type"] == "sam3" else SIDE
    for part in (fields, fields.get("image_processor", {}), fields.get("video_processor", {})):
        if "shortest_edge" in (part.get("size") or {}):
            part["size"] = {"shortest_edge": 100, "longest_edge": 167}
        elif "size" in part:
            part["size"] = {"height": side, "width": side}
        if "mask_size" in part:
            part["mask_size"] = {"height": side // 4, "width": side // 4}
    if "target_size" in fields:
        fields["target_size"] = side


def _shrink_sam2(content: dict[str, Any]) -> None:
    vision = content["vision_config"]
    hiera = vision["backbone_config"]
    width = 8 * hiera["num_attention_heads_per_stage"][0]
    widths = [width * 2**stage for stage in range(4)]
    hiera |= {
        "hidden_size": width,
        "embed_dim_per_stage": widths,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 2, 3, 1],
        "global_attention_blocks": [4],
    }
    vision["backbone_channel_list"] = widths[::-1]
    vision["backbone_feature_sizes"] = [[SIDE // stride] * 2 for stride in (4, 8, 16)]
    content["prompt_encoder_config"]["image_size"] = SIDE
    if content["model_type"] == "sam2_video":
        content["image_size"] = SIDE
        content["memory_attention_rope_feat_sizes"] = [SIDE // 16] * 2


def _shrink_grounding_dino(content: dict[str, Any]) -> None:
    content["backbone_config"] |= _small_swin()
    content["text_config"] |= {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    content |= {
        "d_model": 32,
        "num_queries": 20,
        "encoder_layers": 1,
        "decoder_layers": 3,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
    }


def _small_swin() -> dict[str, Any]:
    """Of a Swin transformer's configuration; names of stages follow from the number of stages."""
    return {
        "embed_dim": 16,
        "hidden_size": 128,
        "depths": [1, 1, 1, 1],
        "num_layers": 4,
        "num_heads": [1, 2, 2, 4],
        "window_size": 4,
        "drop_path_rate": 0.0,
    }


def _shrink_clip(content: dict[str, Any]) -> None:
    layers = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 32}
    for part in ("text_config", "vision_config"):
        content[part] |= layers | {"intermediate_size": 64}
    content["projection_dim"] = 32
    if content["model_type"] == "clipseg":
        content |= {
            "extract_layers": [0, 1],
            "reduce_dim": 16,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
        }
        content["vision_config"]["image_size"] = 64  # enlarged for the pictures, as published
    else:
        content["vision_config"]["image_size"] = SIDE


def _shrink_omdet(content: dict[str, Any]) -> None:
    content["text_config"] |= {
        "hidden_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    content |= {
        "image_size": SIDE,
        "text_projection_in_dim": 48,
        "text_projection_out_dim": 48,
        "task_encoder_hidden_dim": 32,
        "class_embed_dim": 48,
        "num_queries": 20,
        "d_model": 32,
        "vision_features_channels": [32, 32, 32],
        "encoder_dim_feedforward": 32,
        "encoder_attention_heads": 2,
        "decoder_hidden_dim": 32,
        "decoder_num_heads": 2,
        "decoder_num_layers": 2,
        "decoder_dim_feedforward": 32,
    }
    content["backbone_kwargs"] = content["backbone_kwargs"] | {"img_size": SIDE}


def _shrink_sam3(content: dict[str, Any]) -> None:
    part = {"hidden_size": 32, "num_attention_heads": 2}
    layers = part | {"num_layers": 1, "intermediate_size": 32}
    vision = content["vision_config"]
    vision["backbone_config"] |= part | {
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "image_size": SIDE_SAM3,
        "pretrain_image_size": SIDE_SAM3 // 2,
        "window_size": 2,
        "global_attn_indexes": [1],
    }
    vision |= {"fpn_hidden_size": 32, "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]}
    content["text_config"] |= part | {
        "num_hidden_layers": 1,
        "intermediate_size": 32,
        "projection_dim": 32,
    }
    for name in ("geometry_encoder_config", "detr_encoder_config"):
        content[name] |= layers
    content["detr_decoder_config"] |= layers | {"num_queries": 10}
    content["mask_decoder_config"] |= part


def use_transformers_swin(content: dict[str, Any]) -> None:
    """Give OmDet-Turbo transformers' own Swin in the place of timm's, as its conversion script
    does on request: for machines without timm."""
    for key in ("backbone", "backbone_kwargs", "use_timm_backbone", "use_pretrained_backbone"):
        content.pop(key, None)
    small = content["image_size"] == SIDE
    content["backbone_config"] = {
        "model_type": "swin",
        "image_size": content["image_size"],
        "window_size": 7,
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
        "out_indices": [2, 3, 4],
        **(_small_swin() if small else {}),
    }
    # timm's gives channels last, which that norm is for; transformers' own has norms inside.
    content["apply_layernorm_after_vision_backbone"] = False
    if small:
        content["encoder_in_channels"] = [32, 64, 128]
