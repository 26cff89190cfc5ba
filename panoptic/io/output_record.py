"""The record in an output folder of which files are ours: a line each, told before it is written.

So files of others that lie in the folder, or come later, are never taken for ours, not even after
a run was killed; and no source takes for pictures what was written as output.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from panoptic.errors import OutputError
from panoptic.io.files import whole_file

RECORD = ".panoptic-output.jsonl"
"""The name of the record. Its lines: {"run": COMMAND, ...}, {"file": PATH, "by": COMMAND}, and
while a run lasts {"folder": PATH, "match": PATTERN, "by": COMMAND}, files yet without names."""


@dataclass
class OutputRecord:
    """What the record of a folder says. Paths are POSIX, relative to the folder."""

    files: dict[str, str] = field(default_factory=dict)
    """By path, the command that wrote it."""
    families: dict[tuple[str, str], str] = field(default_factory=dict)
    """By folder and pattern of names, the command that writes files so named."""
    commands: set[str] = field(default_factory=set)
    """Whoever wrote here."""

    @classmethod
    def read(cls, folder: Path) -> OutputRecord | None:
        """The record of a folder; None if there is none. ``OutputError`` if it is damaged.

        The last line may be cut off, as a kill leaves it.
        """
        path = folder / RECORD
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, str(error)) from error
        record = cls()
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                record._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number == len(lines):
                    break
                raise _damaged(path, f"line {number}: {line[:80]!r}") from error
        return record

    def _take(self, line: Mapping[str, Any]) -> None:
        if "run" in line:
            self.commands.add(str(line["run"]))
        elif "file" in line:
            self.files[_checked(line["file"])] = str(line["by"])
        else:
            self.families[_checked(line["folder"]), str(line["match"])] = str(line["by"])

    def has(self, path: str) -> bool:
        """Whether a file is ours. ``path`` is relative, with ``/``."""
        folder, _, name = path.rpartition("/")
        return path in self.files or any(
            (folder or ".") == family and fnmatch.fnmatchcase(name, match)
            for family, match in self.families
        )

    def present(self, root: Path) -> dict[str, str]:
        """Our files that are there, those of families by their names, with who wrote them."""
        found = {path: by for path, by in self.files.items() if _is_within(root, root / path)}
        for (folder, match), by in self.families.items():
            found |= {path: by for path in matching(root, folder, match) if path not in found}
        return found

    def settle(self, root: Path) -> None:
        """Reduces it to the files that are there, without families."""
        self.files, self.families = self.present(root), {}

    def write(self, root: Path) -> None:
        """Settles it and puts it in the place of the one that is there."""
        self.settle(root)
        with whole_file(root / RECORD, synced=True) as part, part.open("w", encoding="utf-8") as f:
            for command in sorted(self.commands):
                f.write(_line({"run": command}))
            for path, by in sorted(self.files.items()):
                f.write(_line({"file": path, "by": by}))


class RecordJournal:
    """Adds lines to the record of a folder as a run goes on."""

    def __init__(self, root: Path, command: str) -> None:
        self._command = command
        self._file = (root / RECORD).open("a", encoding="utf-8")

    def run(self) -> None:
        """A run began."""
        self._write({"run": self._command})

    def file(self, path: str) -> None:
        self._write({"file": path, "by": self._command})

    def family(self, folder: str, match: str) -> None:
        self._write({"folder": folder, "match": match, "by": self._command})

    def close(self) -> None:
        self._file.close()

    def _write(self, content: Mapping[str, Any]) -> None:
        self._file.write(_line(content))
        self._file.flush()


def relative(root: Path, path: str | Path) -> str:
    """A path within ``root``, given so or from where we are, as the record names it.

    Raises ``ValueError`` if it leads out of the folder.
    """
    given = Path(path)
    if given.is_relative_to(root):
        given = given.relative_to(root)
    return _checked(given.as_posix())


def matching(root: Path, folder: str, match: str) -> list[str]:
    """The files in a folder below ``root`` whose names match a pattern as of ``fnmatch``."""
    place = root / folder
    if not place.is_dir():
        return []
    return sorted(
        relative(root, path)
        for path in place.iterdir()
        if fnmatch.fnmatchcase(path.name, match) and _is_within(root, path)
    )


def _is_within(root: Path, path: Path) -> bool:
    """Whether a file is there, and in the folder: not beyond a link to somewhere else."""
    if not (path.is_file() or path.is_symlink()):
        return False
    return path.parent == root or path.parent.resolve().is_relative_to(root.resolve())


def _checked(path: object) -> str:
    """A path that stays below the folder it is relative to; a record may be a stranger's."""
    pure = PurePosixPath(str(path))
    if not isinstance(path, str) or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ValueError(f"{path!r} is no path within the output folder")
    return pure.as_posix()


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content) + "\n"


def _damaged(path: Path, reason: str) -> OutputError:
    return OutputError(
        f"the record {str(path)!r} of what panoptic wrote is damaged ({reason}): without it "
        "nothing in this folder is known to be ours. Choose another folder"
    )
