"""What a command shows: bars and rich tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from panoptic.tables import Table


class Progress:
    """A bar on stderr while the ``with`` block lasts; nothing where stderr isn't a terminal.

    ``unit`` is what is counted, in the plural; ``total`` may become known later.
    """

    def __init__(self, unit: str, total: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True)
        self._bars = Bars(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bars.add_task(unit, total=total)

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def advance(self, count: int = 1) -> None:
        self._bars.advance(self._task, count)

    def update(self, done: int, total: int | None = None) -> None:
        """So many are done; the form of a callback ``progress(done, total)``."""
        self._bars.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        """A line on stderr, above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def show(*tables: Table) -> None:
    """Prints tables to stdout, an empty line between them."""
    if not sys.stdout.isatty():
        print("\n\n".join(map(str, tables)))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    for table in tables:
        rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for place, title in enumerate(table.head):
            justify: Literal["left", "right"] = "right" if place in table.numbers else "left"
            # Names are there to be copied: broken where there is no room, never cut off.
            rich.add_column(Text(title), justify=justify, overflow="fold")
        for number, row in enumerate(table.rows):
            rich.add_row(*map(Text, row), end_section=number + 1 in table.rules)
        console.print(rich)


def hide_advice() -> None:
    """Keeps what libraries advise their programmers from standing between a command's lines."""
    for message in ("OpenCV .* is not installed", "You'd better set embed_dim"):
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
