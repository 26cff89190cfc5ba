"""How a manifest's SQLite file is opened: to be written by one process, or read from anywhere.

To read takes no right to write: on a read-only file system, where SQLite's write-ahead log can't
be opened, the file is read as one that nobody changes.

Written is it with a write-ahead log, which others can read beside, where the file system is known
to be this machine's own. SQLite's log needs memory that is shared by all who open it, and so
doesn't work over a network (https://sqlite.org/wal.html); elsewhere it is the older journal, which
needs no more than file locks, and readers wait for the writer's short transactions.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

_LOCAL = frozenset(
    {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs"}
    | {"reiserfs", "tmpfs", "ufs", "xfs", "zfs"}
)
"""File systems on one machine's own memory or disks, as Linux names them."""
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How spaces, tabs, line ends and backslashes are written in the table of mounts, and no others."""
_WAIT = 30.0  # seconds for which a reader or writer waits for another


def open_to_write(path: Path) -> sqlite3.Connection:
    """The file, made if it isn't there, with the journal that suits where it lies."""
    database = _connect(path, "rwc")
    local = is_local(path)
    database.execute(f"PRAGMA journal_mode = {'WAL' if local else 'DELETE'}")
    # The older journal is only as good as it is synchronous.
    database.execute(f"PRAGMA synchronous = {'NORMAL' if local else 'FULL'}")
    return database


def open_to_read(path: Path) -> sqlite3.Connection:
    """The file as it is; nothing is made beside it where that can't be."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return _connect(path, "rw")  # so the log that it needs is put away again
    database = _connect(path, "ro")
    try:
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
        return database
    except sqlite3.OperationalError:
        database.close()
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "ro&immutable=1")
    # What a killed run had in its log counts, and must be put together somewhere.
    folder = Path(tempfile.mkdtemp(prefix="panoptic-"))
    try:
        for part in (path, log):
            shutil.copyfile(part, folder / part.name)
        database = _connect(folder / path.name, "rw")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = sqlite3.connect(":memory:", check_same_thread=False)
        database.backup(whole)
        database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole.row_factory = sqlite3.Row
    return whole


def stored(text: str) -> str | bytes:
    """A name as the file takes it: file names need not be Unicode, SQLite's text must."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def text_of(value: str | bytes) -> str:
    """A name that ``stored`` made storable."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def is_local(path: Path, mounts: str | None = None) -> bool:
    """Whether a file is known to lie on this machine's own file system.

    ``mounts`` is the text of Linux's ``/proc/self/mountinfo``; on systems without, nothing is
    known.
    """
    if mounts is None:
        if sys.platform != "linux":
            return False
        try:
            mounts = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
        except OSError:
            return False
    place = path.resolve()
    best, kind = -1, ""
    for line in mounts.split("\n"):
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        # Of mounts on one point, the last is on top.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind in _LOCAL


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    place = quote(os.fspath(path.resolve()).encode("utf-8", "surrogateescape"))
    database = sqlite3.connect(
        f"file:{place}?mode={mode}", uri=True, check_same_thread=False, timeout=_WAIT
    )
    database.row_factory = sqlite3.Row
    return database
