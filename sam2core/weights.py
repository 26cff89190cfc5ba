"""Checkpoints: Meta's ``.pt`` and Hugging Face's safetensors, in and out, every key checked."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sam2core.checkpoint_files import read_checkpoint
from sam2core.compiling import compile_model
from sam2core.config import VERSIONS, Sam2Config, Version
from sam2core.config_file import from_hugging_face, to_hugging_face
from sam2core.errors import WeightsError
from sam2core.model import Sam2
from sam2core.precision import AUTO, LARGE, choose_dtype
from sam2core.processor_file import check_processor
from sam2core.weight_files import SAFETENSORS, DamagedFileError, read_fields
from sam2core.weight_names import Format, name_in

_POSITION = "shared_image_embedding.positional_embedding"
_POSITION_AGAIN = "prompt_encoder.shared_embedding.positional_embedding"
_SIZES = ("tiny", "small", "base_plus", "large")


def load(
    source: str | os.PathLike | Mapping[str, Tensor],
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | str | None = AUTO,
    config: Sam2Config | None = None,
    revision: str | None = None,
    compile: bool | str = False,
) -> Sam2:
    """A model from a checkpoint, in evaluation mode on ``device``.

    ``source`` is Meta's ``.pt`` file, a ``.safetensors`` file, a folder in the layout of the
    Hugging Face hub, a hub id such as ``"facebook/sam2.1-hiera-small"`` (through
    huggingface_hub's own cache and offline switches), or a state dict. Size and version are
    found out from the file; ``config`` is only needed for a custom model without config.json.

    ``dtype`` is what is computed in, a ``torch.dtype`` or its name; "auto" is bfloat16 where
    ``device`` is made for it, and float32 elsewhere (see :mod:`sam2core.precision`). The weights
    stay float32 and run under autocast, as in Meta's own predictors, because casting them to half
    precision degrades masks. float32 on CUDA is torch's default: full precision in matrix products,
    TF32 (10 bits of mantissa) in cuDNN's convolutions; ``torch.backends.cuda.matmul.allow_tf32``
    and ``torch.backends.cudnn.allow_tf32`` switch these, and neither is touched here.

    With ``compile`` it runs through ``torch.compile``, for GPUs: True, or the name of a backend of
    that; see :mod:`sam2core.compiling`.

    Raises :class:`WeightsError` for what can't be read, and for every missing, unexpected or
    misshapen key.
    """
    choose_dtype(device, dtype)  # what is wrong with it is told before anything is read
    if isinstance(source, Mapping):
        model = from_state_dict(source, config)
    else:
        files = read_checkpoint(source, revision)
        folder = files.folder
        found = None if folder is None else _read_config(folder / "config.json")
        model = from_state_dict(files.state, config or found, str(source))
        if folder is not None:
            check_processor(folder, model.config)
    large = sum(weight.numel() for weight in model.parameters()) >= LARGE
    model.compute_dtype = choose_dtype(device, dtype, large)
    model = model.eval().requires_grad_(False).to(device)
    if compile:
        compile_model(model, "inductor" if compile is True else compile)
    return model


def from_state_dict(
    state: Mapping[str, Tensor], config: Sam2Config | None = None, label: str = "the state dict"
) -> Sam2:
    """A model with the weights of a state dict in either format, on the CPU in float32."""
    format = _format_of(state, label)
    if config is None:
        config = replace(_preset_of(state, format, label), version=_version_of(state, format))
    elif not config.tracks and name_in(format, "memory_time") in state:
        # An image model's configuration beside the weights of a whole one: transformers reads
        # these as its image model. Shapes are checked, and there is only one number of pointers.
        config = replace(config, tracks=True, version=_version_of(state, format))
    elif config.tracks and config.version != (found := _version_of(state, format)):
        raise WeightsError(
            f"{label}: the configuration is of SAM {config.version.name}, the weights are of "
            f"SAM {found.name}; one of the two files belongs to another model"
        )
    with torch.device("meta"):
        model = Sam2(config)
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(_translate(dict(state), ours, format, label), assign=True)
    if config.tracks:
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


def _read_config(path: Path) -> Sam2Config | None:
    if not path.is_file():
        return None
    try:
        content = read_fields(path)
    except DamagedFileError as error:
        raise WeightsError(str(error)) from error
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
