"""The ``panoptic`` command. Each subcommand is a module of ``panoptic.commands``.

Exit codes: 0 all done; 1 a part could not be done (the rest was, and is written); 2 nothing was
done, because of what was asked or given; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from panoptic.commands import (
    app,
    benchmark,
    dataset,
    demo,
    evaluate,
    export,
    image,
    models,
    report,
    review,
    serve,
    settings,
    video,
)
from panoptic.commands.command import TRACEBACK
from panoptic.commands.command import report as tell
from panoptic_anything import NAME, __version__

COMMANDS = (
    *(image, video, dataset, app, serve, report, review, export, demo),
    *(evaluate, benchmark, models, settings),
)
VERSION = Annotated[bool, typer.Option("--version", help="Print the version and leave.")]
# Typer's name for a command line that makes no sense; where it lives differs between versions.
UsageError: Any = typer.BadParameter.__mro__[1]


def build_app() -> typer.Typer:
    root = typer.Typer(
        name="panoptic",
        help="Zero-shot panoptic labelling: say in words what to look for, "
        "and every pixel gets a name.",
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @root.callback(invoke_without_command=True)
    def panoptic(
        context: typer.Context, traceback: TRACEBACK = False, version: VERSION = False
    ) -> int:
        if version:
            print(f"{NAME} {__version__}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            print(context.get_help(), end="")
        return 2

    for module in COMMANDS:
        module.register(root)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (without the program's name); returns the exit code."""
    app = build_app()
    if "_PANOPTIC_COMPLETE" in os.environ:  # a shell asks how a line may go on
        app(prog_name="panoptic")
    try:
        code = get_command(app).main(argv, "panoptic", standalone_mode=False)
    except UsageError as error:
        where = error.ctx.command_path if error.ctx else "panoptic"
        tell(where, f"{error.format_message()} (see {where} --help)")
        return 2
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
