"""The ``panoptic`` command. Each subcommand is a module of ``panoptic.commands``.

Exit codes: 0 all done; 1 a part could not be done (the rest was, and is written); 2 nothing was
done, because of what was asked or given; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from panoptic.commands import demo, evaluate, image, models

COMMANDS = (image, demo, evaluate, models)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="panoptic",
        description="Zero-shot panoptic labelling: say in words what to look for, "
        "and every pixel gets a name.",
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show where an error came from, for bug reports"
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        command = subparsers.add_parser(
            module.NAME,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, command=module.NAME)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (without the program's name); returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if arguments.traceback:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"panoptic {arguments.command}: error: {text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
