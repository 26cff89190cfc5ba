"""How long work tells how far it is: one callback, and a bar that takes it."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from panoptic.io.terminal_text import HarmlessStream, harmless, unfiltered

Progress = Callable[[int, int | None], object]
"""Is called with how much is done and how much there is, None while that isn't known."""


@contextmanager
def shown(progress: bool | Progress, unit: str, total: int | None = None) -> Iterator[Progress]:
    """What long work calls while the ``with`` block lasts, for what its caller asked of it.

    True is a :class:`ProgressBar` of so many ``unit`` (plural), False nothing; a callback is
    itself.
    """
    if callable(progress):
        yield progress
    elif progress:
        with ProgressBar(unit, total) as bar:
            yield bar.update
    else:
        yield _nothing


def _nothing(done: int, total: int | None) -> None: ...


class ProgressBar:
    """A bar on stderr while the ``with`` block lasts; nothing where stderr isn't a terminal.

    In a notebook it is a widget, where ``ipywidgets`` is installed, and nothing elsewhere. One bar
    is shown at a time: work within shown work, or beside it in another thread, shows none.

    ``unit`` is what is counted, in the plural; ``total`` may become known later.
    """

    _one = threading.Lock()

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

        self._console = Console(stderr=True, file=unfiltered(sys.stderr))
        # rich alone would take FORCE_COLOR, which is for colours, for a terminal.
        terminal = self._console.is_terminal and _is_terminal(sys.stderr)
        notebook = self._console.is_jupyter and find_spec("ipywidgets") is not None
        self._bars = Bars(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            # What the block prints goes above the bar, but never elsewhere than it was sent to.
            redirect_stdout=terminal and _is_terminal(sys.stdout),
            redirect_stderr=terminal,
            disable=not (terminal or notebook),
        )
        self._task = self._bars.add_task(unit, total=total)
        self._shows = False

    def __enter__(self) -> ProgressBar:
        from rich.file_proxy import FileProxy

        self._shows = not self._bars.disable and self._one.acquire(blocking=False)
        if self._shows:
            atexit.register(self._bars.stop)  # of a generator that nobody ran to its end
            self._bars.start()
            # What is printed now goes to rich, which would take escapes in it for its own.
            redirected = [n for n in ("stdout", "stderr") if isinstance(getattr(sys, n), FileProxy)]
            for name in redirected:
                setattr(sys, name, HarmlessStream(getattr(sys, name)))
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows:
            self._shows = False
            self._bars.stop()
            atexit.unregister(self._bars.stop)
            self._one.release()

    def advance(self, count: int = 1) -> None:
        self._bars.advance(self._task, count)

    def update(self, done: int, total: int | None = None) -> None:
        """So many are done; a :data:`Progress`. A total that was known stays."""
        self._bars.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        """A line on stderr, above the bar."""
        self._console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)


def _is_terminal(stream: Any) -> bool:
    """Streams may be missing (no console), closed, or a program's own."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
