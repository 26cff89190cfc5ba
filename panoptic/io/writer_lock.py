"""One writer at a time in a folder, whatever it writes: two would undo each other's files."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from panoptic.errors import DatasetError, OutputError
from panoptic.io.files import read_json, write_json

RUN = ".lock"
"""Held by whoever writes into a folder, as long as that takes."""
VERDICT = ".verdict.lock"
"""Held while a verdict is written, which may be done beside a run."""
_HOLDER = ".json"  # beside a lock, who holds it: a lock file's own content isn't ours


@contextmanager
def only_one(folder: Path, busy: str, name: str = RUN, wait: float = 0.0) -> Iterator[None]:
    """Holds the lock ``folder/name`` while the block lasts; a killed holder's is gone with it.

    It isn't given twice, not even to one thread. Raises ``DatasetError`` if somebody else still
    has it after ``wait`` seconds: "another run is ``busy`` 'FOLDER'", and who that is and since
    when. Raises ``OutputError`` if the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / name)
    holder = folder / (name + _HOLDER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise DatasetError(
            f"another run is {busy} {str(folder)!r}: {_told(holder)}. Wait until it has ended, "
            "or end it; what it wrote so far can be gone on with"
        ) from error
    except OSError as error:
        raise OutputError(
            f"the output folder {str(folder)!r} can't be used: {error.strerror or error}"
        ) from error
    try:
        with suppress(OSError):  # a full disk is the writer's to tell
            write_json(holder, _this_process())
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def only_one_beside(path: Path, busy: str) -> Iterator[None]:
    """Holds the lock of a file or folder that appears whole, among others which may be anybody's;
    the lock is beside it and goes with the block. Raises as ``only_one`` does.
    """
    name = f".{path.name}{RUN}"
    with only_one(path.parent, busy, name):
        try:
            yield
        finally:
            # While it is held: whoever opened it before that finds that it has no name any more,
            # and takes a new one (filelock from 3.21 on).
            with suppress(OSError):
                (path.parent / name).unlink(missing_ok=True)


def is_lock(name: str) -> bool:
    """Whether a file of this name is here for a lock alone."""
    return name.removesuffix(_HOLDER).endswith(".lock") and name.startswith(".")


def command_of_process() -> str:
    """The program and its command, such as "panoptic video"; nothing that may be private."""
    program = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    command = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].isalpha() else ""
    return f"{program} {command}".strip() if program.startswith("panoptic") else program


def _this_process() -> dict[str, Any]:
    return {
        **{"command": command_of_process(), "process": os.getpid(), "host": socket.gethostname()},
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _told(holder: Path) -> str:
    try:
        who = read_json(holder)
        host, since = str(who["host"]), datetime.fromisoformat(who["since"])
        where = "" if host == socket.gethostname() else f" on {host!r}"
        return f"{who['command']!r}, process {int(who['process'])}{where}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or just ended
        return "it has the lock, and hasn't said who it is"
