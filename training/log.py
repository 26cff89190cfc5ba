"""The log of a run (JSON lines) and its curve (PNG)."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any


class RunLog:
    """``log.jsonl`` in a run's folder: lines with ``loss`` and its parts, lines with ``metrics``.

    Losses are means over the steps since the last line.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.jsonl"
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._sums[name] += value
        self._count += 1

    def flush(self, step: int, seconds: float, rate: float) -> None:
        means = {name: round(total / self._count, 4) for name, total in self._sums.items()}
        self._write(
            {"step": step, "minutes": _minutes(seconds), "rate": float(f"{rate:.3g}")} | means
        )
        self._sums.clear()
        self._count = 0

    def metrics(self, step: int, seconds: float, metrics: dict[str, float]) -> None:
        rounded = {name: round(value, 4) for name, value in metrics.items()}
        self._write({"step": step, "minutes": _minutes(seconds), "metrics": rounded})
        draw_curve(self.path)

    def rewind(self, step: int) -> None:
        """Drops the lines of steps that a resumed run will make again."""
        kept = [line for line in read_log(self.path) if line["step"] <= step]
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 2)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; none if there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def draw_curve(path: Path) -> None:
    """Draws ``curve.png`` beside a log: the loss above, the metrics below, over minutes."""
    from matplotlib.figure import Figure

    lines = read_log(path)
    losses = [line for line in lines if "loss" in line]
    metrics = [line for line in lines if "metrics" in line]
    figure = Figure(figsize=(8, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot([line["minutes"] for line in losses], [line["loss"] for line in losses], lw=1)
    above.set(ylabel="loss", title=f"{path.parent.name}: {lines[-1]['step']} steps")
    for name in metrics[0]["metrics"] if metrics else ():
        below.plot(
            [line["minutes"] for line in metrics],
            [line["metrics"].get(name) for line in metrics],
            marker=".",
            label=name,
        )
    below.set(xlabel="minutes", ylabel="held-out scenes", ylim=(0, 1))
    below.legend(fontsize=8)
    for axis in (above, below):
        axis.grid(alpha=0.3)
    figure.savefig(path.with_name("curve.png"), dpi=90)
