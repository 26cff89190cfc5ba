"""Writes a trained model as a folder that ``from_pretrained`` loads: weights in half precision.

A finished run does so by itself. ``python -m training.export clipseg --to FOLDER`` takes the
averaged weights out of a run's checkpoint, finished or not.
"""

from __future__ import annotations

import argparse
import copy
import importlib
from pathlib import Path
from typing import Any

import torch

PARTS = ("clipseg", "grounding_dino")


def save_half(model: Any, processor: Any, folder: Path) -> None:
    """Saves a transformers model in float16, with its config, and its processor beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    half: Any = copy.deepcopy(model).cpu().half()
    half.save_pretrained(folder)
    processor.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors makes files that only their owner can read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs")
    parser.add_argument("--to", type=Path, required=True, help="folder for the model")
    arguments = parser.parse_args()
    task = importlib.import_module(f"training.{arguments.part}").make_task(None)
    checkpoint = arguments.runs / arguments.part / "checkpoint.pt"
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = task.build()
    model.load_state_dict(state["averaged"])
    task.export(model.eval(), arguments.to)
    print(f"{arguments.part}: {state['step']} steps, written to {arguments.to}")


if __name__ == "__main__":
    main()
