"""The demo models with every word of the public sets in their dictionaries.

Words that they weren't trained with have embeddings that say nothing; what is asked, and how it
travels through captions and heatmaps, is as with any model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from panoptic.presets import DEMO_WEIGHTS


def models_that_know(words: Iterable[str], folder: Path) -> Path:
    """A folder of models for ``--models``."""
    shutil.copytree(DEMO_WEIGHTS, folder)
    words = sorted(set(words))
    _teach_grounding_dino(words, folder / "grounding_dino" / "tokenizer.json")
    _teach_clipseg(words, folder / "clipseg")
    return folder


def _teach_grounding_dino(words: Iterable[str], path: Path) -> None:
    """Its dictionary has places that no word has."""
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    known = tokenizer["model"]["vocab"]
    free = iter([(token, id) for token, id in known.items() if token.startswith("[unused")])
    for word in words:
        if word not in known:
            token, id = next(free)
            del known[token]
            known[word] = id
    path.write_text(json.dumps(tokenizer), encoding="utf-8")


def _teach_clipseg(words: Iterable[str], folder: Path) -> None:
    """Its dictionary is full: it gets more places, between the embeddings that it has."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    known = tokenizer["model"]["vocab"]
    for word in words:
        known.setdefault(word, len(known))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("token_embedding.weight"))
    more = len(known) - len(weights[name])
    mean = weights[name].mean(0, keepdim=True).expand(more, -1)
    weights[name] = torch.cat([weights[name], mean]).contiguous()
    save_file(weights, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["text_config"]["vocab_size"] = len(known)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
