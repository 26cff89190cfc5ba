"""What a command shows: bars and rich tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from panoptic.io.progress import ProgressBar
from panoptic.io.terminal_text import one_line, unfiltered

if TYPE_CHECKING:
    from panoptic.show.tables import Table


class LogLines(logging.Handler):
    """While the ``with`` block lasts, a log becomes lines of a command on stderr, above its bar.

    Only there: what a library set up for the whole program would write them a second time.
    """

    warnings = 0
    """How many of the lines were warnings."""

    def __init__(self, command: str, log: str, bar: ProgressBar) -> None:
        super().__init__()
        self._command, self._log, self._bar = command, logging.getLogger(log), bar

    def text(self, record: logging.LogRecord) -> str | None:
        """The line without the command's name; None where nothing is to be said."""
        return record.getMessage()

    def emit(self, record: logging.LogRecord) -> None:
        self.warnings += record.levelno >= logging.WARNING
        if (text := self.text(record)) is not None:
            self._bar.say(f"{self._command}: {text}")

    def __enter__(self) -> LogLines:
        self._before = self._log.level, self._log.propagate
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        self._log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        level, self._log.propagate = self._before
        self._log.setLevel(level)


def show(*tables: Table) -> None:
    """Prints tables to stdout, an empty line between them."""
    tables = tuple(_harmless(table) for table in tables)
    if not sys.stdout.isatty():
        print("\n\n".join(map(str, tables)))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=unfiltered(sys.stdout))
    for table in tables:
        rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for place, title in enumerate(table.head):
            justify: Literal["left", "right"] = "right" if place in table.numbers else "left"
            # Names are there to be copied: broken where there is no room, never cut off.
            rich.add_column(Text(title), justify=justify, overflow="fold")
        for number, row in enumerate(table.rows):
            rich.add_row(*map(Text, row), end_section=number + 1 in table.rules)
        console.print(rich)


def _harmless(table: Table) -> Table:
    """With names on one line each, which strangers may have chosen."""
    rows = [[" ".join(one_line(cell).split()) for cell in row] for row in table.rows]
    return replace(table, rows=rows)


def hide_advice() -> None:
    """Keeps what libraries advise their programmers from standing between a command's lines."""
    for message in ("OpenCV .* is not installed", "You'd better set embed_dim"):
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
