"""``panoptic demo``: the whole job on scenes of the demo world, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from panoptic.commands.command import add
from panoptic.commands.common import load_pipeline
from panoptic.commands.options import ModelOptions
from panoptic.commands.terminal import show

DEMO = ModelOptions(models="demo")


def register(app: typer.Typer) -> None:
    add(app, "demo", run, panel="Label")


def run(
    output: Annotated[Path, Option("-o", "--output", metavar="DIR")] = Path("out/demo"),
    scenes: Annotated[int, Option(metavar="N", min=1, help="How many.")] = 40,
    seed: Annotated[int, Option(help="Of the scenes.")] = 0,
    models: ModelOptions = DEMO,
) -> int:
    """Label scenes of the demo world with the bundled models, and measure how well."""
    pipeline = load_pipeline(models)

    from panoptic.demo.run import run_demo

    done = run_demo(pipeline, output, scenes=scenes, seed=seed)
    show(*done.report.tables(per_class=False))
    print(
        f"\n{scenes} scenes, {done.words} words asked of each, "
        f"{done.seconds / scenes:.2f} seconds a scene\n"
        f"Look at {output / 'demo.png'}, and at {output / 'explain' / 'sheet.png'} for how it "
        f"comes about.\nClass by class: panoptic eval {output / 'prediction.json'} "
        f"{output / 'truth.json'}"
    )
    return 0
