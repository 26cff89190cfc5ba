"""The demo SAM 2: its configuration, a start that can be trained from scratch, all its masks."""

from __future__ import annotations

import torch
from torch import nn

from sam2core import ImageEmbedding, MaskPrediction, Prompt, Sam2, Sam2Config
from sam2core.attention import Attention
from sam2core.memory_encoder import ConvNextBlock

SIDE = 192
"""Side of the model's input, that of the demo scenes: 256 takes 1.8 times the time."""

CONFIG = Sam2Config(
    embed_dim=32,
    blocks=(1, 2, 3, 1),
    # From stride 16 on there are few tokens: attending to all of them costs little, and the
    # model then depends on no window that would have to divide the picture. The block that pools
    # into the last stage can't be a global one in other implementations: it has a window of all
    # the 12 x 12 tokens.
    global_blocks=(4, 5),
    window_sizes=(8, 4, 12, 4),
    mlp_ratio=3.0,
    image_size=SIDE,
    dim=128,
    decoder_heads=4,
    decoder_mlp_dim=256,
    iou_hidden_dim=128,
    mask_channels=8,
    memory_dim=64,
    memory_layers=2,
    memory_mlp_dim=256,
    fuser_dim=256,
)

_LOW_FREQUENCY = 0.3
_TABLE_STD = 0.02
_LAYER_SCALE = 0.1


def build_model(config: Sam2Config = CONFIG) -> Sam2:
    """A new model that a short training can bring to something.

    Half of the position frequencies are lowered, so that a place can be told coarsely too; the
    attentions between prompt and image start by looking for equal positions; and the memory's
    residual branches start wide enough to be found within some hundred steps.
    """
    model = Sam2(config)
    with torch.no_grad():
        matrix = model.prompt_encoder.position.matrix
        matrix[:, : matrix.shape[1] // 2] *= _LOW_FREQUENCY
        for name, module in model.mask_decoder.named_modules():
            # Attention among the prompt's own tokens has no image on the other side.
            if isinstance(module, Attention) and not name.endswith("self_attention"):
                nn.init.orthogonal_(module.q.weight)
                module.k.weight.copy_(module.q.weight)
        for table in (model.memory_time, model.no_memory, model.no_pointer):
            nn.init.trunc_normal_(table, std=_TABLE_STD)
        if config.version.occlusion_embedding:
            nn.init.trunc_normal_(model.absent, std=_TABLE_STD)
        nn.init.trunc_normal_(model.image_encoder.trunk.position, std=_TABLE_STD)
        nn.init.trunc_normal_(model.image_encoder.trunk.window_position, std=_TABLE_STD)
        for module in model.memory_encoder.modules():
            if isinstance(module, ConvNextBlock):
                module.scale.fill_(_LAYER_SCALE)
    return model


def decode(model: Sam2, embedding: ImageEmbedding, prompt: Prompt) -> MaskPrediction:
    """All four masks of every prompt, the single one first; :meth:`Sam2.segment` gives a part."""
    tokens, visible, dense = model.prompt_encoder(prompt)
    position = model.prompt_encoder.position.grid(*embedding.features.shape[-2:])
    return model.mask_decoder(embedding.features, embedding.fine, position, tokens, visible, dense)
