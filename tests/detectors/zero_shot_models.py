"""Tiny OWLv2, OmDet-Turbo and SAM 3 checkpoints with random weights, in the hub's format."""

import json

import torch
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from benchmarks.checkpoints.standin import SAM3
from tests.detectors.conftest import WORDS, randomize

LENGTH = 12


def clip_tokenizer():
    """Words as they are; the end has the highest id, by which these models find it."""
    ids = {word: i for i, word in enumerate(["<pad>", "<bos>", "<unk>", *WORDS, "<eos>"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", len(ids) - 1)]
    )
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
    )


def text_config():
    return {
        "vocab_size": len(clip_tokenizer()),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": LENGTH,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": len(clip_tokenizer()) - 1,
    }


def save_owlv2(folder):
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    vision = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
    }
    config = tf.Owlv2Config(text_config=text_config(), vision_config=vision, projection_dim=32)
    randomize(tf.Owlv2ForObjectDetection(config)).save_pretrained(folder)
    Owlv2ImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)
    return folder


def save_omdet(folder):
    from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

    backbone = tf.SwinConfig(
        image_size=64,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 4],
        window_size=2,
        drop_path_rate=0.0,
        out_indices=[2, 3, 4],
    )
    config = tf.OmDetTurboConfig(
        backbone_config=backbone,
        # As wide as the decoder, it fails: transformers projects only where the widths differ.
        text_config={"model_type": "clip_text_model"} | text_config() | {"hidden_size": 48},
        apply_layernorm_after_vision_backbone=False,
        image_size=64,
        text_projection_in_dim=48,
        text_projection_out_dim=48,
        task_encoder_hidden_dim=32,
        class_embed_dim=48,
        num_queries=20,
        encoder_hidden_dim=32,
        vision_features_channels=[32, 32, 32],
        encoder_in_channels=[32, 64, 128],
        encoder_dim_feedforward=32,
        encoder_attention_heads=2,
        decoder_hidden_dim=32,
        decoder_num_heads=2,
        decoder_num_layers=2,
        decoder_dim_feedforward=32,
    )
    model = randomize(tf.OmDetTurboForObjectDetection(config))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # or nothing of the picture would come through
    _even_out(model)
    model.save_pretrained(folder)
    DetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)
    return folder


@torch.inference_mode()
def _even_out(model):
    """Let the words compete: random queries are much alike, and would all prefer the same one.

    What the queries have in common is taken out of the space that the words are projected into,
    and what the words have in common as well.
    """
    tokens = clip_tokenizer()(WORDS, padding="max_length", max_length=LENGTH, return_tensors="pt")
    asked = {f"classes_{k}": tokens[k] for k in ("input_ids", "attention_mask")}
    asked |= {f"tasks_{k}": tokens[k][:1] for k in ("input_ids", "attention_mask")}
    pixels = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    queries, words = [], []
    head = model.decoder.decoder_class_head[-1]
    hooks = [
        model.decoder.layers[-1].register_forward_hook(lambda *call: queries.append(call[2][0])),
        head.register_forward_pre_hook(lambda _, given: words.append(given[0])),
    ]
    model(pixels, classes_structure=torch.tensor([len(WORDS)]), **asked)
    for hook in hooks:
        hook.remove()
    common = torch.nn.functional.normalize(queries[0][0], dim=-1).mean(dim=0)
    common /= common.norm()
    head.weight -= common[:, None] * (common @ head.weight)
    head.bias.copy_(-head.weight @ words[0].flatten(0, -2).mean(dim=0))


def save_sam3(folder):
    part = {"hidden_size": 32, "num_attention_heads": 2}
    layers = part | {"num_layers": 1, "intermediate_size": 32}
    config = tf.Sam3Config(
        vision_config={
            "backbone_config": part
            | {
                "model_type": "sam3_vit_model",
                "intermediate_size": 32,
                "num_hidden_layers": 2,
                "image_size": 56,
                "pretrain_image_size": 28,
                "patch_size": 14,
                "window_size": 2,
                "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config={"model_type": "clip_text_model", "projection_dim": 32} | text_config(),
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config=layers | {"num_queries": 10},
        mask_decoder_config=part,
    )
    randomize(tf.Sam3Model(config)).save_pretrained(folder)
    # Its processor's class needs torchvision: the published file, for smaller pictures.
    fields = json.loads((SAM3.folder / "preprocessor_config.json").read_text())
    fields["size"] = {"height": 56, "width": 56}
    (folder / "preprocessor_config.json").write_text(json.dumps(fields))
    clip_tokenizer().save_pretrained(folder)
    return folder
