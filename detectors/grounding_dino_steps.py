"""Grounding DINO in two steps: what a picture alone decides, and then a caption.

The modules and weights are those of transformers' class, and so are the numbers, but for rounding.
Its own ``forward`` takes both at once, and computes more than is asked here: heads after all
layers, boxes of all places. Deformable attention and the fusion of picture and words are ours
(``detectors.deformable_attention``, ``detectors.fusion_attention``). For inference: nothing is
dropped out, and nothing kept for losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from detectors.deformable_attention import (
    QUERIES_AT_ONCE,
    DeformableAttention,
    Maps,
    RowTable,
    sample_grids,
)
from detectors.fusion_attention import fuse
from detectors.int8_linear import quantise

_EDGE = 1e-5  # transformers keeps boxes this far from the picture's edge before their logit


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """What B pictures of one size give without any words: N tokens each, of L maps.

    ``tokens`` (B, N, C) are normalised as the first layer wants them. ``padding`` (B, N) is None
    where there is none. ``centers`` (B, N, L, 2) are where tokens lie in each map, in cells.
    ``anchors`` (B, N, 4) are the logits of the box that each token would be, infinite where it is
    too near to the edge, and ``usable`` (B, N, 1) says where it isn't.
    """

    tokens: Tensor
    positions: Tensor
    padding: Tensor | None
    maps: Maps
    centers: Tensor
    valid: Tensor
    """(B, L, 2): the part of each map's width and height that isn't padding."""
    anchors: Tensor
    usable: Tensor


class GroundingDinoSteps:
    """``see`` pictures once, ``ask`` about them with as many captions as you like.

    ``model`` is a Grounding DINO or MM Grounding DINO of transformers. Its weights are used as
    they are at the time of a call.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def quantise(self) -> None:
        """Multiply in 8-bit numbers in the backbone and in the deformable layers of the encoder,
        which have nine tenths of the work. Where they look, and how much what they see counts,
        stays in float32. Raises ``ValueError`` for a model that isn't on a CPU."""
        model = self.model.model
        attention = [layer.deformable_layer.self_attn for layer in model.encoder.layers]
        exact = [
            part for each in attention for part in (each.sampling_offsets, each.attention_weights)
        ]
        quantise([model.backbone, *(each.deformable_layer for each in model.encoder.layers)], exact)

    def compile(self) -> None:
        """Hand both steps to ``torch.compile``, each as one graph: anew for each size of pictures,
        once for captions of any length."""
        one_graph: Any = partial(torch.compile, fullgraph=True, dynamic=False)
        see, ask = one_graph(self.see), one_graph(self.ask)

        def ask_any_length(seen: SeenPicture, ids: Tensor) -> tuple[Tensor, Tensor]:
            torch._dynamo.mark_dynamic(ids, 0)
            return ask(seen, ids)

        self.see, self.ask = see, ask_any_length  # type: ignore[method-assign]

    def see(self, pixels: Tensor, mask: Tensor, padded: bool = True) -> SeenPicture:
        """What pictures (B, 3, H, W) give alone; ``mask`` (B, H, W) is 1 where they are not
        padding. Without any, ``padded`` may be False, which saves looking for it."""
        model = self.model.model
        features, positions = model.backbone(pixels, mask)
        maps, masks = [], [mask for _, mask in features]
        for project, (source, _) in zip(model.input_proj_vision, features, strict=False):
            maps.append(project(source))
        source = features[-1][0]
        for project in model.input_proj_vision[len(features) :]:
            source = project(source)
            small = F.interpolate(mask[None].float(), size=source.shape[-2:]).bool()[0]
            maps.append(source)
            masks.append(small)
            positions.append(model.backbone.position_embedding(source, small).to(source.dtype))
        places = [
            position.flatten(2).transpose(1, 2) + level
            for position, level in zip(positions, model.level_embed, strict=True)
        ]
        tokens = torch.cat([each.flatten(2).transpose(1, 2) for each in maps], 1).float()
        padding = ~torch.cat([each.flatten(1) for each in masks], 1)
        layout = Maps(tuple((each.shape[2], each.shape[3]) for each in maps))
        valid = torch.stack([model.get_valid_ratio(each) for each in masks], 1)
        centers = model.encoder.get_reference_points(list(layout.shapes), valid, pixels.device)
        anchors, usable = _anchors(layout, masks, padding)
        return SeenPicture(
            tokens=model.encoder.layers[0].fusion_layer.layer_norm_vision(tokens),
            positions=torch.cat(places, 1).float(),
            padding=padding if padded else None,
            maps=layout,
            centers=centers * layout.sizes(centers) - 0.5,
            valid=valid,
            anchors=anchors,
            usable=usable,
        )

    def ask(self, seen: SeenPicture, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, Q, max_text_len), minus infinity behind the caption's end, and boxes
        (B, Q, 4) as cx, cy, w, h in parts of the padded pictures, for a caption (T,) of token
        ids."""
        words, allowed = self._read(ids[None].expand(len(seen.tokens), -1))
        tokens, words = self._encode(seen, words, allowed)
        return self._decode(seen, tokens, words)

    def _read(self, ids: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Words (B, T, C), with which of them see each other and their positions in a name."""
        from transformers.models.grounding_dino.modeling_grounding_dino import (
            generate_masks_with_special_tokens_and_transfer_map as spans_of,
        )

        model = self.model.model
        find_spans: Any = spans_of  # annotated for a kind of tensor that doesn't exist any more
        allowed, places = find_spans(ids, model.special_tokens)
        found = model.text_backbone(ids, allowed[:, None], torch.zeros_like(ids), places)
        return model.text_projection(found.last_hidden_state), (allowed, places)

    def _encode(
        self, seen: SeenPicture, words: Tensor, spans: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        allowed, places = spans
        tokens = seen.tokens
        for number, layer in enumerate(self.model.model.encoder.layers):
            fusion = layer.fusion_layer
            if number:
                tokens = fusion.layer_norm_vision(tokens)
            tokens, words = fuse(fusion, tokens, fusion.layer_norm_text(words), seen.padding)
            words, _ = layer.text_enhancer_layer(
                hidden_states=words,
                attention_masks=allowed,
                position_embeddings=layer.get_text_position_embeddings(words, None, places),
            )
            tokens = _encoder_layer(layer.deformable_layer, tokens, seen)
        return tokens, words

    def _decode(self, seen: SeenPicture, tokens: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        model, heads = self.model.model, self.model
        all_words = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        queries, boxes = self._choose(seen, tokens, words, all_words)
        sizes = seen.maps.sizes(tokens)
        twice = torch.cat([seen.valid, seen.valid], -1)[:, None]
        for number, layer in enumerate(model.decoder.layers):
            if number:  # each layer corrects the boxes of the one before
                better = model.decoder.bbox_embed[number - 1](queries).float()
                boxes = (better + torch.special.logit(boxes, eps=_EDGE)).sigmoid()
            places = boxes[:, :, None] * twice  # (B, Q, L, 4)
            position = model.decoder.reference_points_head(_sines(places[:, :, 0], queries))
            centers = places[..., :2] * sizes - 0.5
            reach = places[..., 2:] * sizes * (0.5 / layer.encoder_attn.n_points)
            queries = _decoder_layer(layer, queries, position, words, tokens, seen, centers, reach)
        queries = model.decoder.layer_norm(queries)
        logits = heads.class_embed[-1](queries, words, all_words)
        better = heads.bbox_embed[-1](queries).float()
        return logits, (better + torch.special.logit(boxes, eps=_EDGE)).sigmoid()

    def _choose(
        self, seen: SeenPicture, tokens: Tensor, words: Tensor, all_words: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The Q queries (B, Q, C) to begin with, and their boxes (B, Q, 4)."""
        model, config = self.model.model, self.model.config
        embedded = getattr(model, "query_position_embeddings", None)
        if not config.two_stage:
            assert embedded is not None
            boxes = model.reference_points.weight.sigmoid()
            return tuple(x[None].expand(len(tokens), -1, -1) for x in (embedded.weight, boxes))
        rated = tokens.masked_fill(~seen.usable, 0.0)
        rated = model.enc_output_norm(model.enc_output(rated).float())
        scores = model.encoder_output_class_embed(rated, words, all_words).max(-1)[0]
        best = torch.topk(scores, config.num_queries, dim=1)[1][..., None]
        chosen = rated.gather(1, best.expand(-1, -1, rated.shape[2]))
        anchors = seen.anchors.gather(1, best.expand(-1, -1, 4))
        boxes = (model.encoder_output_bbox_embed(chosen).float() + anchors).sigmoid()
        if embedded is not None:
            chosen = embedded.weight[None].expand(len(tokens), -1, -1)
        return chosen, boxes


def _anchors(maps: Maps, masks: list[Tensor], padding: Tensor) -> tuple[Tensor, Tensor]:
    found = []
    for level, ((height, width), mask) in enumerate(zip(maps.shapes, masks, strict=True)):
        y, x = (torch.arange(n, device=mask.device) + 0.5 for n in (height, width))
        cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)
        real = torch.stack([mask[:, 0].sum(1), mask[:, :, 0].sum(1)], -1)  # columns, rows
        centers = cells / real[:, None]
        found.append(torch.cat([centers, torch.full_like(centers, 0.05 * 2.0**level)], -1))
    boxes = torch.cat(found, 1)
    usable = ((boxes > 0.01) & (boxes < 0.99)).all(-1, keepdim=True) & ~padding[..., None]
    return torch.logit(boxes).masked_fill(~usable, float("inf")), usable


def _pieces(count: int, like: Tensor) -> Iterator[slice]:
    """Rows that go through a layer together."""
    whole = like.device.type != "cpu" or torch.compiler.is_compiling()
    step = count if whole else QUERIES_AT_ONCE
    for start in range(0, count, step):
        yield slice(start, start + step)


def _encoder_layer(layer: Any, tokens_bnc: Tensor, seen: SeenPicture) -> Tensor:
    attention = DeformableAttention(layer.self_attn)
    found = torch.empty_like(tokens_bnc)
    for image, tokens in enumerate(tokens_bnc):
        padding = None if seen.padding is None else seen.padding[image]
        look = _sampler(attention, tokens, padding, seen.maps)
        for rows in _pieces(len(tokens), tokens):
            queries = tokens[rows]
            places = queries + seen.positions[image, rows]
            looked = look(*attention.places(places, seen.centers[image, rows], None))
            after = queries + attention.module.output_proj(looked).float()
            found[image, rows] = _feed_forward(layer, layer.self_attn_layer_norm(after))
    return found


def _decoder_layer(
    layer: Any,
    queries: Tensor,
    position: Tensor,
    words: Tensor,
    tokens: Tensor,
    seen: SeenPicture,
    centers: Tensor,
    reach: Tensor,
) -> Tensor:
    placed = queries + position
    queries = queries + _attend(layer.self_attn, placed, placed, queries)
    queries = layer.self_attn_layer_norm(queries)
    queries = queries + _attend(layer.encoder_attn_text, queries + position, words, words)
    queries = layer.encoder_attn_text_layer_norm(queries)
    attention = DeformableAttention(layer.encoder_attn)
    placed = queries + position
    looked = []
    for image, each in enumerate(tokens):
        padding = None if seen.padding is None else seen.padding[image]
        look = _sampler(attention, each, padding, seen.maps)
        looked.append(look(*attention.places(placed[image], centers[image], reach[image])))
    queries = queries + attention.module.output_proj(torch.stack(looked)).float()
    return _feed_forward(layer, layer.encoder_attn_layer_norm(queries))


def _sampler(
    attention: DeformableAttention, tokens: Tensor, padding: Tensor | None, maps: Maps
) -> Any:
    """What answers where queries look with what is there."""
    values = attention.values(tokens, padding)
    if values.device.type == "cpu":
        return RowTable(values, maps, attention.module.n_heads, attention.module.n_points).sums
    return lambda x, y, weights: sample_grids(values, maps, x, y, weights)


def _feed_forward(layer: Any, x: Tensor) -> Tensor:
    y = layer.fc2(layer.activation_fn(layer.fc1(x)))
    return layer.final_layer_norm(x + y.float())


def _attend(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    heads = attention.num_attention_heads
    q, k, v = (
        layer(x).unflatten(-1, (heads, -1)).transpose(1, 2)
        for layer, x in (
            (attention.query, queries),
            (attention.key, keys),
            (attention.value, values),
        )
    )
    found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return attention.out_proj(found).float()


def _sines(boxes: Tensor, queries: Tensor) -> Tensor:
    """Sines and cosines (B, Q, 4 * C/2) of boxes, y before x."""
    half = queries.shape[-1] // 2
    step = torch.arange(half, dtype=torch.float32, device=boxes.device)
    step = 10000 ** (2 * torch.div(step, 2, rounding_mode="floor") / half)
    angles = boxes[..., [1, 0, 2, 3], None] * 2 * torch.pi / step
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], -1).flatten(-3)
