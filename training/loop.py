"""The training loop that all demo models share.

AdamW with warm-up and a cosine, gradient clipping, bfloat16, a running average of the weights
(which is what is evaluated and shipped), checkpoints that resume to the identical state, a log of
JSON lines and a curve. A model brings a :class:`Task`; everything else is here once.
"""

from __future__ import annotations

import argparse
import copy
import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.data import Recipe, batches, to_device
from training.log import RunLog
from training.muon import Muon, split_matrices


class Task(Protocol):
    """What a model brings to the loop.

    ``draw`` and ``collate`` are those of :class:`training.data.Recipe` and run in worker
    processes. ``loss`` returns the loss to minimise and its parts for the log. ``evaluate`` gets
    the averaged model in eval mode. ``export`` writes the folder that is shipped.
    """

    name: str

    def build(self) -> nn.Module: ...

    def draw(self, seed: int) -> Any: ...

    def collate(
        self, samples: list[Any], rng: np.random.Generator, step: int
    ) -> dict[str, Any]: ...

    def loss(
        self, model: nn.Module, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]: ...

    def evaluate(self, model: nn.Module) -> dict[str, float]: ...

    def export(self, model: nn.Module, folder: Path) -> None: ...


@dataclass(frozen=True)
class Settings:
    """One run. It ends after ``steps`` or ``minutes`` of wall time (pauses not counted).

    With ``steps`` the run is reproducible to the bit on one machine; ``minutes`` makes the cosine
    follow the clock.
    """

    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 16
    reuse: int = 1
    learning_rate: float = 1e-3
    final_rate: float = 0.01  # of the learning rate: zero would waste the last steps
    warmup_steps: int = 150
    weight_decay: float = 0.05
    beta2: float = 0.98  # short runs: the second moment must follow within some fifty steps
    clip_norm: float = 5.0
    average: float = 0.998  # horizon of 500 steps: about the last tenth of a short run
    bfloat16: bool = False
    muon: bool = False  # for matrices, see training.muon: steps cost and teach more
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    seed: int = 0
    log_steps: int = 50
    evaluate_minutes: float = 5.0
    checkpoint_minutes: float = 3.0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(
                f"expected either steps or minutes, got steps={self.steps}, minutes={self.minutes}"
            )


def rate_at(settings: Settings, step: int, progress: float) -> float:
    """Learning rate at a step: linear warm-up, then a cosine over ``progress`` in [0, 1]."""
    warm = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return (
        settings.learning_rate * warm * (settings.final_rate + (1 - settings.final_rate) * cosine)
    )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices and kernels; none for gains, biases and embedding tables."""
    tables = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            plain = parameter.ndim < 2 or id(parameter) in tables
            (free if plain else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


class Trainer:
    """A run in a folder: ``log.jsonl``, ``curve.png``, ``checkpoint.pt``."""

    def __init__(self, task: Task, settings: Settings, folder: Path) -> None:
        self.task = task
        self.settings = settings
        self.folder = folder
        self.device = torch.device(settings.device)
        # From the start: an orthogonal matrix has other last bits with another number of threads.
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.model = task.build().to(self.device)
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(False)
        groups = parameter_groups(self.model, settings.weight_decay)
        optimizer = Muon if settings.muon else torch.optim.AdamW
        self.optimizer = optimizer(
            split_matrices(groups, self.model) if settings.muon else groups,
            lr=settings.learning_rate,
            betas=(0.9, settings.beta2),
        )
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self.log = RunLog(folder)
        self._stopped = False

    @property
    def checkpoint_path(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def progress(self) -> float:
        if self.settings.steps is not None:
            return self.step / self.settings.steps
        assert self.settings.minutes is not None
        return self.seconds / (60 * self.settings.minutes)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        partial = self.checkpoint_path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint_path)

    def resume(self) -> None:
        """Goes back to the checkpoint in the folder, which must be there."""
        state = torch.load(self.checkpoint_path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.log.rewind(self.step)

    def run(self) -> nn.Module:
        """Trains to the end of the budget; returns the averaged model.

        SIGTERM and SIGINT end it early, after a checkpoint.
        """
        settings = self.settings
        if self.step == 0:
            self.log.rewind(-1)
        previous = {s: signal.signal(s, self._stop) for s in (signal.SIGTERM, signal.SIGINT)}
        recipe = Recipe(
            self.task.draw,
            self.task.collate,
            settings.batch_size,
            settings.reuse,
            settings.seed,
        )
        stream = batches(recipe, self.step, settings.workers)
        saved = evaluated = self.seconds
        before = time.monotonic()
        self.model.train()
        try:
            while self.progress < 1 and not self._stopped:
                self._train_step(next(stream))
                now = time.monotonic()
                self.seconds, before = self.seconds + now - before, now
                if self.seconds - evaluated >= 60 * settings.evaluate_minutes:
                    self.evaluate()
                    evaluated = self.seconds
                if self.seconds - saved >= 60 * settings.checkpoint_minutes:
                    self.save()
                    saved = self.seconds
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        self.save()
        if not self._stopped:
            self.evaluate()
        return self.averaged

    def evaluate(self) -> dict[str, float]:
        with torch.no_grad():
            metrics = self.task.evaluate(self.averaged)
        self.log.metrics(self.step, self.seconds, metrics)
        return metrics

    def _train_step(self, batch: dict[str, Any]) -> None:
        settings = self.settings
        rate = rate_at(settings, self.step, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.bfloat16):
            loss, parts = self.task.loss(self.model, to_device(batch, self.device), self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        if not torch.isfinite(norm):
            raise RuntimeError(
                f"the gradient is not finite at step {self.step} (loss {float(loss.detach())}); "
                "lower the learning rate, or train without bfloat16"
            )
        self.optimizer.step()
        self.step += 1
        self._update_average()
        values = {"loss": loss, **parts, "norm": norm}
        self.log.add({name: float(value.detach()) for name, value in values.items()})
        if self.step % settings.log_steps == 0:
            self.log.flush(self.step, self.seconds, rate)

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average forgets quickly, so that it isn't full of the random start.
        keep = min(self.settings.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(
            list(self.averaged.parameters()), list(self.model.parameters()), 1 - keep
        )
        for ours, theirs in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            ours.copy_(theirs)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every training command has."""
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs")
    parser.add_argument("--minutes", type=float, help="wall time of the whole run")
    parser.add_argument("--steps", type=int, help="number of steps, instead of minutes")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--export", type=Path, help="folder for the finished model")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that make scenes")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training itself")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        help="by default on CUDA only: processors without such instructions take ten times longer",
    )


def train(task: Task, settings: Settings, arguments: argparse.Namespace) -> None:
    """Runs a task as the command line asks; a run that gets to its end exports the model."""
    trainer = Trainer(task, settings, arguments.runs / task.name)
    if arguments.resume:
        trainer.resume()
    model = trainer.run()
    if trainer.progress >= 1 and arguments.export is not None:
        task.export(model, arguments.export)


def settings_from(arguments: argparse.Namespace, **own: Any) -> Settings:
    """Settings of a command: what the caller asks, over the model's ``own`` recipe.

    ``own`` may hold ``minutes``, which ``--minutes`` and ``--steps`` override.
    """
    if arguments.steps is not None:
        own["minutes"] = None
    elif arguments.minutes is not None:
        own["minutes"] = arguments.minutes
    return Settings(
        steps=arguments.steps,
        workers=arguments.workers,
        threads=arguments.threads,
        device=arguments.device,
        seed=arguments.seed,
        bfloat16=arguments.device != "cpu" if arguments.bfloat16 is None else arguments.bfloat16,
        **own,
    )
