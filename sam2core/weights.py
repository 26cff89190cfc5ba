"""Checkpoints: Meta's ``.pt`` and Hugging Face's safetensors, in and out, every key checked."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sam2core.config import VERSIONS, Sam2Config, Version
from sam2core.config_file import from_hugging_face, to_hugging_face
from sam2core.errors import WeightsError
from sam2core.model import Sam2
from sam2core.weight_names import Format, name_in

SAFETENSORS = "model.safetensors"
_POSITION = "shared_image_embedding.positional_embedding"
_POSITION_AGAIN = "prompt_encoder.shared_embedding.positional_embedding"
_SIZES = ("tiny", "small", "base_plus", "large")


def load(
    source: str | os.PathLike | Mapping[str, Tensor],
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    config: Sam2Config | None = None,
    revision: str | None = None,
) -> Sam2:
    """A model from a checkpoint, in evaluation mode on ``device``.

    ``source`` is Meta's ``.pt`` file, a ``.safetensors`` file, a folder in the layout of the
    Hugging Face hub, a hub id such as ``"facebook/sam2.1-hiera-small"`` (through
    huggingface_hub's own cache and offline switches), or a state dict. Size and version are
    found out from the file; ``config`` is only needed for a custom model without config.json.

    ``dtype`` is what is computed in. The weights stay float32 and run under autocast, because
    casting them to half precision degrades masks.

    Raises :class:`WeightsError` for what can't be read, and for every missing, unexpected or
    misshapen key.
    """
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f"dtype must be float32, bfloat16 or float16, got {dtype}")
    if isinstance(source, Mapping):
        state, found, label = dict(source), None, "the state dict"
    else:
        state, found, label = _read(source, revision)
    model = from_state_dict(state, config or found, label)
    model.compute_dtype = dtype
    return model.eval().requires_grad_(False).to(device)


def from_state_dict(
    state: Mapping[str, Tensor], config: Sam2Config | None = None, label: str = "the state dict"
) -> Sam2:
    """A model with the weights of a state dict in either format, on the CPU in float32."""
    format = _format_of(state, label)
    base = config or _preset_of(state, format, label)
    config = replace(base, version=_version_of(state, format))
    with torch.device("meta"):
        model = Sam2(config)
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(_translate(dict(state), ours, format, label), assign=True)
    rope = model.memory_attention.rope
    model.memory_attention.rope = type(rope)(rope.dim)  # not in checkpoints: made anew
    return model


def save(model: Sam2, folder: str | os.PathLike, dtype: torch.dtype = torch.float32) -> None:
    """Write config.json and model.safetensors as the Hugging Face hub has them.

    ``transformers.Sam2VideoModel.from_pretrained`` reads the folder too.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: t.to(dtype).contiguous() for name, t in to_state_dict(model, "hugging_face").items()
    }
    part = folder / (SAFETENSORS + ".part")
    save_file(state, str(part), metadata={"format": "pt"})
    config = folder / "config.json"
    config.write_text(json.dumps(to_hugging_face(model.config), indent=2) + "\n", encoding="utf-8")
    shutil.copymode(config, part)  # safetensors makes files that only their owner can read
    os.replace(part, folder / SAFETENSORS)


def to_state_dict(model: Sam2, format: Format) -> dict[str, Tensor]:
    """The weights under the names, and in the shapes, of a checkpoint format (on the CPU)."""
    state: dict[str, Tensor] = {}
    for ours, tensor in model.state_dict().items():
        name, tensor = name_in(format, ours), tensor.detach().cpu()
        if "*" in name:
            for i, row in enumerate(tensor.split(1)):
                state[name.replace("*", str(i))] = row
            continue
        if ours in ("no_memory", "no_memory_position"):
            tensor = tensor[None]
        elif ours == "memory_time":
            tensor = tensor[:, None, None]
        state[name] = tensor
    if format == "hugging_face":
        state[_POSITION_AGAIN] = state[_POSITION].clone()
    return state


def _read(
    source: str | os.PathLike, revision: str | None
) -> tuple[dict[str, Tensor], Sam2Config | None, str]:
    """State dict, configuration where there is one, and what to call it in errors."""
    path = Path(source)
    if not path.exists():
        path = _download(str(source), revision)
    if path.is_file():
        config_path = path.parent / "config.json"
        config = _read_config(config_path) if path.name == SAFETENSORS else None
        return _read_file(path), config, str(source)
    if (path / SAFETENSORS).is_file():
        return _read_file(path / SAFETENSORS), _read_config(path / "config.json"), str(source)
    checkpoints = sorted(path.glob("*.pt"))
    if len(checkpoints) == 1:
        return _read_file(checkpoints[0]), None, str(source)
    raise WeightsError(
        f"{source}: expected a folder with {SAFETENSORS} (and config.json) or with one .pt file, "
        f"found {sorted(p.name for p in path.iterdir())[:10]}"
    )


def _download(source: str, revision: str | None) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise WeightsError(
            f"{source}: no such file or folder, and not a hub id of the form 'owner/name' either"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        hf_hub_download(source, "config.json", revision=revision)
        return Path(hf_hub_download(source, SAFETENSORS, revision=revision))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(
            f"{source}: not on this machine as a path, and not to be had from the Hugging Face "
            f"hub or its cache ({type(error).__name__}: {str(error).splitlines()[0]}). Check the "
            f"name and the network, or download the model and give its folder."
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except (SafetensorError, OSError) as error:
            raise WeightsError(_unreadable(path, "a safetensors file", error)) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise WeightsError(_unreadable(path, "a PyTorch checkpoint", error)) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()
    ):
        raise WeightsError(
            f"{path}: expected a checkpoint of SAM 2, a mapping from names to tensors (under "
            f"'model' or on its own), found {type(content).__name__}"
        )
    return dict(content)


def _unreadable(path: Path, kind: str, error: Exception) -> str:
    size = path.stat().st_size if path.exists() else 0
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"{path}: can't be read as {kind} ({size:,} bytes; {reason}). It may be cut off, a Git "
        f"LFS pointer or of another kind; download it again and compare its size."
    )


def _read_config(path: Path) -> Sam2Config | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: not a JSON file ({error})") from error
    return from_hugging_face(content, str(path))


def _format_of(state: Mapping[str, Tensor], label: str) -> Format:
    if "image_encoder.trunk.pos_embed" in state:
        return "meta"
    if "vision_encoder.backbone.pos_embed" in state:
        return "hugging_face"
    raise WeightsError(
        f"{label}: not a checkpoint of SAM 2. Expected the keys of Meta's format "
        f"('image_encoder.trunk.…') or of Hugging Face's ('vision_encoder.backbone.…'), found "
        f"{sorted(state)[:5]}"
    )


def _version_of(state: Mapping[str, Tensor], format: Format) -> Version:
    return VERSIONS["2.1" if name_in(format, "absent") in state else "2.0"]


def _preset_of(state: Mapping[str, Tensor], format: Format, label: str) -> Sam2Config:
    """The public size whose image encoder has this width and this number of blocks."""
    width = state[name_in(format, "image_encoder.trunk.position")].shape[1]
    depth = sum(
        1
        for name in state
        if name.endswith(".attn.qkv.weight") and ("trunk" in name or "backbone" in name)
    )
    for size in _SIZES:
        preset = Sam2Config.preset(size)  # type: ignore[arg-type]
        if (preset.embed_dim, sum(preset.blocks)) == (width, depth):
            return preset
    raise WeightsError(
        f"{label}: its image encoder is {width} wide and {depth} blocks deep, which is none of the "
        f"public sizes; give its configuration (config=, or a config.json beside it)"
    )


def _translate(
    state: dict[str, Tensor], ours: dict[str, tuple[int, ...]], format: Format, label: str
) -> dict[str, Tensor]:
    if format == "hugging_face" and _POSITION_AGAIN in state:
        again = state.pop(_POSITION_AGAIN)
        if not torch.equal(state.setdefault(_POSITION, again), again):
            raise WeightsError(
                f"{label}: {_POSITION} and {_POSITION_AGAIN} differ. In SAM 2 prompts and image "
                f"share one matrix; with two, points can't be found in the image."
            )
    translated: dict[str, Tensor] = {}
    missing: list[str] = []
    misshapen: list[str] = []
    for name, shape in ours.items():
        theirs = name_in(format, name)
        if "*" in theirs:
            rows = [theirs.replace("*", str(i)) for i in range(shape[0])]
            missing += [row for row in rows if row not in state]
            parts = [state.pop(row) for row in rows if row in state]
            tensor = torch.cat(parts) if len(parts) == len(rows) else None
        else:
            tensor = state.pop(theirs, None)
            if tensor is None:
                missing.append(theirs)
        if tensor is None:
            continue
        if tuple(d for d in tensor.shape if d != 1) != tuple(d for d in shape if d != 1):
            misshapen.append(f"{theirs}: expected {shape}, found {tuple(tensor.shape)}")
            continue
        translated[name] = tensor.reshape(shape).float()
    problems = [
        f"{title} ({len(names)}): " + "; ".join(names[:20]) + ("; …" if len(names) > 20 else "")
        for title, names in (
            ("missing", missing),
            ("unexpected", sorted(state)),
            ("of a wrong shape", misshapen),
        )
        if names
    ]
    if problems:
        raise WeightsError(f"{label}: does not fit the model. " + " | ".join(problems))
    return translated
