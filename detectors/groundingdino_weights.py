"""Original Grounding DINO checkpoints, ``groundingdino_swint_ogc.pth`` and its like.

They are read into the class of transformers, so that the package ``groundingdino-py`` isn't
needed for them.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detectors.groundingdino_layout import Sizes, entries

HUB_REPOSITORY = "ShilongLiu/GroundingDINO"
"""Where the authors publish their checkpoints."""

# Found in checkpoints, but not needed: denoising labels of the training, what can be worked out,
# BERT's pooler that nothing reads, and the decoder's copy of the box heads.
IGNORED = re.compile(
    r"label_enc\.weight|bert\.embeddings\.position_ids|bert\.pooler\.dense\.(weight|bias)"
    r"|.*\.relative_position_index|transformer\.decoder\.bbox_embed\..*"
)


def check(state: Mapping[str, Tensor], label: str = "the state dict") -> dict[str, Tensor]:
    """The tensors that count, under the authors' names.

    Raises ``ValueError`` with every tensor that is missing, unexpected or of a wrong shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    expected = {entry.source: entry.shape for entry in entries(Sizes.of(state, label))}
    unexpected = sorted(n for n in state if n not in expected and not IGNORED.fullmatch(n))
    misshapen = [
        f"{name}: expected {shape}, got {tuple(state[name].shape)}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    problems = [
        f"{title} ({len(names)}): " + "; ".join(names[:10]) + ("; …" if len(names) > 10 else "")
        for title, names in (
            ("missing", [name for name in expected if name not in state]),
            ("unexpected", unexpected),
            ("of a wrong shape", misshapen),
        )
        if names
    ]
    if problems:
        raise ValueError(f"{label}: does not fit Grounding DINO. " + " | ".join(problems))
    return {name: state[name].float() for name in expected}


def convert(
    state: Mapping[str, Tensor], label: str = "the state dict"
) -> tuple[dict[str, Tensor], Any]:
    """The tensors under the hub's names, and the configuration of transformers' class.

    Raises ``ValueError`` as ``check``.
    """
    state = check(state, label)
    sizes = Sizes.of(state, label)
    converted: dict[str, Tensor] = {}
    for entry in entries(sizes):
        parts = state[entry.source].chunk(len(entry.targets))
        converted |= {t: p.contiguous() for t, p in zip(entry.targets, parts, strict=True)}
    return converted, sizes.config(_shared_box_head(converted))


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a ``.pth`` file (under ``model``, or the whole of it).

    Raises ``ValueError`` for files that are cut off, aren't checkpoints, or hold other things.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path}: can't be read as a PyTorch checkpoint ({path.stat().st_size:,} bytes; "
            f"{reason}). It may be cut off, a Git LFS pointer or of another kind; download it "
            "again and compare its size"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(
            f"{path}: expected names and tensors (under 'model', or alone) as Grounding DINO's "
            f"authors publish them, found {type(content).__name__}"
        )
    return dict(content)


def load_original(path: Path) -> Any:
    """transformers' ``GroundingDinoForObjectDetection`` with an original checkpoint's weights."""
    from transformers import GroundingDinoForObjectDetection

    weights, config = convert(read_checkpoint(path), str(path))
    model_class: Any = GroundingDinoForObjectDetection  # its annotations lack the second output
    model, info = model_class.from_pretrained(
        None, config=config, state_dict=weights, dtype=torch.float32, output_loading_info=True
    )
    wrong = {k: sorted(map(str, v)) for k, v in info.items() if v and k.endswith("_keys")}
    if wrong:
        raise RuntimeError(f"this version of transformers names weights differently: {wrong}")
    return model.eval()


def find_checkpoint(source: str | Path) -> Path | None:
    """The file of an original checkpoint, or None if ``source`` isn't the name of one.

    That is a path that ends in ``.pth``; ``owner/name/file.pth`` on the hub; or the bare name of
    a file that the authors publish, ``groundingdino_swint_ogc.pth``.
    """
    path = Path(source)
    if path.suffix != ".pth":
        return None
    if path.is_file():
        return path
    parts = str(source).split("/")
    if len(parts) == 1:
        parts = [*HUB_REPOSITORY.split("/"), parts[0]]
    if len(parts) != 3 or "" in parts:
        raise ValueError(
            f"no file {source}, and not a name on the hub (owner/name/file.pth) either"
        )
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("/".join(parts[:2]), parts[2]))
    except Exception as error:  # of many kinds, most of them other packages'
        raise ValueError(
            f"no file {source} here, and it can't be had from the hub as {'/'.join(parts)} "
            f"({type(error).__name__}: {(str(error).splitlines() or [''])[0]})"
        ) from error


def _shared_box_head(converted: Mapping[str, Tensor]) -> bool:
    """Whether all layers of the decoder have one box head, as the published ones do."""
    return all(
        torch.equal(tensor, converted[re.sub(r"^bbox_embed\.\d+", "bbox_embed.0", name)])
        for name, tensor in converted.items()
        if name.startswith("bbox_embed.")
    )
