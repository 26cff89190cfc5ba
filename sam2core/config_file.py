"""config.json as the Hugging Face hub has it for SAM 2, to and from :class:`Sam2Config`.

What the fields mean is transformers' ``configuration_sam2.py`` and ``configuration_sam2_video.py``
(read, not copied). Of every field that changes the function, either the value is read, or it must
be the one that this code computes; fields that aren't known are refused. Where one is absent, it
has transformers' default, whatever the others say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sam2core.config import VERSIONS, Sam2Config
from sam2core.config_reader import Fields, refuse_if_wrong
from sam2core.errors import WeightsError

# What transformers writes into any configuration, and what only matters in training. Of the
# first, versions before 5 repeat some fifty, all about generating text, in each inner object.
_GENERIC = (
    *("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"),
    *("model_type", "initializer_range", "id2label", "label2id", "num_labels", "problem_type"),
    *("return_dict", "output_attentions", "output_hidden_states", "torchscript", "use_bfloat16"),
    *("tf_legacy_loss", "finetuning_task", "task_specific_params", "tokenizer_class", "prefix"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id"),
    *("is_decoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size"),
    *("tie_encoder_decoder", "tie_word_embeddings", "chunk_size_feed_forward", "use_cache"),
    *("bad_words_ids", "begin_suppress_tokens", "suppress_tokens", "diversity_penalty"),
    *("do_sample", "early_stopping", "encoder_no_repeat_ngram_size", "no_repeat_ngram_size"),
    *("exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id"),
    *("length_penalty", "max_length", "min_length", "num_beam_groups", "num_beams"),
    *("num_return_sequences", "output_scores", "remove_invalid_values", "repetition_penalty"),
    *("return_dict_in_generate", "temperature", "top_k", "top_p", "typical_p"),
    *("_attn_implementation", "attn_implementation", "_attn_implementation_autoset"),
)


def from_hugging_face(content: Mapping[str, Any], label: str = "config.json") -> Sam2Config:
    """Read a configuration of ``model_type`` sam2 (images alone) or sam2_video.

    Raises :class:`WeightsError` for other models, and names every field that isn't known or has
    a value that this code can't compute.
    """
    kind = content.get("model_type")
    if kind not in ("sam2", "sam2_video"):
        raise WeightsError(f"{label}: expected model_type 'sam2_video' or 'sam2', found {kind!r}")
    problems: list[str] = []
    whole = Fields(content, "", problems)
    try:
        found = _read_image_encoder(whole.inner("vision_config"))
        size, dim = found["image_size"], found["dim"]
        found |= _read_prompt_encoder(whole.inner("prompt_encoder_config"), size, dim)
        found |= _read_mask_decoder(whole.inner("mask_decoder_config"), dim)
        if kind == "sam2_video":
            found |= _read_memory(whole, size, dim)
        whole.skip(_GENERIC)
        whole.end()
        refuse_if_wrong(label, problems)
        return Sam2Config(tracks=kind == "sam2_video", **found)
    except (TypeError, ValueError, IndexError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{label}: {error}") from error


def _read_image_encoder(vision: Fields) -> dict[str, Any]:
    hiera = vision.inner("backbone_config")
    width = hiera.read("hidden_size", 96)
    heads = hiera.read("num_attention_heads_per_stage", (1, 2, 4, 8))
    size = _side(hiera, "image_size", 1024)
    dims = _doubling(width)
    # This one is not used by transformers' backbone: the published files leave it at 1.
    hiera.skip(("num_attention_heads",))
    hiera.require_same("embed_dim_per_stage", (96, 192, 384, 768), dims)
    if not _doubles(heads):
        hiera.problems.append(
            f"{hiera.name}.num_attention_heads_per_stage is {heads}, but only numbers that double "
            "from stage to stage are supported"
        )
    hiera.require(num_channels=3, num_query_pool_stages=3, query_stride=(2, 2))
    hiera.require(patch_kernel_size=(7, 7), patch_stride=(4, 4), patch_padding=(3, 3))
    hiera.require(hidden_act="gelu", layer_norm_eps=1e-6, pruned_heads={})
    found = {
        "embed_dim": width,
        "num_heads": heads[0] if isinstance(heads, tuple) and heads else heads,
        "blocks": hiera.read("blocks_per_stage", (1, 2, 7, 2)),
        "global_blocks": hiera.read("global_attention_blocks", (5, 7, 9)),
        "window_sizes": hiera.read("window_size_per_stage", (8, 4, 14, 7)),
        "position_size": hiera.read("window_positional_embedding_background_size", (7, 7)),
        "mlp_ratio": hiera.read("mlp_ratio", 4.0),
        "dim": vision.read("fpn_hidden_size", 256),
        "image_size": size,
    }
    hiera.skip(_GENERIC)
    hiera.end()
    vision.require_same("backbone_channel_list", (768, 384, 192, 96), dims[::-1])
    vision.require_same(
        "backbone_feature_sizes",
        ((256, 256), (128, 128), (64, 64)),
        tuple((size // stride, size // stride) for stride in (4, 8, 16)),
    )
    vision.require(fpn_kernel_size=1, fpn_stride=1, fpn_padding=0, fpn_top_down_levels=(2, 3))
    vision.require(num_feature_levels=3, hidden_act="gelu", layer_norm_eps=1e-6)
    vision.skip(_GENERIC)
    vision.end()
    return found


def _read_prompt_encoder(prompt: Fields, size: int, dim: int) -> dict[str, Any]:
    prompt.require_same("hidden_size", 256, dim)
    _require_side(prompt, "image_size", 1024, size)
    _require_side(prompt, "patch_size", 16, 16)
    prompt.require(num_point_embeddings=4, hidden_act="gelu", layer_norm_eps=1e-6, scale=1)
    found = {"mask_channels": prompt.read("mask_input_channels", 16)}
    prompt.skip(_GENERIC)
    prompt.end()
    return found


def _read_mask_decoder(decoder: Fields, dim: int) -> dict[str, Any]:
    decoder.require_same("hidden_size", 256, dim)
    decoder.require(hidden_act="gelu", num_hidden_layers=2, attention_downsample_rate=2)
    decoder.require(num_multimask_outputs=3, iou_head_depth=3)
    decoder.require(dynamic_multimask_via_stability=True, dynamic_multimask_stability_delta=0.05)
    decoder.require(dynamic_multimask_stability_thresh=0.98)
    found = {
        "decoder_heads": decoder.read("num_attention_heads", 8),
        "decoder_mlp_dim": decoder.read("mlp_dim", 2048),
        "iou_hidden_dim": decoder.read("iou_head_hidden_dim", 256),
    }
    decoder.skip(_GENERIC)
    decoder.end()
    return found


def _read_memory(whole: Fields, size: int, dim: int) -> dict[str, Any]:
    _require_side(whole, "image_size", 1024, size)
    whole.require(sigmoid_scale_for_mem_enc=20.0, sigmoid_bias_for_mem_enc=-10.0)
    whole.require(multimask_output_in_sam=True, multimask_output_for_tracking=True)
    whole.require(multimask_min_pt_num=0, multimask_max_pt_num=1)
    # How many prompted memories are seen is the tracker's to say: BankSettings.max_prompted.
    whole.require(max_cond_frame_num=-1)
    whole.require_same("memory_attention_hidden_size", 256, dim)
    whole.require(memory_attention_num_attention_heads=1, memory_attention_downsample_rate=1)
    whole.require(memory_attention_feed_forward_hidden_act="relu")
    whole.require_same("memory_attention_rope_feat_sizes", (64, 64), (size // 16, size // 16))
    whole.require(memory_attention_rope_theta=10000)
    rope = whole.inner("rope_parameters")
    rope.require(rope_theta=10000, rope_type="axial")
    rope.end()
    whole.require_same("memory_encoder_hidden_size", 256, dim)
    whole.require_same("mask_downsampler_embed_dim", 256, dim)
    whole.require(mask_downsampler_kernel_size=3, mask_downsampler_stride=2)
    whole.require(mask_downsampler_padding=1, mask_downsampler_total_stride=16)
    whole.require(mask_downsampler_hidden_act="gelu")
    whole.require_same("memory_fuser_embed_dim", 256, dim)
    whole.require(memory_fuser_num_layers=2, memory_fuser_kernel_size=7, memory_fuser_padding=3)
    whole.require(memory_fuser_hidden_act="gelu")
    # Of training alone: what weights begin with, and what is dropped.
    whole.skip(("memory_fuser_layer_scale_init_value",))
    whole.skip(("memory_attention_dropout", "memory_attention_rope_dropout"))
    absent = whole.read("enable_occlusion_spatial_embedding", True)
    timed = whole.read("enable_temporal_pos_encoding_for_object_pointers", True)
    if absent != timed:
        whole.problems.append(
            "enable_occlusion_spatial_embedding and "
            "enable_temporal_pos_encoding_for_object_pointers differ, but both are on in SAM 2.1 "
            "and both are off in 2.0"
        )
    return {
        "memory_dim": whole.read("memory_encoder_output_channels", 64),
        "num_memories": whole.read("num_maskmem", 7),
        "max_pointers": whole.read("max_object_pointers_in_encoder", 16),
        "memory_layers": whole.read("memory_attention_num_layers", 4),
        "memory_mlp_dim": whole.read("memory_attention_feed_forward_hidden_size", 2048),
        "fuser_dim": whole.read("memory_fuser_intermediate_dim", 1024),
        "version": VERSIONS["2.1" if absent else "2.0"],
    }


def to_hugging_face(config: Sam2Config) -> dict[str, Any]:
    """What ``transformers.Sam2VideoConfig`` (or ``Sam2Config``) needs to build the same model."""
    size, dim, stage_dims = config.image_size, config.dim, list(config.stage_dims)
    content: dict[str, Any] = {
        "architectures": ["Sam2VideoModel" if config.tracks else "Sam2Model"],
        "model_type": "sam2_video" if config.tracks else "sam2",
        "vision_config": {
            "model_type": "sam2_vision_model",
            "fpn_hidden_size": dim,
            "backbone_channel_list": stage_dims[::-1],
            "backbone_feature_sizes": [[size // s, size // s] for s in (4, 8, 16)],
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [size, size],
                "hidden_size": config.embed_dim,
                "embed_dim_per_stage": stage_dims,
                "num_attention_heads_per_stage": list(_doubling(config.num_heads)),
                "blocks_per_stage": list(config.blocks),
                "global_attention_blocks": list(config.global_blocks),
                "window_size_per_stage": list(config.window_sizes),
                "window_positional_embedding_background_size": list(config.position_size),
                "mlp_ratio": config.mlp_ratio,
            },
        },
        "prompt_encoder_config": {
            "hidden_size": dim,
            "image_size": size,
            "mask_input_channels": config.mask_channels,
        },
        "mask_decoder_config": {
            "hidden_size": dim,
            "num_attention_heads": config.decoder_heads,
            "mlp_dim": config.decoder_mlp_dim,
            "iou_head_hidden_dim": config.iou_hidden_dim,
        },
    }
    if not config.tracks:
        return content
    return content | {
        "image_size": size,
        "memory_attention_hidden_size": dim,
        "memory_attention_rope_feat_sizes": [config.embedding_size] * 2,
        "memory_attention_num_layers": config.memory_layers,
        "memory_attention_feed_forward_hidden_size": config.memory_mlp_dim,
        "memory_encoder_hidden_size": dim,
        "memory_encoder_output_channels": config.memory_dim,
        "mask_downsampler_embed_dim": dim,
        "memory_fuser_embed_dim": dim,
        "memory_fuser_intermediate_dim": config.fuser_dim,
        "num_maskmem": config.num_memories,
        "max_object_pointers_in_encoder": config.max_pointers,
        "enable_occlusion_spatial_embedding": config.version.occlusion_embedding,
        "enable_temporal_pos_encoding_for_object_pointers": config.version.pointer_time,
    }


def _doubling(first: int) -> tuple[int, ...]:
    return tuple(first * 2**stage for stage in range(4))


def _doubles(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 4 and values == _doubling(values[0])


def _side(fields: Fields, key: str, default: int) -> Any:
    """The side of a square, given as one number or as two."""
    value = fields.read(key, default)
    if isinstance(value, tuple):
        if len(value) != 2 or value[0] != value[1]:
            fields.problems.append(f"{fields.name}.{key} is {value}, but must be a square")
        value = value[0]
    return value


def _require_side(fields: Fields, key: str, default: int, expected: int) -> None:
    found = _side(fields, key, default)
    if found != expected:
        path = f"{fields.name}.{key}" if fields.name else key
        fields.problems.append(f"{path} is {found}, but the other fields need {expected}")
