"""Trains the demo SAM 2: ``python -m training.sam2 --minutes 200``.

Three stages, each from the averaged weights of the one before: still scenes, the same with Muon,
then clips for the memory. ``--stage`` runs one of them alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.loop import Task, Trainer, add_arguments, settings_from
from training.sam2_images import ImageTask

MINUTES = 200.0
WARMUP_STEPS = 200


@dataclass(frozen=True)
class Stage:
    """``share`` of the whole time (or of the steps), and the stage's own settings of the loop."""

    name: str
    share: float
    settings: dict[str, Any] = field(default_factory=dict)


_COMMON: dict[str, Any] = {
    "clip_norm": 1.0,
    "average": 0.996,
    "weight_decay": 0.05,
    "evaluate_minutes": 20.0,
}
_STILLS: dict[str, Any] = {**_COMMON, "batch_size": 4, "reuse": 2}
_CLIPS: dict[str, Any] = {
    **_STILLS,
    **{"batch_size": 2, "warmup_steps": 20, "muon": True, "learning_rate": 7e-4},
}
STAGES = (
    Stage("images", 0.2, {**_STILLS, "warmup_steps": 100}),
    # The same with another optimizer, which learns faster from where the first one came to.
    Stage("images2", 0.5, {**_STILLS, "warmup_steps": 20, "muon": True}),
    Stage("clips", 0.3, _CLIPS),
)


def make_task(stage: str, seed: int, start: dict[str, Tensor] | None) -> Task:
    """The task of a stage; ``start`` are the weights of the stage before."""
    if stage == "images":
        return ImageTask(seed, WARMUP_STEPS)
    if start is None:
        raise ValueError(f"the stage {stage!r} needs the weights of the stage before it")
    if stage == "images2":
        return ImageTask(seed + 1, start=start)
    from training.sam2_clips import ClipTask

    return ClipTask(seed + 2, start)


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint of the training loop."""
    if not checkpoint.is_file():
        raise FileNotFoundError(f"{checkpoint} isn't there: run the stage before this one first")
    return torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    names = [stage.name for stage in STAGES]
    parser.add_argument("--stage", choices=names, help="only this stage, for all the time given")
    parser.add_argument("--start", type=Path, help="weights to start from, of another checkpoint")
    arguments = parser.parse_args()
    minutes, steps = arguments.minutes or MINUTES, arguments.steps
    for number, stage in enumerate(STAGES):
        if arguments.stage not in (None, stage.name):
            continue
        share = 1.0 if arguments.stage else stage.share
        arguments.minutes = None if steps else minutes * share
        arguments.steps = max(1, round(steps * share)) if steps else None
        folder = arguments.runs / "sam2" / stage.name
        start = None
        if number:
            before = arguments.runs / "sam2" / names[number - 1] / "checkpoint.pt"
            start = averaged_weights(arguments.start or before)
        task = make_task(stage.name, arguments.seed, start)
        trainer = Trainer(task, settings_from(arguments, **stage.settings), folder)
        if arguments.resume and trainer.checkpoint_path.is_file():
            trainer.resume()
        model = trainer.run()
        if trainer.progress < 1:
            return  # ended early: what is there can be resumed
        if arguments.export is not None:
            task.export(model, arguments.export)


if __name__ == "__main__":
    main()
