"""Which files of a checkpoint are needed, and which of them a folder lacks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

Part = Literal["things", "stuff", "sam2", "tokenizer"]
"""What a checkpoint is for; "tokenizer" is one without weights, for those that come without it."""

# As sam2core.weight_files has them, which isn't imported here: it would bring torch.
LAYOUTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
_WORDS = (
    *("tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json"),
)
BESIDE: dict[Part, tuple[str, ...]] = {
    "things": ("config.json", *_PROCESSORS, *_WORDS),
    "stuff": ("config.json", *_PROCESSORS, *_WORDS),
    "sam2": ("config.json", *_PROCESSORS, "video_preprocessor_config.json"),
    "tokenizer": ("config.json", *_WORDS),
}
"""What is read besides the weights, where there is such a file."""
_KINDS: dict[Part, tuple[str, ...]] = {
    "things": (
        *("grounding-dino", "mm-grounding-dino", "owlv2", "omdet-turbo"),
        *("sam3", "sam3_video"),
    ),
    "stuff": ("clipseg",),
}


def choose_files(names: Collection[str], part: Part) -> list[str]:
    """Of a repository's files those to fetch, the weights last; of several layouts the first.

    Where the weights begin with an index, it stands for the files that it names. Raises
    ``ValueError`` if there are no weights.
    """
    beside = [name for name in BESIDE[part] if name in names]
    if part == "tokenizer":
        return beside
    first = _first(names, part)
    if first is None:
        raise ValueError(
            f"expected weights as {', '.join(LAYOUTS[::2])}, found {', '.join(sorted(names)[:10])}"
        )
    return [*beside, first]


def files_of_index(index: Path) -> list[str]:
    """The files that an index of weights names; none if it is damaged, which others find out."""
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def missing_files(folder: Path, part: Part) -> list[str]:
    """What a folder lacks to be a checkpoint that can be loaded; each as it is to be said."""
    names = {path.name for path in folder.iterdir() if path.is_file()}
    missing = []
    first = None if part == "tokenizer" else _first(names, part)
    alone = part == "tokenizer" or (first is not None and first.endswith(".pt"))
    if "config.json" not in names and not alone:
        missing.append("config.json")
    if part in ("things", "stuff"):
        missing += _none_of(names, [(name,) for name in _PROCESSORS])
    if part != "sam2":
        missing += _none_of(names, _TOKENIZERS)
    if first is None:
        missing += [] if part == "tokenizer" else [LAYOUTS[0]]
    elif first.endswith(".index.json"):
        missing += [name for name in files_of_index(folder / first) if name not in names]
    return missing


def _first(names: Collection[str], part: Part) -> str | None:
    """What the weights begin with: a file of ``LAYOUTS``, or for SAM 2 a single ``.pt``."""
    metas = [name for name in names if name.endswith(".pt") and "/" not in name]
    alone = metas if part == "sam2" and len(metas) == 1 else []
    return next((name for name in (*LAYOUTS, *alone) if name in names), None)


def _none_of(names: Collection[str], choices: Iterable[tuple[str, ...]]) -> list[str]:
    choices = list(choices)
    if any(all(name in names for name in choice) for choice in choices):
        return []
    return [" or ".join(" with ".join(choice) for choice in choices)]


def is_of(folder: Path, part: Part) -> bool:
    """Whether config.json is of an architecture whose files are known here."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return content.get("model_type") in _KINDS.get(part, ())
    except (OSError, ValueError, AttributeError):
        return False
