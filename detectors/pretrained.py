"""Loading checkpoints of transformers, with what it lets pass silently made an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from detectors.checkpoint_parts import check_config, check_parts, load_tokenizer
from detectors.stored_weights import StoredWeights

TOKENIZING = Lock()
"""To be held while a tokenizer of transformers is called: padding and truncation are set in it
for each call, so that two threads get each other's, or the error "Already borrowed"."""

# Buffers that older versions of transformers stored and newer ones compute.
_COMPUTED = re.compile(r"(position_ids|relative_position_index|num_batches_tracked)$")


def load_model(auto_class: Any, source: str | Path, architectures: Sequence[str]) -> Any:
    """A model in float32 and evaluation mode, from a folder or a name on the hub.

    Raises ``ValueError`` for a checkpoint of another architecture, and for one whose weights
    aren't all used as they are: transformers fills those that are missing at random, leaves out
    those that it has no place for, and lets one stand for several where it takes them to be
    shared, with no more than a warning.
    """
    check_parts(source)
    config = read_config(source)
    if config.model_type not in architectures:
        raise ValueError(
            f"expected a checkpoint of {' or '.join(architectures)}, but {source} is of "
            f"{config.model_type!r}"
        )
    stored = StoredWeights(source)
    _share_as_stored(config, stored, source)
    try:
        model, info = auto_class.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused by name below
        )
    except ImportError as error:
        raise ValueError(f"{source}: {_missing_package(error)}") from error
    if other := sorted(info["mismatched_keys"]):
        name, here, wanted = other[0]
        raise ValueError(
            f"{source}: {len(other)} of its weights have other sizes than its config.json says, "
            f"{name!r} for one, which is {tuple(here)}, not {tuple(wanted)}: one of the two files "
            "is of another model. Copy or download them again"
        )
    _check_all_used(model, info, stored, source)
    return model.eval()


def read_config(source: str | Path) -> Any:
    """The configuration of a checkpoint, a folder or a name on the hub.

    Raises ``ValueError`` for a model that this version of transformers doesn't know.
    """
    from transformers import PreTrainedConfig

    check_config(source)
    content, _ = PreTrainedConfig.get_config_dict(source)
    return config_of(content, source)


def config_of(content: dict[str, Any], source: str | Path) -> Any:
    """The configuration that the content of a config.json stands for."""
    from transformers import CONFIG_MAPPING

    kind = str(content.get("model_type"))
    if kind not in CONFIG_MAPPING:
        raise ValueError(
            f"{source}: its config.json is of model_type {kind!r}, which this version of "
            "transformers doesn't know"
        )
    try:
        return CONFIG_MAPPING[kind].from_dict(_with_named_backbone(content))
    except Exception as error:  # each configuration has checks of its own, of many kinds
        text = " ".join(str(error).split())
        raise ValueError(
            f"{source}: its config.json is none of {kind!r} ({type(error).__name__}: "
            f"{text[:200]}). Copy or download it again"
        ) from error


def _with_named_backbone(content: dict[str, Any]) -> dict[str, Any]:
    """Spell out a backbone that is given by timm's name for it, as published files do.

    transformers would ask the hub whether a repository has that name, also where every file is
    on this machine and the network is not. The weights are in the checkpoint either way.
    """
    name = content.get("backbone")
    if not content.get("use_timm_backbone") or not name or content.get("backbone_config"):
        return content
    given = content.get("backbone_kwargs") or {}
    rest = {
        key: value
        for key, value in content.items()
        if key not in ("backbone", "backbone_kwargs", "use_timm_backbone")
    }
    return rest | {"backbone_config": {"model_type": "timm_backbone", "backbone": name, **given}}


# Of configurations that may leave it open whether the layers of a decoder share a head: the
# field, and the names of the heads but the first.
_SHARED_HEADS = {
    "decoder_bbox_embed_share": re.compile(r"^(?:model\.decoder\.)?bbox_embed\.(\d+)\.(.+)$"),
    "decoder_cls_embed_share": re.compile(r"^(?:model\.decoder\.)?class_embed\.(\d+)\.(.+)$"),
}


def _share_as_stored(config: Any, stored: StoredWeights, source: str | Path) -> None:
    """Let the weights say whether a decoder's layers share a head, where the file doesn't.

    MM Grounding DINO's published configurations are older than the fields, which by default
    would have every layer use the first one's head. ``ValueError`` where file and weights
    contradict each other.
    """
    from transformers import PreTrainedConfig

    written, _ = PreTrainedConfig.get_config_dict(source)
    for field, pattern in _SHARED_HEADS.items():
        if getattr(config, field, None) is not True:
            continue
        # By layer and part; which of two names of one tensor was stored differs between versions.
        heads = {(m[1], m[2]): m.string for name in stored.names if (m := pattern.match(name))}
        if any(
            not stored.equal(name, heads.get(("0", part), "")) for (_, part), name in heads.items()
        ):
            if field in written:
                raise ValueError(
                    f"the checkpoint {source} holds a head of its own for every layer of its "
                    f"decoder, but {field} in its config.json says that they share one; the two "
                    "files don't belong together"
                )
            setattr(config, field, False)


def _check_all_used(model: Any, info: Any, stored: StoredWeights, source: str | Path) -> None:
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"the checkpoint {source} lacks {len(missing)} weights, {missing[0]} for one; "
            "it is damaged, or of another version of the architecture"
        )
    unused = sorted(key for key in info["unexpected_keys"] if not _COMPUTED.search(key))
    if unused:
        raise ValueError(
            f"the checkpoint {source} has {len(unused)} weights that its model has no place for, "
            f"{unused[0]} for one; its config.json is of another model than its weights, or it is "
            "of another version of the architecture"
        )
    for one, other in getattr(model, "all_tied_weights_keys", {}).items():
        if one in stored.names and other in stored.names and not stored.equal(one, other):
            raise ValueError(
                f"the checkpoint {source} holds different weights for {one} and {other}, of which "
                "its config.json makes one; they don't belong together, or config.json lacks a "
                "field"
            )


def _missing_package(error: ImportError) -> str:
    text = " ".join(str(error).split())
    if "timm" in text:
        return "its image backbone is of the package timm: pip install 'panoptic-anything[omdet]'"
    return f"a package that it needs is missing ({text[:200]})"


def find_tokenizer(source: str | Path | None, folder: Path) -> Any:
    """A tokenizer by folder or hub name, for checkpoints that come without: BERT's by default.

    Without ``source`` it is the one in ``folder`` or in ``folder/bert-base-uncased``, if any,
    else the hub's ``bert-base-uncased``. Raises ``ValueError`` where it can't be had.
    """
    for place in (folder, folder / "bert-base-uncased") if source is None else (Path(source),):
        if (place / "tokenizer.json").is_file() or (place / "vocab.txt").is_file():
            source = place
            break
    try:
        bert = isinstance(source, Path) and not (source / "config.json").is_file()
        return load_tokenizer(source or "bert-base-uncased", bert=bert)
    except ValueError as error:
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
