"""Writes a labelled data set in any of the formats, at any time."""

from __future__ import annotations

import errno
import filecmp
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from panoptic.errors import ImageNotFoundError, NothingExported, OutputError
from panoptic.formats import check_can_hold, new_exporter
from panoptic.formats.exporter import Exporter, ExportItem, Selection
from panoptic.formats.picture_files import Mode, PictureFiles
from panoptic.formats.writers import JsonLists
from panoptic.io.files import behind_link, read_json
from panoptic.io.names import printable
from panoptic.io.output_folder import replaced_folder
from panoptic.io.output_record import RECORD, OutputRecord
from panoptic.io.progress import Progress, shown
from panoptic.results.labelled import LabelledItem
from prompts import Vocabulary

COMMAND = "panoptic export"
NOTE = "export.json"
"""What was exported, and what was left out and why."""
MOVED = "if the pictures lie elsewhere now, say where (--pictures FOLDER)"
_NAMED = 20
"""How many items that a format can't hold are told one by one: a thousand pictures have no place
among videos, and each is in the note."""
_SECONDS = 2.0  # the coarsest clock of a file system
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

log = logging.getLogger("panoptic.dataset")


@dataclass(frozen=True)
class ExportSettings:
    """What is exported. What was rejected never is; what was accepted or corrected always is."""

    selection: Selection = field(default_factory=Selection)
    min_quality: float = 0.0
    """Items whose quality is known and below this are left out. 0: every label that there is."""
    pictures: Mode = "copy"

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_quality <= 1.0:
            raise ValueError(f"min_quality must be in [0, 1], got {self.min_quality}")
        PictureFiles(self.pictures)  # refuses what it doesn't know

    def wants(self, item: LabelledItem) -> bool:
        if item.verdict is not None:
            return item.verdict != "reject"
        return item.quality is None or item.quality >= self.min_quality


@dataclass(frozen=True)
class Exported:
    """One format as it was written: how many items by split, and how many are left out.

    With no item at all nothing was written, and what was in the folder is as it was.
    """

    format: str
    folder: Path
    items: Mapping[str, int]
    left_out: int
    failed: int
    """Of those left out, the ones that nobody asked to leave out."""
    first_reason: str | None

    @property
    def total(self) -> int:
        return sum(self.items.values())


def check_export(
    vocabulary: Vocabulary,
    folder: str | Path,
    formats: Sequence[str],
    settings: ExportSettings | None = None,
) -> Vocabulary:
    """Finds what is wrong with a request before anything is labelled or read for it.

    Returns the words that are exported. Raises ``ValueError`` for no or unknown formats, and words
    that a format can't hold, ``ModuleNotFoundError`` for a package that a format needs, and
    ``OutputError`` where a format's folder would be is a file, or a link that leads nowhere.
    """
    settings = settings or ExportSettings()
    if not formats:
        raise ValueError("say at least one format to export to")
    if len(set(formats)) < len(formats):
        raise ValueError(f"a format is named twice in {', '.join(formats)}")
    words = settings.selection.vocabulary(vocabulary)
    if not len(words):
        raise ValueError(
            f"the vocabulary has no {settings.selection.parts}, so there are no labels"
        )
    for name in formats:
        check_can_hold(name, words)
        for path in (place := Path(folder) / name, *place.parents):
            if behind_link(path).exists() and not path.is_dir():
                raise OutputError(f"can't export to {str(place)!r}: {str(path)!r} is a file")
    return words


def export(
    items: Iterable[LabelledItem],
    vocabulary: Vocabulary,
    folder: str | Path,
    formats: Sequence[str],
    settings: ExportSettings | None = None,
    *,
    overwrite: bool = False,
    progress: bool | Progress = True,
) -> list[Exported]:
    """Writes each format to ``folder/FORMAT``, in one pass over the items.

    A folder appears when it is whole. An earlier export there is refused, or with ``overwrite``
    replaced then: what others put into it is carried over. An item that can't be exported (its
    picture is gone, its label is damaged, the format can't hold it) is left out, named in
    ``export.json`` with the reason, and told to the log ``panoptic.dataset`` as a warning; the
    others go on. A format that would have no item at all isn't written.

    The same items give the same bytes. ``progress`` shows a bar on a terminal; a callback in its
    place is called with the items gone through and their number, None where ``items`` has no
    length.

    Raises ``NothingExported`` if no format has any item, ``OutputError`` where it can't be written
    or something is in the way, and what ``check_export`` raises. What was there before is as it was
    then.
    """
    settings = settings or ExportSettings()
    words = check_export(vocabulary, folder, formats, settings)
    total = len(items) if isinstance(items, Sized) else None
    with ExitStack() as stack:
        outputs = [
            stack.enter_context(_output(Path(folder) / name, words, settings, overwrite))
            for name in formats
        ]
        tell = stack.enter_context(shown(progress, "items", total))
        number = 0
        for number, item in enumerate(items, start=1):
            if settings.wants(item):
                outgoing = ExportItem(item, settings.selection)
                for output in outputs:
                    output.add(outgoing)
            elif item.verdict == "reject":
                for output in outputs:
                    output.leave_out(item.key, "rejected")
            else:
                for output in outputs:
                    output.leave_out(item.key, f"its quality is {item.quality:.3f}")
            tell(number, total)
        made = [output.close() for output in outputs]
        if not any(each.total for each in made):
            raise NothingExported(_nothing(made, number))
        return made


class _Empty(Exception):
    """A format that has no item; its folder isn't to take the place of what is there."""


@contextmanager
def _output(
    folder: Path, vocabulary: Vocabulary, settings: ExportSettings, overwrite: bool
) -> Iterator[_Output]:
    """A format's output; its folder appears when the block ends well and there is something."""
    if overwrite:
        _take_as_ours(folder)
    with (
        suppress(_Empty),
        replaced_folder(folder, COMMAND, overwrite=overwrite) as building,
    ):
        output = _Output(folder, building, vocabulary, settings)
        yield output
        if output.is_empty:
            raise _Empty
        _check_edited(folder, building)


class _Output:
    """One exporter and what it counts."""

    def __init__(
        self, folder: Path, building: Path, vocabulary: Vocabulary, settings: ExportSettings
    ) -> None:
        self.format = folder.name
        self._folder = folder
        self._settings = settings
        self._exporter: Exporter = new_exporter(
            self.format, building, vocabulary, PictureFiles(settings.pictures)
        )
        self._note = JsonLists(building / NOTE, "left_out")
        self._items: Counter[str] = Counter()
        self._failed = 0
        self._first: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self._items

    def add(self, item: ExportItem) -> None:
        try:
            self._exporter.add(item)
        except Exception as error:  # whatever an odd file brings up: the others go on
            item.undo()
            if _is_full(error):
                raise OutputError(
                    f"{self.format} can't be written to {str(self._folder)!r}: {error}. What was "
                    "there is as it was"
                ) from error
            reason = str(error) if isinstance(error, ValueError) else ""
            reason = reason or f"{type(error).__name__}: {error}"
            if isinstance(error, ImageNotFoundError):
                reason += f"; {MOVED}"
            self.leave_out(item.key, reason)
            self._failed += 1
            self._first = self._first or f"{item.key}: {reason}"
            if self._failed <= _NAMED:
                log.warning("%s has no %s: %s", self.format, item.key, printable(reason, 2000))
            return
        item.keep()
        self._items[item.split] += 1

    def leave_out(self, key: str, reason: str) -> None:
        self._note.append("left_out", {"key": key, "reason": reason})

    def close(self) -> Exported:
        self._exporter.close()
        left_out = self._note.counts["left_out"]
        content: dict[str, Any] = {
            **{"format": self.format, "written_by": COMMAND},
            **{"settings": asdict(self._settings), "items": dict(sorted(self._items.items()))},
            "left_out": self._note.place("left_out"),
        }
        self._note.close(content)
        if self._failed > _NAMED:
            more = self._failed - _NAMED
            log.warning("%s has none of %d more items, see %s", self.format, more, NOTE)
        if self.is_empty:
            log.warning("%s has no item, so it isn't written", self.format)
        items = dict(self._items)
        return Exported(self.format, self._folder, items, left_out, self._failed, self._first)


def _nothing(made: Sequence[Exported], seen: int) -> str:
    if not seen:
        return "there is nothing to export: no item has a label"
    kept = "; what was exported before is as it was"
    reasons = [f"{each.format} has no {each.first_reason}" for each in made if each.first_reason]
    if not reasons:
        return f"all {seen} items are rejected or of less quality than asked for{kept}"
    return f"none of {seen} items could be exported: {reasons[0]}{kept}"


def _check_edited(folder: Path, building: Path) -> None:
    """Refuses to replace files of an earlier export that somebody worked on since.

    The note was written last, so what is younger was changed, or copied.
    """
    if not (folder / NOTE).exists():
        return
    written = (folder / NOTE).stat().st_mtime
    edited = []
    for name in (OutputRecord.read(folder) or OutputRecord()).files:
        before, now = folder / name, building / name
        if (
            name != NOTE
            and before.is_file()
            and before.stat().st_mtime > written + _SECONDS
            and not (now.is_file() and filecmp.cmp(before, now, shallow=False))
        ):
            edited.append(name)
    if edited:
        more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
        raise OutputError(
            f"{str(folder / edited[0])!r}{more} changed since it was exported and would be lost: "
            "take corrections in with panoptic review --correct, then move the folder, or export "
            "to another (--to)"
        )


def _take_as_ours(folder: Path) -> None:
    """An export of an earlier version, which kept no record: all is of it but what is younger."""
    try:
        written = (folder / NOTE).stat().st_mtime + _SECONDS
        note = read_json(folder / NOTE)
        if (folder / RECORD).exists() or note["written_by"] != COMMAND:
            return
    except (OSError, ValueError, KeyError, TypeError):
        return
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    ours = [p.relative_to(folder).as_posix() for p in files if p.stat().st_mtime <= written]
    OutputRecord(files=dict.fromkeys(ours, COMMAND), commands={COMMAND}).write(folder)


def _is_full(error: BaseException | None) -> bool:
    """Whether it is of the disk that is written to, and not of the item."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
