"""Puts a function on the command line: shared groups of options, errors in a line, exit codes."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from panoptic.commands.terminal import hide_advice
from panoptic.errors import no_memory
from panoptic.io.terminal_text import harmless, harmless_output

Run = Callable[..., int]
EMPTY = inspect.Parameter.empty
LESS_MEMORY = "smaller --models, a smaller --batch or pictures, or --device cpu may do"

TRACEBACK = Annotated[
    bool, typer.Option("--traceback", help="Show where an error came from, for bug reports.")
]


def add(app: typer.Typer, name: str, run: Run, *, panel: str, epilog: str | None = None) -> None:
    """Makes ``run`` the command ``name``, listed under ``panel``.

    Parameters of ``run`` whose type is a dataclass of options become those options. Lines of the
    ``epilog`` that start with a space stay as they are (keep them under 79 characters).
    """
    app.command(name, rich_help_panel=panel, epilog=_paragraphs(epilog or ""))(
        _with_exit_code(name, _flat(run))
    )


def _paragraphs(text: str) -> str:
    """Lines of a paragraph joined, for the terminal to break anew.

    The empty first line keeps typer from taking the indentation away.
    """
    parts = text.strip().split("\n\n")
    return "\n" + "\n\n".join(p if p.startswith(" ") else p.replace("\n", " ") for p in parts)


def _flat(run: Run) -> Run:
    """``run`` with the fields of its dataclasses as parameters of their own."""
    types = get_type_hints(run, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, list[str]]] = {}
    for parameter in inspect.signature(run).parameters.values():
        kind = types[parameter.name]
        if not dataclasses.is_dataclass(kind):
            parameters.append(_keyword(parameter.name, kind, parameter.default))
            continue
        fields = dataclasses.fields(kind)
        field_types = get_type_hints(kind, include_extras=True)
        given = parameter.default
        for field in fields:
            default = field.default if given is EMPTY else getattr(given, field.name)
            default = EMPTY if default is dataclasses.MISSING else default
            parameters.append(_keyword(field.name, field_types[field.name], default))
        groups[parameter.name] = kind, [field.name for field in fields]

    @functools.wraps(run)
    def flat(**values: Any) -> int:
        for name, (kind, names) in groups.items():
            values[name] = kind(**{each: values.pop(each) for each in names})
        return run(**values)

    return _signed(flat, parameters)


def _with_exit_code(command: str, run: Run) -> Run:
    """``run`` with the option --traceback, and with an exit code for whatever happens in it."""

    @functools.wraps(run)
    def guarded(context: typer.Context, traceback: bool, **values: Any) -> int:
        hide_advice()
        with harmless_output():
            return ending(context, traceback, values)

    def ending(context: typer.Context, traceback: bool, values: dict[str, Any]) -> int:
        try:
            code = run(**values)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (ValueError, OSError, ModuleNotFoundError) as error:
            if traceback or context.find_root().params["traceback"]:
                raise
            report(f"panoptic {command}", error)
            return 2
        except (MemoryError, RuntimeError) as error:
            if traceback or context.find_root().params["traceback"] or not no_memory(error):
                raise
            report(f"panoptic {command}", f"out of memory ({_first_line(error)}); {LESS_MEMORY}")
            return 2

    parameters = [
        _keyword("context", typer.Context, EMPTY),
        *inspect.signature(run).parameters.values(),
        _keyword("traceback", TRACEBACK, False),
    ]
    return _signed(guarded, parameters)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:120] or type(error).__name__


def report(command: str, error: Exception | str) -> None:
    """One line on stderr."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"{command}: error: {harmless(text)}", file=sys.stderr)


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _signed(function: Run, parameters: list[inspect.Parameter]) -> Run:
    """Gives the function the signature that typer is to read."""
    function.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters}
    return function
