"""Our parameter names in the words of the two checkpoint formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Format = Literal["meta", "hugging_face"]
Rule = tuple[str, str | Callable[[re.Match[str]], str]]

# Pairs of a pattern over our names and its replacement, applied in order, first to last.
_PROJECTION = r"\.(q|k|v)\.(weight|bias)$"
_TO_HUGGING_FACE: list[Rule] = [
    (r"^image_encoder\.trunk\.patch\.", "vision_encoder.backbone.patch_embed.projection."),
    (r"^image_encoder\.trunk\.position$", "vision_encoder.backbone.pos_embed"),
    (r"^image_encoder\.trunk\.window_position$", "vision_encoder.backbone.pos_embed_window"),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"(blocks\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.out\.", ".attn.proj."),
    (r"\.shortcut\.", ".proj."),
    (r"^image_encoder\.laterals\.(\d)\.", lambda m: f"vision_encoder.neck.convs.{3 - int(m[1])}."),
    (r"^prompt_encoder\.position\.matrix$", "shared_image_embedding.positional_embedding"),
    (r"^prompt_encoder\.label_embedding$", "prompt_encoder.point_embed.weight"),
    (r"^prompt_encoder\.not_a_point$", "prompt_encoder.not_a_point_embed.weight"),
    (r"^prompt_encoder\.no_mask$", "prompt_encoder.no_mask_embed.weight"),
    (r"\.mask_embedding\.0\.", ".mask_embed.conv1."),
    (r"\.mask_embedding\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_embedding\.3\.", ".mask_embed.conv2."),
    (r"\.mask_embedding\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_embedding\.6\.", ".mask_embed.conv3."),
    (r"\.presence_token$", ".obj_score_token.weight"),
    (r"\.iou_token$", ".iou_token.weight"),
    (r"\.mask_tokens$", ".mask_tokens.weight"),
    (r"\.transformer\.blocks\.", ".transformer.layers."),
    (r"(transformer\.layers\.\d+)\.norm", r"\1.layer_norm"),
    (r"\.transformer\.final_attention\.", ".transformer.final_attn_token_to_image."),
    (r"\.transformer\.final_norm\.", ".transformer.layer_norm_final_attn."),
    (r"\.token_to_image\.", ".cross_attn_token_to_image."),
    (r"\.image_to_token\.", ".cross_attn_image_to_token."),
    (r"\.upscale1\.", ".upscale_conv1."),
    (r"\.upscale2\.", ".upscale_conv2."),
    (r"\.upscale_norm\.", ".upscale_layer_norm."),
    (r"\.skip4\.", ".conv_s0."),
    (r"\.skip8\.", ".conv_s1."),
    (r"\.hypernetworks\.", ".output_hypernetworks_mlps."),
    (r"\.iou_head\.", ".iou_prediction_head."),
    (r"\.presence_head\.", ".pred_obj_score_head."),
    (r"^mask_decoder\.pointer_head\.", "object_pointer_proj."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.cross_attention\.", ".cross_attn_image."),
    (r"(attn\w*|token_to_image|image_to_token)" + _PROJECTION, r"\1.\2_proj.\3"),
    (r"(self_attn|cross_attn\w*|final_attn\w*)\.out\.", r"\1.o_proj."),
    (r"^(memory_attention\.layers\.\d+)\.norm", r"\1.layer_norm"),
    (r"^(memory_attention\.layers\.\d+)\.expand\.", r"\1.linear1."),
    (r"^(memory_attention\.layers\.\d+)\.reduce\.", r"\1.linear2."),
    (r"^memory_attention\.norm\.", "memory_attention.layer_norm."),
    (r"\.mask_downsampler\.12\.", ".mask_downsampler.final_conv."),
    (
        r"\.mask_downsampler\.(\d+)\.",
        lambda m: (
            f".mask_downsampler.layers.{int(m[1]) // 3}."
            f"{'layer_norm' if int(m[1]) % 3 else 'conv'}."
        ),
    ),
    (r"\.image_projection\.", ".feature_projection."),
    (
        r"^memory_encoder\.fuser\.(\d+)\.depthwise\.",
        r"memory_encoder.memory_fuser.layers.\1.depthwise_conv.",
    ),
    (
        r"^memory_encoder\.fuser\.(\d+)\.norm\.",
        r"memory_encoder.memory_fuser.layers.\1.layer_norm.",
    ),
    (
        r"^memory_encoder\.fuser\.(\d+)\.expand\.",
        r"memory_encoder.memory_fuser.layers.\1.pointwise_conv1.",
    ),
    (
        r"^memory_encoder\.fuser\.(\d+)\.reduce\.",
        r"memory_encoder.memory_fuser.layers.\1.pointwise_conv2.",
    ),
    (r"^memory_encoder\.fuser\.(\d+)\.", r"memory_encoder.memory_fuser.layers.\1."),
    (r"^memory_encoder\.out\.", "memory_encoder.projection."),
    (r"^mask_to_logits\.", "mask_downsample."),
    (r"^memory_time$", "memory_temporal_positional_encoding"),
    (r"^no_memory$", "no_memory_embedding"),
    (r"^no_memory_position$", "no_memory_positional_encoding"),
    (r"^no_pointer$", "no_object_pointer"),
    (r"^absent$", "occlusion_spatial_embedding_parameter"),
    (r"^pointer_time\.", "temporal_positional_encoding_projection_layer."),
    # An MLP's first and last layers have names of their own there.
    (r"(blocks\.\d+\.mlp|layers\.\d+\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"(blocks\.\d+\.mlp|layers\.\d+\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"(mlps\.\d|_head|object_pointer_proj)\.layers\.0\.", r"\1.proj_in."),
    (r"(mlps\.\d|_head|object_pointer_proj)\.layers\.1\.", r"\1.layers.0."),
    (r"(mlps\.\d|_head|object_pointer_proj)\.layers\.2\.", r"\1.proj_out."),
]
_TO_META: list[Rule] = [
    (r"^image_encoder\.trunk\.patch\.", "image_encoder.trunk.patch_embed.proj."),
    (r"^image_encoder\.trunk\.position$", "image_encoder.trunk.pos_embed"),
    (r"^image_encoder\.trunk\.window_position$", "image_encoder.trunk.pos_embed_window"),
    (r"\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.out\.", ".attn.proj."),
    (r"\.shortcut\.", ".proj."),
    (
        r"^image_encoder\.laterals\.(\d)\.",
        lambda m: f"image_encoder.neck.convs.{3 - int(m[1])}.conv.",
    ),
    (
        r"^prompt_encoder\.position\.matrix$",
        "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"^prompt_encoder\.label_embedding$", "sam_prompt_encoder.point_embeddings.*.weight"),
    (r"^prompt_encoder\.not_a_point$", "sam_prompt_encoder.not_a_point_embed.weight"),
    (r"^prompt_encoder\.no_mask$", "sam_prompt_encoder.no_mask_embed.weight"),
    (r"^prompt_encoder\.mask_embedding\.", "sam_prompt_encoder.mask_downscaling."),
    (r"\.presence_token$", ".obj_score_token.weight"),
    (r"\.iou_token$", ".iou_token.weight"),
    (r"\.mask_tokens$", ".mask_tokens.weight"),
    (r"\.transformer\.blocks\.", ".transformer.layers."),
    (r"\.transformer\.final_attention\.", ".transformer.final_attn_token_to_image."),
    (r"\.transformer\.final_norm\.", ".transformer.norm_final_attn."),
    (r"\.token_to_image\.", ".cross_attn_token_to_image."),
    (r"\.image_to_token\.", ".cross_attn_image_to_token."),
    (r"\.upscale1\.", ".output_upscaling.0."),
    (r"\.upscale_norm\.", ".output_upscaling.1."),
    (r"\.upscale2\.", ".output_upscaling.3."),
    (r"\.skip4\.", ".conv_s0."),
    (r"\.skip8\.", ".conv_s1."),
    (r"\.hypernetworks\.", ".output_hypernetworks_mlps."),
    (r"\.iou_head\.", ".iou_prediction_head."),
    (r"\.presence_head\.", ".pred_obj_score_head."),
    (r"^mask_decoder\.pointer_head\.", "obj_ptr_proj."),
    (r"^mask_decoder\.", "sam_mask_decoder."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.cross_attention\.", ".cross_attn_image."),
    (r"(attn\w*|token_to_image|image_to_token)" + _PROJECTION, r"\1.\2_proj.\3"),
    (r"(self_attn|cross_attn\w*|final_attn\w*)\.out\.", r"\1.out_proj."),
    (r"^(memory_attention\.layers\.\d+)\.expand\.", r"\1.linear1."),
    (r"^(memory_attention\.layers\.\d+)\.reduce\.", r"\1.linear2."),
    (r"\.mask_downsampler\.", ".mask_downsampler.encoder."),
    (r"\.image_projection\.", ".pix_feat_proj."),
    (r"^(memory_encoder)\.fuser\.(\d+)\.depthwise\.", r"\1.fuser.layers.\2.dwconv."),
    (r"^(memory_encoder)\.fuser\.(\d+)\.expand\.", r"\1.fuser.layers.\2.pwconv1."),
    (r"^(memory_encoder)\.fuser\.(\d+)\.reduce\.", r"\1.fuser.layers.\2.pwconv2."),
    (r"^(memory_encoder)\.fuser\.(\d+)\.scale$", r"\1.fuser.layers.\2.gamma"),
    (r"^(memory_encoder)\.fuser\.(\d+)\.norm\.", r"\1.fuser.layers.\2.norm."),
    (r"^memory_encoder\.out\.", "memory_encoder.out_proj."),
    (r"^mask_to_logits\.", "mask_downsample."),
    (r"^memory_time$", "maskmem_tpos_enc"),
    (r"^no_memory$", "no_mem_embed"),
    (r"^no_memory_position$", "no_mem_pos_enc"),
    (r"^no_pointer$", "no_obj_ptr"),
    (r"^absent$", "no_obj_embed_spatial"),
    (r"^pointer_time\.", "obj_ptr_tpos_proj."),
]


def name_in(format: Format, ours: str) -> str:
    """What our parameter ``ours`` is called in a checkpoint of ``format``.

    Meta keeps the embedding of every point label apart: a ``*`` stands for their numbers.
    """
    for pattern, replacement in _TO_META if format == "meta" else _TO_HUGGING_FACE:
        ours = re.sub(pattern, replacement, ours)
    return ours
