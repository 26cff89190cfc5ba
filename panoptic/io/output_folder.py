"""Output folders: one rule for all commands, by which nobody's files are lost without a word.

- A folder that isn't there, or is empty, is taken.
- One with something in it is refused, and what it holds is named, unless it is asked to go on
  (``resume``) or to write over what is there (``overwrite``).
- ``resume`` keeps all; there must be something of the same command to go on with.
- ``overwrite`` removes what panoptic wrote there earlier, by the folder's record
  (``panoptic.io.output_record``), when the first file of the new run is about to be written. What
  others put there stays; a file of theirs that is in the way is an error.
- One run at a time writes into a folder. The lock is that of ``only_one(root, ...)``: what runs
  within the block can't take it once more.

    with output_folder(Path("out"), "panoptic image", overwrite=asked) as out:
        ...                                              # load models, read the first picture
        write_png(out.file("overlays/street.png"), overlay)     # a file, by its name
        out.files("vipseg/panomasks/drive", "*.png")            # files that some writer will name
        folder = out.root
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from panoptic.errors import OutputError
from panoptic.io.files import behind_link, whole_folder
from panoptic.io.output_record import RECORD, OutputRecord, RecordJournal, matching, relative
from panoptic.io.writer_lock import RUN, is_lock, only_one, only_one_beside

_NAMED = 3  # so many files are named in a message
_NOTHING = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", ".gitignore", RECORD})
"""What may lie in a folder that a person calls empty."""


class OutputFolder:
    """A folder that a run writes into, see ``output_folder``."""

    def __init__(self, root: Path, command: str, record: OutputRecord, stale: set[str]) -> None:
        self.root = root
        self.command = command
        self._record = record
        self._stale = stale
        self._journal = RecordJournal(root, command)
        self._journal.run()
        record.commands.add(command)

    def file(self, path: str | Path) -> Path:
        """The path of a file that is about to be written, noted as ours; it may be again.

        ``path`` is relative to the folder, or within it. Raises ``OutputError`` where somebody
        else's file is.
        """
        name = relative(self.root, path)
        self._begin()
        if not self._record.has(name):
            if (self.root / name).exists() or (self.root / name).is_symlink():
                raise self._in_the_way([name])
            self._journal.file(name)
        self._record.files[name] = self.command
        return self.root / name

    def files(self, folder: str | Path, match: str) -> Path:
        """The path of a folder into which files are about to be written whose names match a
        pattern as of ``fnmatch``; they are noted as ours.

        Raises ``OutputError`` where somebody else's file matches.
        """
        name = relative(self.root, folder)
        self._begin()
        if (name, match) not in self._record.families:
            here = matching(self.root, name, match)
            if others := [path for path in here if not self._record.has(path)]:
                raise self._in_the_way(others)
            self._journal.family(name, match)
            self._record.families[name, match] = self.command
        return self.root / name

    def wrote(self, path: str | Path) -> bool:
        """Whether a file is ours, of this run or of an earlier one."""
        return self._record.has(relative(self.root, path))

    def _begin(self) -> None:
        """Earlier results go now, not before there is something to take their place."""
        stale, self._stale = self._stale, set()
        remove_files(self.root, stale)
        for name in stale:
            self._record.files.pop(name, None)

    def _close(self) -> None:
        self._journal.close()
        self._record.write(self.root)

    def _in_the_way(self, names: Sequence[str]) -> OutputError:
        return OutputError(
            f"{_listed(names)} in the output folder {str(self.root)!r} would be written over, and "
            "panoptic has no record of having written it: move it, or choose another folder"
        )


@contextmanager
def output_folder(
    root: Path,
    command: str,
    *,
    resume: bool | None = None,
    overwrite: bool | None = None,
    earlier: Sequence[tuple[str, str]] = (),
) -> Iterator[OutputFolder]:
    """The folder to write into, by the rule above; it is locked while the block lasts.

    ``command`` is who writes, such as "panoptic image". ``resume`` and ``overwrite`` are what was
    asked for; None where the command has no such option, so that the message doesn't name it.
    ``earlier`` are (folder, pattern) pairs of what versions without a record wrote here: taken as
    ours in a folder that has none. A run that wrote nothing leaves no folder that wasn't there.

    Raises ``OutputError`` where the rule forbids it or the folder can't be used, ``DatasetError``
    while another run writes into it.
    """
    if resume and overwrite:
        raise ValueError("either go on with what is there (--resume) or write over it, not both")
    is_new = not root.exists()
    if not is_new and not (root / RUN).exists():
        # A refusal leaves a stranger's folder as it is, without as much as a lock in it.
        _check(root, command, resume, overwrite, earlier)
    with only_one(root, "writing into"):
        record = _check(root, command, resume, overwrite, earlier)
        if record.commands:
            record.write(root)
        stale = set(record.files) if overwrite else set()
        out = OutputFolder(root, command, record, stale)
        try:
            yield out
        finally:
            out._close()
            if not record.files and not record.commands - {command}:
                (root / RECORD).unlink(missing_ok=True)
            if is_new and all(_is_nothing(path.name) for path in root.iterdir()):
                _remove_unused(root)


@contextmanager
def replaced_folder(folder: Path, command: str, *, overwrite: bool | None = None) -> Iterator[Path]:
    """An empty folder to write into; it takes the place of ``folder`` when the block ends without
    an error, all at once, by the same rule.

    With ``overwrite``, what ``command`` or another wrote there earlier goes, and what others put
    there is carried over into the new one. After an error all is as it was. Raises as
    ``output_folder`` does, ``DatasetError`` as well while somebody writes into a folder below, and
    ``OutputError`` where a file that was carried over is in the way.
    """
    folder = behind_link(folder)  # so that one lock serves all names of it
    with only_one_beside(folder, "writing"):
        record = OutputRecord()
        if folder.exists():
            record = _check(folder, command, None, overwrite, ())
            _require_idle(folder)
        with whole_folder(folder) as building:
            yield building
            _require_idle(folder)
            ours = OutputRecord(
                files={relative(building, p): command for p in _files_in(building)},
                commands={command},
            )
            if others := set(_others(folder, record)):
                if both := sorted(others & ours.files.keys()):
                    raise OutputError(
                        f"{_listed(both)} in {str(folder)!r} would be written over, and panoptic "
                        "has no record of having written it: move it, or choose another folder"
                    )
                for name in others:
                    (building / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(folder / name, building / name, follow_symlinks=False)
            ours.write(building)


def require_own(root: Path, known: Collection[str]) -> None:
    """The rule for what is always gone on with, and has records of its own.

    Raises ``OutputError`` if the folder holds something, and nothing that is called as one of
    ``known``.
    """
    if not root.exists():
        return
    held = _held(root)
    if held and not set(known) & set(os.listdir(root)):
        raise OutputError(
            f"the output folder {str(root)!r} isn't empty, and nothing in it is of an earlier run "
            f"that could be gone on with: it holds {_listed(held)}. Choose another folder"
        )


def remove_files(root: Path, names: set[str]) -> None:
    """Removes files below a folder, and the folders below it that are empty then."""
    folders: set[Path] = set()
    for name in names:
        path = root / name
        path.unlink(missing_ok=True)
        folders.update(parent for parent in path.parents if parent.is_relative_to(root))
    for folder in sorted(folders - {root}, key=lambda f: len(f.parts), reverse=True):
        _remove_if_empty(folder)


def _check(
    root: Path,
    command: str,
    resume: bool | None,
    overwrite: bool | None,
    earlier: Sequence[tuple[str, str]],
) -> OutputRecord:
    """What is known to be ours in a folder that may be written to; the rule."""
    held = _held(root)
    record = OutputRecord.read(root)
    if record is None:
        found = (path for place in earlier for path in matching(root, *place))
        record = OutputRecord(files=dict.fromkeys(found, command))
        record.commands.update(record.files.values())
    else:
        record.settle(root)
    if not held or overwrite or (resume and command in record.commands):
        return record
    nothing = f"; there is nothing of {command} to go on with" if resume else ""
    raise OutputError(
        f"the output folder {str(root)!r} isn't empty: it holds {_listed(held)}"
        f"{_written_by(record)}{nothing}. Choose another folder"
        + _options(resume if command in record.commands else None, overwrite)
    )


def _require_idle(folder: Path) -> None:
    """Raises ``DatasetError`` while somebody writes into a folder or one below it: what they write
    from now on would go into files that nobody finds any more."""
    for lock in sorted(folder.rglob(RUN)):
        with only_one(lock.parent, "writing into"):
            pass


def _held(root: Path) -> list[str]:
    """The names of what is in a folder that there is. ``OutputError`` if it can't be looked at."""
    try:
        if not root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        return sorted(path.name for path in root.iterdir() if not _is_nothing(path.name))
    except OSError as error:
        raise OutputError(
            f"the output folder {str(root)!r} can't be used: {error.strerror or error}"
        ) from error


def _written_by(record: OutputRecord) -> str:
    return f", written by {' and '.join(sorted(record.commands))}" if record.commands else ""


def _options(resume: bool | None, overwrite: bool | None) -> str:
    text = ""
    if resume is not None:
        text += ", go on with what is there (--resume)"
    if overwrite is not None:
        text += (
            ", or put the new results in place of what panoptic wrote there (--overwrite; files "
            "of others stay)"
        )
    return text


def _is_nothing(name: str) -> bool:
    return name in _NOTHING or is_lock(name)


def _others(folder: Path, record: OutputRecord) -> Iterator[str]:
    """The files in a folder that aren't ours."""
    if folder.is_dir():
        for path in _files_in(folder):
            name = relative(folder, path)
            if not record.has(name) and not (name == RECORD or is_lock(name)):
                yield name


def _files_in(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_symlink() or not p.is_dir())


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:_NAMED])
    return listed + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _remove_unused(root: Path) -> None:
    """Removes a folder that was made for a run that then wrote nothing, with its lock, which is
    still held."""
    with suppress(OSError):
        for path in root.iterdir():
            if is_lock(path.name):
                path.unlink(missing_ok=True)
        root.rmdir()
