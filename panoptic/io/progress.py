"""How long work tells how far it is: one callback, and a bar that takes it."""

from __future__ import annotations

from collections.abc import Callable


class ProgressBar:
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

    def __enter__(self) -> ProgressBar:
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


Progress = Callable[[int, int | None], None]
