"""Plain text tables for terminals and files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head; as text, columns are as wide as their widest cell and two spaces
    apart. Cells hold no two spaces in a row, so that text splits into cells again.

    Columns in ``numbers`` are set to the right. A ``ruled`` text has a rule under the head, and
    under each row whose number (from 1) is in ``rules``, where sections end.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Collection[int] = ()
    rules: Collection[int] = ()
    ruled: bool = False

    def __str__(self) -> str:
        widths = [
            max(len(row[i]) for row in (self.head, *self.rows)) for i in range(len(self.head))
        ]
        lines = []
        for row in (self.head, *self.rows):
            cells = (
                cell.rjust(width) if i in self.numbers else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join(cells).rstrip())
        if not self.ruled:
            return "\n".join(lines)
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        after = {0, *self.rules} - {len(self.rows)}
        ruled = [[line, rule] if i in after else [line] for i, line in enumerate(lines)]
        return "\n".join(line for part in ruled for line in part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The text of a table without rules, all columns to the left."""
    return str(Table(head, rows))
