"""Writes a trained model as a folder that ``from_pretrained`` loads: weights in half precision.

A finished run does so by itself. ``python -m training.export clipseg --to FOLDER`` takes the
averaged weights out of a run's checkpoint, finished or not; ``sam2`` those of its stage
``--stage`` (``clips``, the last one).
"""

from __future__ import annotations

import argparse
import copy
import importlib
from pathlib import Path
from typing import Any

import torch

PARTS = ("clipseg", "grounding_dino", "sam2")


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
    parser.add_argument("--stage", default="clips", help="of sam2 (default: clips)")
    arguments = parser.parse_args()
    folder = arguments.runs / arguments.part
    if arguments.part == "sam2":
        from training.sam2_images import ImageTask

        task: Any = ImageTask()  # all stages have the same model and export it alike
        folder = folder / arguments.stage
    else:
        task = importlib.import_module(f"training.{arguments.part}").make_task(None)
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    model = task.build()
    model.load_state_dict(state["averaged"])
    task.export(model.eval(), arguments.to)
    print(f"{arguments.part}: {state['step']} steps, written to {arguments.to}")


if __name__ == "__main__":
    main()
