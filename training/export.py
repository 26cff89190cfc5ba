"""Writes a trained model as a folder that ``from_pretrained`` loads: weights in half precision."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any


def save_half(model: Any, processor: Any, folder: Path) -> None:
    """Saves a transformers model in float16, with its config, and its processor beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    half: Any = copy.deepcopy(model).cpu().half()
    half.save_pretrained(folder)
    processor.save_pretrained(folder)
