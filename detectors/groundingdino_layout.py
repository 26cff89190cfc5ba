"""What an original Grounding DINO checkpoint has in it, and what the hub calls it.

``entries`` lists every tensor by name and shape, with its name in the hub's checkpoints
(IDEA-Research/grounding-dino-tiny). transformers itself turns the hub's names into those that
its version uses inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# The published configurations (Swin-T and Swin-B alike) say so; no shape tells.
_HEADS, _MAX_TEXT = 8, 256


@dataclass(frozen=True)
class Entry:
    """One tensor of an original checkpoint, and its hub names: stacked ones get several."""

    source: str
    shape: tuple[int, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Sizes:
    """What the shapes of an original checkpoint tell about its architecture."""

    swin_dim: int
    swin_depths: tuple[int, ...]
    swin_heads: tuple[int, ...]
    window: int
    dim: int
    levels: int
    points: int
    queries: int
    encoder_layers: int
    decoder_layers: int
    ffn: int
    text_dim: int
    text_layers: int
    text_ffn: int
    text_words: int
    text_positions: int

    @classmethod
    def of(cls, state: Mapping[str, Tensor], label: str) -> Sizes:
        """Read them off a state dict; ``ValueError`` where its tensors are missing."""

        def shape(name: str, ndim: int) -> tuple[int, ...]:
            if name not in state or state[name].ndim != ndim:
                raise ValueError(
                    f"{label}: not an original checkpoint of Grounding DINO, which has a tensor "
                    f"{name!r} of {ndim} dimensions; it has {len(state)}, {sorted(state)[:3]} "
                    "for the first"
                )
            return tuple(state[name].shape)

        def count(pattern: str) -> int:
            found = (re.match(pattern, name) for name in state)
            return 1 + max((int(m[1]) for m in found if m), default=-1)

        table = r"backbone.0.layers.{}.blocks.0.attn.relative_position_bias_table"
        stages = range(count(r"backbone\.0\.layers\.(\d+)\."))
        ffn, dim = shape("transformer.encoder.layers.0.linear1.weight", 2)
        levels = shape("transformer.level_embed", 2)[0]
        offsets = shape("transformer.encoder.layers.0.self_attn.sampling_offsets.bias", 1)[0]
        words, text_dim = shape("bert.embeddings.word_embeddings.weight", 2)
        return cls(
            swin_dim=shape("backbone.0.patch_embed.proj.weight", 4)[0],
            swin_depths=tuple(count(rf"backbone\.0\.layers\.{i}\.blocks\.(\d+)\.") for i in stages),
            swin_heads=tuple(shape(table.format(i), 2)[1] for i in stages),
            window=(round(shape(table.format(0), 2)[0] ** 0.5) + 1) // 2,
            dim=dim,
            levels=levels,
            points=max(1, offsets // (_HEADS * levels * 2)),
            queries=shape("transformer.tgt_embed.weight", 2)[0],
            encoder_layers=count(r"transformer\.encoder\.layers\.(\d+)\."),
            decoder_layers=count(r"transformer\.decoder\.layers\.(\d+)\."),
            ffn=ffn,
            text_dim=text_dim,
            text_layers=count(r"bert\.encoder\.layer\.(\d+)\."),
            text_ffn=shape("bert.encoder.layer.0.intermediate.dense.weight", 2)[0],
            text_words=words,
            text_positions=shape("bert.embeddings.position_embeddings.weight", 2)[0],
        )

    def config(self, shared_box_head: bool = True) -> Any:
        """The configuration of transformers' class."""
        import transformers as tf

        stages: dict[str, Any] = {"out_features": ["stage2", "stage3", "stage4"]}
        backbone = tf.SwinConfig(
            embed_dim=self.swin_dim,
            depths=list(self.swin_depths),
            num_heads=list(self.swin_heads),
            window_size=self.window,
            **stages,
        )
        text = tf.BertConfig(
            vocab_size=self.text_words,
            hidden_size=self.text_dim,
            num_hidden_layers=self.text_layers,
            num_attention_heads=max(1, self.text_dim // 64),  # of BERT's sizes all
            intermediate_size=self.text_ffn,
            max_position_embeddings=self.text_positions,
        )
        return tf.GroundingDinoConfig(
            backbone_config=backbone,
            text_config=text,
            d_model=self.dim,
            num_queries=self.queries,
            num_feature_levels=self.levels,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            encoder_ffn_dim=self.ffn,
            decoder_ffn_dim=self.ffn,
            encoder_attention_heads=_HEADS,
            decoder_attention_heads=_HEADS,
            encoder_n_points=self.points,
            decoder_n_points=self.points,
            max_text_len=_MAX_TEXT,
            dropout=0.0,
            decoder_bbox_embed_share=shared_box_head,
        )


def entries(sizes: Sizes) -> Iterator[Entry]:
    """Every tensor that a checkpoint of these sizes must have."""
    yield from _backbone(sizes)
    yield from _text(sizes)
    yield from _encoder(sizes)
    yield from _decoder(sizes)


def _tensor(source: str, target: str, *shape: int) -> Iterator[Entry]:
    yield Entry(source, shape, (target,))


def _layer(source: str, target: str, *shape: int) -> Iterator[Entry]:
    """Weight and bias of a layer; ``shape`` is the weight's."""
    yield Entry(f"{source}.weight", shape, (f"{target}.weight",))
    yield Entry(f"{source}.bias", shape[:1], (f"{target}.bias",))


def _stacked(weight: str, bias: str, target: str, dim: int) -> Iterator[Entry]:
    """Query, key and value in one tensor."""
    names = ("query", "key", "value")
    yield Entry(weight, (3 * dim, dim), tuple(f"{target}.{n}.weight" for n in names))
    yield Entry(bias, (3 * dim,), tuple(f"{target}.{n}.bias" for n in names))


def _attention(source: str, target: str, dim: int) -> Iterator[Entry]:
    """torch's multi-head attention."""
    yield from _stacked(f"{source}.in_proj_weight", f"{source}.in_proj_bias", target, dim)
    yield from _layer(f"{source}.out_proj", f"{target}.out_proj", dim, dim)


def _deformable(source: str, target: str, sizes: Sizes) -> Iterator[Entry]:
    places = _HEADS * sizes.levels * sizes.points
    for name, rows in (
        ("sampling_offsets", 2 * places),
        ("attention_weights", places),
        ("value_proj", sizes.dim),
        ("output_proj", sizes.dim),
    ):
        yield from _layer(f"{source}.{name}", f"{target}.{name}", rows, sizes.dim)


def _mlp(source: str, target: str, *dims: int) -> Iterator[Entry]:
    for i in range(len(dims) - 1):
        yield from _layer(f"{source}.layers.{i}", f"{target}.layers.{i}", dims[i + 1], dims[i])


def _backbone(sizes: Sizes) -> Iterator[Entry]:
    theirs, hub = "backbone.0", "model.backbone.conv_encoder.model"
    patches = f"{hub}.embeddings.patch_embeddings.projection"
    yield from _layer(f"{theirs}.patch_embed.proj", patches, sizes.swin_dim, 3, 4, 4)
    yield from _layer(f"{theirs}.patch_embed.norm", f"{hub}.embeddings.norm", sizes.swin_dim)
    bias = "relative_position_bias_table"
    for i, (depth, heads) in enumerate(zip(sizes.swin_depths, sizes.swin_heads, strict=True)):
        dim = sizes.swin_dim * 2**i
        for b in range(depth):
            s, t = f"{theirs}.layers.{i}.blocks.{b}", f"{hub}.encoder.layers.{i}.blocks.{b}"
            rows = (2 * sizes.window - 1) ** 2
            yield from _layer(f"{s}.norm1", f"{t}.layernorm_before", dim)
            yield from _tensor(f"{s}.attn.{bias}", f"{t}.attention.self.{bias}", rows, heads)
            qkv = f"{s}.attn.qkv"
            yield from _stacked(f"{qkv}.weight", f"{qkv}.bias", f"{t}.attention.self", dim)
            yield from _layer(f"{s}.attn.proj", f"{t}.attention.output.dense", dim, dim)
            yield from _layer(f"{s}.norm2", f"{t}.layernorm_after", dim)
            yield from _layer(f"{s}.mlp.fc1", f"{t}.intermediate.dense", 4 * dim, dim)
            yield from _layer(f"{s}.mlp.fc2", f"{t}.output.dense", dim, 4 * dim)
        if i < len(sizes.swin_depths) - 1:
            s, t = f"{theirs}.layers.{i}.downsample", f"{hub}.encoder.layers.{i}.downsample"
            name = "reduction.weight"
            yield from _tensor(f"{s}.{name}", f"{t}.{name}", 2 * dim, 4 * dim)
            yield from _layer(f"{s}.norm", f"{t}.norm", 4 * dim)
        if i > 0:
            norm = f"{hub}.hidden_states_norms.stage{i + 1}"
            yield from _layer(f"{theirs}.norm{i}", norm, dim)
    channels = [sizes.swin_dim * 2**i for i in range(1, len(sizes.swin_depths))]
    channels.append(channels[-1])
    for i in range(sizes.levels):
        s, t = f"input_proj.{i}", f"model.input_proj_vision.{i}"
        width = channels[i] if i < len(channels) else sizes.dim
        kernel = 1 if i < len(channels) - 1 else 3  # beyond the backbone's, levels shrink
        yield from _layer(f"{s}.0", f"{t}.0", sizes.dim, width, kernel, kernel)
        yield from _layer(f"{s}.1", f"{t}.1", sizes.dim)


def _text(sizes: Sizes) -> Iterator[Entry]:
    dim, ours, hub = sizes.text_dim, "bert", "model.text_backbone"
    for name, rows in (
        ("word", sizes.text_words),
        ("position", sizes.text_positions),
        ("token_type", 2),
    ):
        table = f"embeddings.{name}_embeddings.weight"
        yield from _tensor(f"{ours}.{table}", f"{hub}.{table}", rows, dim)
    yield from _layer(f"{ours}.embeddings.LayerNorm", f"{hub}.embeddings.LayerNorm", dim)
    for i in range(sizes.text_layers):
        for name, shape in (
            ("attention.self.query", (dim, dim)),
            ("attention.self.key", (dim, dim)),
            ("attention.self.value", (dim, dim)),
            ("attention.output.dense", (dim, dim)),
            ("attention.output.LayerNorm", (dim,)),
            ("intermediate.dense", (sizes.text_ffn, dim)),
            ("output.dense", (dim, sizes.text_ffn)),
            ("output.LayerNorm", (dim,)),
        ):
            part = f"encoder.layer.{i}.{name}"
            yield from _layer(f"{ours}.{part}", f"{hub}.{part}", *shape)
    yield from _layer("feat_map", "model.text_projection", sizes.dim, dim)


def _encoder(sizes: Sizes) -> Iterator[Entry]:
    dim, ffn, small = sizes.dim, sizes.ffn, sizes.ffn // 2
    yield from _tensor("transformer.level_embed", "model.level_embed", sizes.levels, dim)
    for i in range(sizes.encoder_layers):
        s, t = f"transformer.encoder.layers.{i}", f"model.encoder.layers.{i}.deformable_layer"
        yield from _deformable(f"{s}.self_attn", f"{t}.self_attn", sizes)
        yield from _layer(f"{s}.norm1", f"{t}.self_attn_layer_norm", dim)
        yield from _layer(f"{s}.linear1", f"{t}.fc1", ffn, dim)
        yield from _layer(f"{s}.linear2", f"{t}.fc2", dim, ffn)
        yield from _layer(f"{s}.norm2", f"{t}.final_layer_norm", dim)
        s = f"transformer.encoder.text_layers.{i}"
        t = f"model.encoder.layers.{i}.text_enhancer_layer"
        yield from _attention(f"{s}.self_attn", f"{t}.self_attn", dim)
        yield from _layer(f"{s}.norm1", f"{t}.layer_norm_before", dim)
        yield from _layer(f"{s}.linear1", f"{t}.fc1", small, dim)
        yield from _layer(f"{s}.linear2", f"{t}.fc2", dim, small)
        yield from _layer(f"{s}.norm2", f"{t}.layer_norm_after", dim)
        s, t = f"transformer.encoder.fusion_layers.{i}", f"model.encoder.layers.{i}.fusion_layer"
        for letter, word in (("v", "vision"), ("l", "text")):
            yield from _tensor(f"{s}.gamma_{letter}", f"{t}.{word}_param", dim)
            yield from _layer(f"{s}.layer_norm_{letter}", f"{t}.layer_norm_{word}", dim)
            for prefix, shape in (
                ("", (small, dim)),
                ("values_", (small, dim)),
                ("out_", (dim, small)),
            ):
                theirs, hub = f"attn.{prefix}{letter}_proj", f"attn.{prefix}{word}_proj"
                yield from _layer(f"{s}.{theirs}", f"{t}.{hub}", *shape)


def _decoder(sizes: Sizes) -> Iterator[Entry]:
    dim, ffn = sizes.dim, sizes.ffn
    for i in range(sizes.decoder_layers):
        s, t = f"transformer.decoder.layers.{i}", f"model.decoder.layers.{i}"
        yield from _attention(f"{s}.self_attn", f"{t}.self_attn", dim)
        yield from _layer(f"{s}.norm2", f"{t}.self_attn_layer_norm", dim)
        yield from _attention(f"{s}.ca_text", f"{t}.encoder_attn_text", dim)
        yield from _layer(f"{s}.catext_norm", f"{t}.encoder_attn_text_layer_norm", dim)
        yield from _deformable(f"{s}.cross_attn", f"{t}.encoder_attn", sizes)
        yield from _layer(f"{s}.norm1", f"{t}.encoder_attn_layer_norm", dim)
        yield from _layer(f"{s}.linear1", f"{t}.fc1", ffn, dim)
        yield from _layer(f"{s}.linear2", f"{t}.fc2", dim, ffn)
        yield from _layer(f"{s}.norm3", f"{t}.final_layer_norm", dim)
        yield from _mlp(f"bbox_embed.{i}", f"bbox_embed.{i}", dim, dim, dim, 4)
    head = "ref_point_head"
    yield from _layer("transformer.decoder.norm", "model.decoder.layer_norm", dim)
    yield from _mlp(
        f"transformer.decoder.{head}", "model.decoder.reference_points_head", 2 * dim, dim, dim
    )
    queries = "model.query_position_embeddings.weight"
    yield from _tensor("transformer.tgt_embed.weight", queries, sizes.queries, dim)
    yield from _layer("transformer.enc_output", "model.enc_output", dim, dim)
    yield from _layer("transformer.enc_output_norm", "model.enc_output_norm", dim)
    box_head = "model.encoder_output_bbox_embed"
    yield from _mlp("transformer.enc_out_bbox_embed", box_head, dim, dim, dim, 4)
