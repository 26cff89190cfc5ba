"""What a command shows: bars and rich tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from panoptic.show.tables import Table


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
