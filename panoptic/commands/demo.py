"""``panoptic demo``: the whole job on scenes of the demo world, offline."""

from __future__ import annotations

import argparse
from pathlib import Path

from panoptic.commands.common import add_model_arguments, load_pipeline

NAME = "demo"
HELP = "label scenes of the demo world with the bundled models, and measure how well"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, default=Path("out/demo"), metavar="DIR")
    parser.add_argument(
        "--scenes", type=int, default=40, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the scenes (default: 0)")
    add_model_arguments(parser, default="demo")


def run(arguments: argparse.Namespace) -> int:
    if arguments.scenes < 1:
        raise ValueError(f"--scenes must be 1 or more, got {arguments.scenes}")
    pipeline = load_pipeline(arguments)

    from panoptic.demo.run import run_demo

    run_demo(pipeline, arguments.output, scenes=arguments.scenes, seed=arguments.seed)
    return 0
