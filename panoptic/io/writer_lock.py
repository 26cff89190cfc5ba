"""One writer at a time in a folder: two would undo each other's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panoptic.errors import DatasetError, OutputError

RUN = ".lock"
"""Held by whoever labels into a folder, as long as that takes."""
VERDICT = ".verdict.lock"
"""Held while a verdict is written, which may be done beside a run."""


@contextmanager
def only_one(folder: Path, busy: str, name: str = RUN, wait: float = 0.0) -> Iterator[None]:
    """Holds the lock ``folder/name`` while the block lasts; a killed holder's is gone with it.

    Raises ``DatasetError`` if somebody else still has it after ``wait`` seconds ("another run is
    ``busy`` 'FOLDER'"), and ``OutputError`` if the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / name)
    try:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise DatasetError(f"another run is {busy} {str(folder)!r}") from error
    except OSError as error:
        raise OutputError(
            f"the output folder {str(folder)!r} can't be used: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        lock.release()
