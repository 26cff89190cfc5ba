"""The demo Grounding DINO: its configuration, its start, and the forward pass in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    PreTrainedTokenizerBase,
    SwinConfig,
)

from training.detection_loss import PADDED

# 160 pixels rather than 192: a third less to compute, and as many more scenes seen.
SIDE = 160
STRIDES = (8, 16, 32)


def build_config(words: int) -> GroundingDinoConfig:
    """The shipped configuration for a tokenizer of ``words`` tokens."""
    backbone: Any = SwinConfig(
        image_size=SIDE,
        patch_size=4,
        embed_dim=40,
        depths=[1, 2, 4, 1],
        num_heads=[2, 4, 8, 8],
        window_size=5,
        mlp_ratio=2.0,
        drop_path_rate=0.0,
        out_features=["stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    text = BertConfig(
        vocab_size=words,
        hidden_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=192,
        max_position_embeddings=256,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=96,
        num_queries=40,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_n_points=2,
        decoder_n_points=4,
        num_feature_levels=len(STRIDES),
        dropout=0.0,
        fusion_droppath=0.0,
        max_text_len=256,
        two_stage=True,
        auxiliary_loss=False,
        disable_custom_kernels=True,
    )


def build_model(config: GroundingDinoConfig) -> GroundingDinoForObjectDetection:
    """A new model whose word logits start near -3: most words are not there.

    The contrastive head has neither scale nor bias, so the layer norms on its two sides start
    with small gains and with opposite biases along one direction.
    """
    model = GroundingDinoForObjectDetection(config)
    enhancer = model.model.encoder.layers[-1].text_enhancer_layer
    sides = [
        (model.model.enc_output_norm, 1.0),
        (model.model.decoder.layer_norm, 1.0),
        (enhancer.layer_norm_after, -1.0),
    ]
    with torch.no_grad():
        for norm, sign in sides:
            norm.weight.fill_(0.35)
            norm.bias.fill_(sign * (3.0 / config.d_model) ** 0.5)
    return model


def backbone_of(model: GroundingDinoForObjectDetection) -> Any:
    """The Swin in a Grounding DINO: what the first stage makes and the second one starts from."""
    return model.model.backbone.conv_encoder.model


def load_backbone(model: GroundingDinoForObjectDetection, checkpoint: Path) -> None:
    """Puts the averaged backbone of a checkpoint of the first stage into a new model."""
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"{checkpoint} isn't there: run python -m training.grounding_dino_backbone first"
        )
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]
    prefix = "backbone."
    backbone_of(model).load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, prompts: list[list[str]]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Captions ("cat . hot dog .") as ids (B, T), mask (B, T) and, for each, which tokens belong
    to which phrase: (P, T) of zeros and ones."""
    stop = tokenizer.convert_tokens_to_ids(".")
    rows, spans = [], []
    for phrases in prompts:
        row, row_spans = [tokenizer.cls_token_id], []
        for ids in tokenizer(phrases, add_special_tokens=False).input_ids:
            row_spans.append((len(row), len(row) + len(ids)))
            row += [*ids, stop]
        rows.append([*row, tokenizer.sep_token_id])
        spans.append(row_spans)
    width = max(len(row) for row in rows)
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(input_ids)
    tokens = [torch.zeros(len(row_spans), width) for row_spans in spans]
    for b, row in enumerate(rows):
        input_ids[b, : len(row)] = torch.tensor(row)
        mask[b, : len(row)] = 1
        for phrase, (start, end) in enumerate(spans[b]):
            tokens[b][phrase, start:end] = 1
    return input_ids, mask, tokens


def forward(
    model: Any, batch: dict[str, Any]
) -> tuple[list[tuple[Tensor, Tensor]], tuple[Tensor, Tensor], Tensor]:
    """Float32 logits (B, S, T) and boxes (B, S, 4) of each decoder layer and of the proposals, and
    the bool mask (B, T) of real tokens. Padded tokens have a large negative logit."""
    out = model.model(
        pixel_values=batch["pixel_values"],
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
    )
    mask = batch["attention_mask"].bool()
    width = mask.shape[1]

    def tidy(logits: Tensor) -> Tensor:
        return logits[..., :width].float().masked_fill(~mask[:, None], PADDED)

    layers = []
    hidden = out.intermediate_hidden_states
    for number in range(hidden.shape[1]):
        reference = (
            out.init_reference_points
            if number == 0
            else out.intermediate_reference_points[:, number - 1]
        )
        logits = model.class_embed[number](
            hidden[:, number], out.encoder_last_hidden_state_text, mask
        )
        delta = model.bbox_embed[number](hidden[:, number]).float()
        boxes = (delta + torch.special.logit(reference.float(), eps=1e-5)).sigmoid()
        layers.append((tidy(logits), boxes))
    dense = tidy(out.enc_outputs_class), out.enc_outputs_coord_logits.float().sigmoid()
    return layers, dense, mask
