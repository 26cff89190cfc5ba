"""Loading checkpoints of transformers, with what it lets pass silently made an error."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch


def load_model(auto_class: Any, source: str | Path, architectures: Sequence[str]) -> Any:
    """A model in float32 and evaluation mode, from a folder or a name on the hub.

    Raises ``ValueError`` for a checkpoint of another architecture, and for one that lacks
    weights: transformers would fill them at random, and the model look like a bad one.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source)
    if config.model_type not in architectures:
        raise ValueError(
            f"expected a checkpoint of {' or '.join(architectures)}, but {source} is of "
            f"{config.model_type!r}"
        )
    model, info = auto_class.from_pretrained(
        source, config=config, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"the checkpoint {source} lacks {len(missing)} weights, {missing[0]} for one; "
            "it is damaged, or of another version of the architecture"
        )
    return model.eval()


def find_tokenizer(source: str | Path | None, folder: Path) -> Any:
    """A tokenizer by folder or hub name, for checkpoints that come without: BERT's by default.

    Without ``source`` it is the one in ``folder`` or in ``folder/bert-base-uncased``, if any,
    else the hub's ``bert-base-uncased``. Raises ``ValueError`` where it can't be had.
    """
    from transformers import AutoTokenizer, BertTokenizer

    for place in (folder, folder / "bert-base-uncased") if source is None else (Path(source),):
        if (place / "tokenizer.json").is_file() or (place / "vocab.txt").is_file():
            source = place
            break
    try:
        if isinstance(source, Path) and not (source / "config.json").is_file():
            return BertTokenizer.from_pretrained(source)
        return AutoTokenizer.from_pretrained(source or "bert-base-uncased")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the tokenizer {source or 'bert-base-uncased'} can't be had "
            f"({(str(error).splitlines() or [''])[0]}); put BERT's tokenizer.json or vocab.txt "
            "beside the checkpoint, or name a folder that has it"
        ) from error


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Compute in ``dtype`` where that is safe, while weights stay in float32.

    Casting whole models of these families to half precision fails in places (positions are
    float32) and costs quality in others; autocast does neither.
    """
    if dtype == torch.float32:
        return nullcontext()
    if dtype not in (torch.bfloat16, torch.float16):
        raise ValueError(f"expected float32, bfloat16 or float16, got {dtype}")
    return torch.autocast(device.type, dtype)
