"""The same weights in every layout that folders have them in, by the hub's own writer."""

from pathlib import Path

from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file

LAYOUTS = ("safetensors", "sharded", "bin", "sharded bin")
SHARD = "200KB"


def rewrite(folder: Path, layout: str) -> Path:
    """Replaces ``model.safetensors``; gives the file that the weights begin with now."""
    path = folder / "model.safetensors"
    state = load_file(path)
    path.unlink()
    binary = "bin" in layout
    save_torch_state_dict(
        state,
        folder,
        filename_pattern="pytorch_model{suffix}.bin" if binary else "model{suffix}.safetensors",
        max_shard_size=SHARD if "sharded" in layout else "1GB",
        metadata={"format": "pt"},
        safe_serialization=not binary,
    )
    whole = "pytorch_model.bin" if binary else "model.safetensors"
    first = folder / (f"{whole}.index.json" if "sharded" in layout else whole)
    assert first.is_file(), sorted(folder.iterdir())
    return first
