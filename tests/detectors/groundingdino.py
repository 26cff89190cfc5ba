"""Original Grounding DINO checkpoints with random weights, for the tests that read them."""

import shutil
from pathlib import Path

import torch

from detectors.groundingdino_layout import Sizes, entries

TINY = Sizes(
    swin_dim=16,
    swin_depths=(1, 1, 1, 1),
    swin_heads=(1, 2, 2, 4),
    window=4,
    dim=32,
    levels=4,
    points=2,
    queries=20,
    encoder_layers=1,
    decoder_layers=2,
    ffn=32,
    text_dim=64,
    text_layers=1,
    text_ffn=64,
    text_words=30522,
    text_positions=64,
)


def random_state(sizes=TINY, shared_box_head=True):
    """Weights of about unit gain, under the authors' names, with what else their files hold."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for entry in entries(sizes):
        noise = torch.randn(entry.shape, generator=generator)
        flat = len(entry.shape) < 2
        noise *= 0.1 if flat else 0.7 / noise[0].numel() ** 0.5
        norm = "norm" in entry.source.lower() or entry.source.startswith("input_proj")
        state[entry.source] = noise + 1 if norm and flat and "weight" in entry.source else noise
    if shared_box_head:
        for name in [n for n in state if n.startswith("bbox_embed.")]:
            state[name] = state["bbox_embed.0" + name[len("bbox_embed.0") :]]
    for name in [n for n in state if n.startswith("bbox_embed.")]:
        state[f"transformer.decoder.{name}"] = state[name]
    state["label_enc.weight"] = torch.zeros(3, sizes.dim)
    state["bert.embeddings.position_ids"] = torch.arange(sizes.text_positions)[None]
    state["bert.pooler.dense.weight"] = torch.zeros(sizes.text_dim, sizes.text_dim)
    state["bert.pooler.dense.bias"] = torch.zeros(sizes.text_dim)
    return state


def save_original(folder: Path, state, vocabulary: Path) -> Path:
    """A file as the authors publish it, with BERT's words beside it."""
    path = folder / "groundingdino_tiny.pth"
    torch.save({"model": {f"module.{name}": tensor for name, tensor in state.items()}}, path)
    shutil.copy(vocabulary / "vocab.txt", folder)
    return path
