"""Writes a labelled data set in any of the formats, at any time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from panoptic.errors import CannotHold, ImageError
from panoptic.formats import new_exporter
from panoptic.formats.exporter import Exporter, ExportItem, Selection
from panoptic.formats.picture_files import Mode, PictureFiles
from panoptic.formats.writers import JsonLists
from panoptic.io.files import whole_folder
from panoptic.io.progress import Progress, shown
from panoptic.results.labelled import LabelledItem
from prompts import Vocabulary

NOTE = "export.json"
"""The file by which a folder is known as an export, so that a later one may take its place."""


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
    """One format as it was written: how many items by split, and how many are left out."""

    format: str
    folder: Path
    items: Mapping[str, int]
    left_out: int
    first_reason: str | None

    @property
    def total(self) -> int:
        return sum(self.items.values())


def export(
    items: Iterable[LabelledItem],
    vocabulary: Vocabulary,
    folder: str | Path,
    formats: Sequence[str],
    settings: ExportSettings | None = None,
    *,
    progress: bool | Progress = True,
) -> list[Exported]:
    """Writes each format to ``folder/FORMAT``, in one pass over the items.

    A folder appears when it is whole; an earlier export there is replaced then. What a format can't
    hold, and what has lost its picture, is left out and named in ``export.json`` with the reason.
    The same items give the same bytes. ``progress`` shows a bar on a terminal; a callback in its
    place is called with the items gone through and their number, None where ``items`` has no
    length.

    Raises ``ValueError`` for an unknown format, a vocabulary that a format can't hold, or a folder
    that is in the way; nothing is written then.
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
    total = len(items) if isinstance(items, Sized) else None
    with ExitStack() as stack:
        outputs = []
        for name in formats:
            building = stack.enter_context(_replaced(Path(folder) / name))
            outputs.append(_Output(name, building, words, settings))
        tell = stack.enter_context(shown(progress, "items", total))
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
        return [output.close(Path(folder) / output.format) for output in outputs]


class _Output:
    """One exporter and what it counts."""

    def __init__(
        self, format: str, building: Path, vocabulary: Vocabulary, settings: ExportSettings
    ) -> None:
        self.format = format
        self._settings = settings
        self._exporter: Exporter = new_exporter(
            format, building, vocabulary, PictureFiles(settings.pictures)
        )
        self._note = JsonLists(building / NOTE, "left_out")
        self._items: Counter[str] = Counter()
        self._first: str | None = None

    def add(self, item: ExportItem) -> None:
        try:
            self._exporter.add(item)
        except (CannotHold, ImageError) as error:
            item.undo()
            self.leave_out(item.key, str(error))
            self._first = self._first or f"{item.key}: {error}"
            return
        item.keep()
        self._items[item.split] += 1

    def leave_out(self, key: str, reason: str) -> None:
        self._note.append("left_out", {"key": key, "reason": reason})

    def close(self, folder: Path) -> Exported:
        self._exporter.close()
        left_out = self._note.counts["left_out"]
        content: dict[str, Any] = {
            **{"format": self.format, "written_by": "panoptic export"},
            **{"settings": asdict(self._settings), "items": dict(sorted(self._items.items()))},
            "left_out": self._note.place("left_out"),
        }
        self._note.close(content)
        return Exported(self.format, folder, dict(self._items), left_out, self._first)


def _replaced(folder: Path) -> AbstractContextManager[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends without an error.

    Raises ``ValueError`` if something is there that isn't an export.
    """
    if folder.exists() and not is_export(folder) and (folder.is_file() or any(folder.iterdir())):
        raise ValueError(
            f"{str(folder)!r} is in the way and was not written by panoptic export: "
            "move it, or export to another folder"
        )
    return whole_folder(folder)


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export, which may be replaced by another."""
    try:
        return bool(json.loads((folder / NOTE).read_text(encoding="utf-8"))["written_by"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
