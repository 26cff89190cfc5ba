"""DatasetStore: a folder of labels with its manifest, as exporters, reports and reviews read it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from panoptic.dataset.decisions import Decision, DecisionLog
from panoptic.dataset.label_files import PARTIAL, LabelFiles
from panoptic.dataset.label_state import State
from panoptic.dataset.manifest import Manifest, unit_of
from panoptic.dataset.settings_difference import check_version, difference
from panoptic.dataset.source_pictures import MovedPictures, SourcePictures
from panoptic.dataset.splits import Splits, SplitShares
from panoptic.dataset.tasks import Counts, Failure, SegmentRecord
from panoptic.dataset.verdict_table import VerdictTable
from panoptic.dataset.words_of_labels import CommonWords, Word, WordTable
from panoptic.errors import DatasetError, OutputError, SettingsChangedError
from panoptic.io.picture_settings import PictureSettings
from panoptic.io.writer_lock import VERDICT, only_one
from panoptic.results.labelled import VERDICTS, LabelledItem, Verdict
from panoptic.results.segment import UNKNOWN_ID
from panoptic.results.segmentation import PanopticSegmentation
from prompts import Vocabulary

MANIFEST = "manifest.sqlite"
OWN = (MANIFEST, "labels", "videos", "corrections", PARTIAL)
"""By any of these a folder is known as a data set's."""
_FEW = 1000  # of more, a tenth is empty once in 10^45 data sets
_VERDICT_SECONDS = 30.0  # that a verdict waits for another's, which takes well under a second


class DatasetStore:
    """Labels, manifest and verdicts of a data set that ``panoptic dataset`` wrote, or is writing.

    Nothing is held in memory: ``items`` reads from the manifest as it goes.
    """

    def __init__(self, root: Path, manifest: Manifest, moved: MovedPictures | None = None) -> None:
        self.root = root
        self.manifest = manifest
        self.files = LabelFiles(root)
        self.verdicts = VerdictTable(manifest)
        self.decisions = DecisionLog(manifest)
        self.word_table = WordTable(manifest)
        self._words: CommonWords | None = None
        self._numbers: dict[tuple[str, int], Word] = {}
        self.pictures = SourcePictures(moved)
        self._splits: Splits | None = None

    @classmethod
    def open(cls, out: str | Path, pictures: str | Path | None = None) -> DatasetStore:
        """Opens a labelled data set; ``DatasetError`` if there is none or it can't be read.

        ``pictures`` is the folder in which the pictures are now, if they were moved since they
        were labelled: they are found there by their names, and told by their contents.
        """
        root, moved = Path(out), None if pictures is None else MovedPictures(pictures)
        store = cls(root, Manifest(root / MANIFEST), moved)
        if store.manifest.get_meta("vocabulary") is None:
            raise DatasetError(f"{str(root)!r} is no labelled data set yet: its run never began")
        return store

    @classmethod
    def create(
        cls,
        out: str | Path,
        vocabulary: Vocabulary,
        settings: Mapping[str, Any],
        settings_hash: str,
        source: str,
        *,
        redo: bool = False,
    ) -> DatasetStore:
        """Opens a data set to label into, made if it isn't there.

        ``SettingsChangedError`` if it was labelled with other words or settings, unless ``redo``;
        ``DatasetError`` if it is of another source; ``OutputError`` if it can't be written.
        """
        root = Path(out)
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the output folder {str(root)!r} can't be made: {error.strerror or error}"
            ) from error
        if not (root / MANIFEST).exists() and any(
            (root / name).exists() for name in ("labels", "videos", "corrections")
        ):
            raise DatasetError(
                f"{str(root)!r} holds labels, but no {MANIFEST} that knows them; "
                "they would be overwritten: choose another folder"
            )
        store = cls(root, Manifest(root / MANIFEST, create=True))
        meta = store.manifest.get_meta
        if (known := meta("source")) not in (None, source):
            raise DatasetError(
                f"{str(root)!r} holds the labels of {known!r}; another source needs a folder of "
                f"its own, got {source!r}"
            )
        if (known := meta("settings_hash")) not in (None, settings_hash) and not redo:
            check_version(root, store.settings, settings)
            raise SettingsChangedError(
                f"{str(root)!r} was labelled with other words, models or settings: "
                f"{difference(store.asked, store.settings, vocabulary, settings)}. Ask for what "
                "it was, label it all anew with --redo (what is there is kept in previous/), or "
                "choose another folder"
            )
        store.manifest.set_meta(
            vocabulary=vocabulary.to_coco(),
            settings=dict(settings),
            settings_hash=settings_hash,
            source=source,
        )
        store.word_table.know(settings_hash, vocabulary)
        return store

    # -- what there is -------------------------------------------------------------------------

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of all labels: those asked for last, with their numbers, and then those that
        only labels of earlier runs have, such as what a person accepted before other words were
        asked for. All labels are given with these numbers, by name."""
        return self._common().vocabulary

    @property
    def asked(self) -> Vocabulary:
        """The words that the latest run asked for."""
        return Vocabulary.from_coco(self.manifest.get_meta("vocabulary"))

    @property
    def settings(self) -> dict[str, Any]:
        """What it was labelled with: models, thresholds, seed."""
        return dict(self.manifest.get_meta("settings"))

    @property
    def source(self) -> str:
        return str(self.manifest.get_meta("source"))

    def counts(self) -> Counts:
        return self.manifest.counts()

    def __len__(self) -> int:
        """How many items have a label."""
        return self.counts().done

    def items(self, splits: Splits | None = None) -> Iterator[LabelledItem]:
        """Everything that has a label, in the order of the names in the source.

        ``splits`` are those of ``self.splits()``, with other shares if wanted.
        """
        splits = splits or self.splits()
        return (self._item(row, splits) for row in self.manifest.labelled())

    def item(self, key: str) -> LabelledItem:
        """One item; ``KeyError`` if none that has a label has this key."""
        return self._item(self.manifest.row(key))

    def splits(self, shares: SplitShares | None = None, min_quality: float = 0.0) -> Splits:
        """Which item is in train, val or test: by shares, and none of those empty where there are
        enough items that nobody rejected and whose quality isn't known to be below."""

        def counts(row: sqlite3.Row) -> bool:
            if row["verdict"] is not None:
                return bool(row["verdict"] != "reject")
            return row["quality"] is None or row["quality"] >= min_quality

        return Splits.of((r["content"] for r in self.manifest.labelled() if counts(r)), shares)

    def failures(self) -> Iterator[Failure]:
        """What could not be labelled, with reasons."""
        return self.manifest.failures()

    def segments(self, key: str) -> list[SegmentRecord]:
        """The segments of an item as labelled, without opening its files."""
        return [
            replace(record, category_id=self._number(settings, record.category_id))
            for settings, record in self.manifest.segments(key)
        ]

    def state(self, key: str) -> State:
        """The state that an item's label is in, see ``panoptic.dataset.label_state``; ``KeyError``
        for a key that no item has."""
        return self.manifest.state(key)

    def corrections(self, key: str) -> dict[int, Path]:
        """The files (JSON) of the corrections of an item that stand, by frame."""
        found = self.verdicts.corrections(key)
        return {frame: self.root / file.path for frame, file in found.items()}

    def set_verdict(
        self,
        key: str,
        verdict: Verdict | None,
        *,
        corrected: PanopticSegmentation | Mapping[int, PanopticSegmentation] | None = None,
        note: str = "",
        decision: Decision | None = None,
    ) -> State:
        """What a person says of an item; ``None`` takes it back. Returns the state that it is in.

        "corrected" comes with the corrected label, of a video by frame. It is kept beside the
        first label and takes its place for everyone who loads the item. More corrected frames of
        a video add to those that stand. "accept" of a corrected label leaves the correction in
        place; "reject" and ``None`` withdraw it: its files stay, and nothing but another
        "corrected" with them brings it back. Verdicts outlast further runs, as long as the picture
        stays the same. With ``decision`` the verdict is one that ``self.decisions`` can undo, and
        is refused (``StaleLabelError``) if the label isn't the one that was looked at.
        """
        if verdict is not None and verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {verdict!r}")
        if isinstance(corrected, PanopticSegmentation):
            corrected = {0: corrected}
        if (verdict == "corrected") != bool(corrected):
            raise ValueError('the verdict "corrected" and a corrected label go together')
        row = self.manifest.row(key)
        item = self._item(row)
        fitting = {
            frame: self._fitted(item, frame, result) for frame, result in (corrected or {}).items()
        }
        # Another reviewer's files would lie beside this verdict; a run may go on meanwhile.
        with only_one(self.root, "writing verdicts into", VERDICT, wait=_VERDICT_SECONDS):
            files = {
                frame: self.files.write_correction(key, item.kind, frame, result)
                for frame, result in fitting.items()
            }
            state = self.verdicts.give(key, verdict, note, files, row["content"], decision)
        self._words = None
        return state

    # -- what items ask ------------------------------------------------------------------------

    def load(self, item: LabelledItem, frame: int) -> PanopticSegmentation:
        standing = self.verdicts.corrections(item.key) if item.verdict == "corrected" else {}
        if frame in standing:
            label = self.files.load_correction(item.key, standing[frame])
        else:
            label = self.files.load(item.key, item.kind, frame)
        if label.ids.shape != item.size:
            raise DatasetError(
                f"the label of {item.key!r} is {label.width} x {label.height}, but its picture was "
                f"{item.size[1]} x {item.size[0]}: the file that is there is another's"
            )
        return self.named(label, item.key)

    def picture(self, item: LabelledItem, frame: int) -> np.ndarray:
        row = self.manifest.row(item.key)
        unit = replace(unit_of(row), source=item.source)
        return self.pictures.read(unit, row["content"], frame, self._reading())

    def _reading(self) -> PictureSettings:
        """As they were read to be labelled, whatever their size."""
        asked = self.settings.get("settings", {}).get("pictures", {})
        return PictureSettings(sys.maxsize, sys.maxsize, sys.maxsize, **asked)

    def close(self) -> None:
        self.pictures.close()
        self.manifest.close()

    def __enter__(self) -> DatasetStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- underneath ----------------------------------------------------------------------------

    def _item(self, row: sqlite3.Row, splits: Splits | None = None) -> LabelledItem:
        unit = self.pictures.find(unit_of(row), row["content"])
        return LabelledItem(
            key=row["key"],
            source=unit.source,
            kind=row["kind"],
            size=(row["height"], row["width"]),
            split=(splits or self._own_splits()).split(row["content"]),
            quality=row["quality"],
            verdict=row["verdict"],
            frames=row["frames"],
            reader=self,
            name=unit.name,
            image_id=unit.image_id,
        )

    def _fitted(
        self, item: LabelledItem, frame: int, result: PanopticSegmentation
    ) -> PanopticSegmentation:
        """A correction with the numbers of this data set; ``ValueError`` where it doesn't fit."""
        if not 0 <= frame < item.frames:
            raise ValueError(f"{item.key!r} has frames 0 to {item.frames - 1}, not {frame}")
        if result.ids.shape != item.size:
            raise ValueError(f"{item.key!r} is {item.size}, its correction is {result.ids.shape}")
        words, known = self._common(), self.vocabulary
        fitted = words.apply(result)
        if fitted is None:
            strange = (s for s in result if not s.is_unknown)
            s = next(s for s in strange if words.find(s.category, s.is_thing) is None)
            here = f"{known.by_id(s.category_id).name!r}" if s.category_id in known else "nothing"
            kind = "thing" if s.is_thing else "stuff"
            raise ValueError(
                f"category {s.category_id} is {here} here, and {s.category!r} ({kind}) in the "
                f"correction of {item.key!r}; its words are {known!r}"
            )
        return fitted

    def _common(self) -> CommonWords:
        if (words := self._words) is None:  # read once: another thread may want them anew
            made_by = str(self.manifest.get_meta("settings_hash"))
            self._numbers = self.word_table.by_number()
            words = self._words = CommonWords(self.asked, self.word_table.of_labels(made_by))
        return words

    def named(self, label: PanopticSegmentation, key: str) -> PanopticSegmentation:
        """A label of this data set, with the numbers of ``vocabulary``."""
        named = self._common().apply(label)
        if named is None:  # a run may have begun to ask for other words meanwhile
            self._words = None
            named = self._common().apply(label)
        if named is None:
            raise DatasetError(
                f"the label of {key!r} has words that nobody asked for in this data set: "
                f"{', '.join(sorted({s.category for s in label}))}; its file is another's"
            )
        return named

    def _number(self, settings: str, category_id: int) -> int:
        """The number here of a category of a label that these settings made."""
        for _ in range(2):
            words = self._common()
            word = self._numbers.get((settings, category_id))
            if word is not None and (category := words.find(*word)) is not None:
                return category.id
            if category_id == UNKNOWN_ID:
                break
            self._words = None
        return UNKNOWN_ID

    def _own_splits(self) -> Splits:
        """For items that are asked for one by one, of a data set of any size: as of the first time,
        and by shares alone where so many hashes can't leave a split empty."""
        if self._splits is None:
            self._splits = self.splits() if len(self) <= _FEW else Splits()
        return self._splits
